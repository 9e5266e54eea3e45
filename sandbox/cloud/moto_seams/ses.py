"""SES's identities: one that was made may send, as moto's SendEmail has it, and it says so."""

from typing import Any

from moto.ses.models import EmailIdentity


def install_ses() -> None:
    """Let identities be verified from the beginning."""
    theirs = EmailIdentity.__init__

    def begin(self: Any, *arguments: Any, **more: Any) -> None:
        theirs(self, *arguments, **more)
        self.verified_for_sending_status = True

    setattr(EmailIdentity, "__init__", begin)  # noqa: B010 - mypy
