"""``lastgood``: the command line. One file per verb or family of them; this one is the group."""

from __future__ import annotations

import importlib
import io
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Sequence

import click

import lastgood
from lastgood.cli import github
from lastgood.cli.listing import Listing
from lastgood.errors import LastgoodError, PolicyError, SettingsError, UsageError

_USAGE = (PolicyError, UsageError, SettingsError)


_SECTIONS = {
    "Releases": ("deploy", "follow", "rollback", "status", "history", "explain", "report", "group"),
    "Decide about a release": ("promote", "hold", "resume", "approve", "deny", "cancel"),
    "Decide about a service": ("freeze", "unfreeze", "adopt", "acknowledge", "reset"),
    "Set up": (
        *("policy", "doctor", "iam", "alarms", "check", "backtest", "drill"),
        *("worker", "completion"),
    ),
}
"""The verbs, in the order of ``--help``."""
_OPERATORS = (*_SECTIONS["Decide about a release"], *_SECTIONS["Decide about a service"])
"""All of one shape, in one file."""
_VERBS = tuple(verb for verbs in _SECTIONS.values() for verb in verbs)


class _Verbs(Listing):
    """Imports a verb when it is used: most need Temporal's client, some do not."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click calls it so
        """All of them."""
        return list(_VERBS)

    def sections(self, ctx: click.Context) -> Iterator[tuple[str, Iterable[str]]]:  # noqa: ARG002
        """What belongs together."""
        yield from _SECTIONS.items()

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click calls it so
        cmd_name: str,
    ) -> click.Command | None:
        """One of them."""
        if cmd_name not in _VERBS:
            return None
        file = "operators" if cmd_name in _OPERATORS else cmd_name
        command: click.Command = getattr(importlib.import_module(f"lastgood.cli.{file}"), cmd_name)
        return command


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(lastgood.__version__, package_name="lastgood", message="lastgood %(version)s")
def cli() -> None:
    """Deploys to Amazon ECS, watches, and brings back what was known to be good.

    Results go to stdout, progress and logs to stderr. Temporal is reached by TEMPORAL_ADDRESS,
    TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS_* or temporal.toml.
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a verb to its exit code. Whatever happens, a person reads a message, no traceback."""
    _set_up_logging()
    try:
        code = cli.main(args=arguments, prog_name="lastgood", standalone_mode=False)
    except click.Abort:
        return 130
    except click.ClickException as error:
        _say_usage(error)
        return error.exit_code
    except LastgoodError as error:
        _say(str(error))
        return 2 if isinstance(error, _USAGE) else 1
    except SystemExit as ended:  # by click, when whoever read stdout has gone
        return ended.code if isinstance(ended.code, int) else 1
    except Exception as error:  # noqa: BLE001 - the last net
        return _unexpected(error)
    return code if isinstance(code, int) else 0


def _debugging() -> bool:
    return os.environ.get("LASTGOOD_LOG_LEVEL", "").upper() == "DEBUG"


def _set_up_logging() -> None:
    """Libraries are heard only when somebody looks for a fault."""
    if _debugging():
        logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    else:
        logging.getLogger().addHandler(logging.NullHandler())


def _say(text: str) -> None:
    """What went wrong; where GitHub Actions runs us, also at the top of the run."""
    if not github.active(os.environ):
        click.echo(text, err=True)
        return
    click.echo(github.harmless(text), err=True)
    for line in github.failures(text):
        github.command(line)


def _say_usage(error: click.ClickException) -> None:
    """As click does; it names the command and its --help."""
    if not github.active(os.environ):
        error.show()
        return
    shown = io.StringIO()
    error.show(shown)
    click.echo(github.harmless(shown.getvalue()), err=True)
    github.command(
        github.annotation("error", "Lastgood was called wrongly", error.format_message())
    )


def _unexpected(error: Exception) -> int:
    if _debugging():
        logging.getLogger("lastgood").error("Unexpected", exc_info=error)
    said = " ".join(str(error).split()) or "no message"
    _say(f"Unexpected error: {type(error).__name__}: {said}")
    if not _debugging():
        click.echo("Set LASTGOOD_LOG_LEVEL=DEBUG to see the traceback.", err=True)
    return 1


def entry() -> None:
    """The console script."""
    try:
        code = run()
    except KeyboardInterrupt:
        code = 130  # before anything was begun
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            code = code or 1
    # The interpreter can abort at its end after a Temporal client was connected (sdk-python#300).
    os._exit(code)
