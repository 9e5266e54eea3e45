"""What the service's guard remembers, as far as it matters to the next release.

A freeze refuses it; a limit that is reached holds it if it goes wrong; a memory that cannot be kept
in the service's tags is lost with Temporal's database; a failure that nobody has acknowledged is
still being told. All of these are warnings: somebody wanted them so, or they hurt later.
"""

from __future__ import annotations

from collections.abc import Iterator

from lastgood.contracts import Line, Overview
from lastgood.decisions.examining.lines import GUARD, fine, warning
from lastgood.decisions.wording import day


def of_guard(known: Overview | None, service: str) -> Iterator[Line]:
    """What is said of a guard; of a service without one, that there is none yet."""
    if known is None:
        yield fine(GUARD, "memory", "none yet: nothing was released with Lastgood")
        return
    good = sum(1 for one in known.ledger if one.status == "good")
    revisions = "revision is" if good == 1 else "revisions are"
    if known.mirror_problem:
        yield warning(
            GUARD,
            "memory",
            f"is kept by Temporal alone: {known.mirror_problem}",
            "Allow ecs:TagResource and ecs:UntagResource on the service, and leave it room for "
            "tags of ours (50 is AWS's limit).",
        )
    else:
        yield fine(GUARD, "memory", f"{good} {revisions} known to be good")
    if known.frozen:
        until = f" until {day(known.frozen.until)}" if known.frozen.until else ""
        yield warning(
            GUARD,
            "freeze",
            f"{known.frozen.actor} has frozen it{until}: {known.frozen.reason}",
            f'lastgood unfreeze {service} --reason "…", or release with --force --reason "…"',
        )
    if known.rollbacks_counted >= known.max_rollbacks:
        yield warning(
            GUARD,
            "rollback limit",
            f"reached: {known.rollbacks_counted} of {known.max_rollbacks}; a release that goes "
            "wrong is held",
            f'lastgood reset {service} --reason "…"',
        )
    for release in known.alerts:
        yield warning(
            GUARD,
            f"alert {release}",
            "its rollback failed, and nobody has acknowledged it",
            f'lastgood acknowledge {service} --reason "…"',
        )
