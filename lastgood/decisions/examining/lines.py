"""Lines of an examination: what each says, which is worst, and when the whole is good enough.

Broken is what a release would be refused for, be blind without, or need to go back; and a channel
that tells nobody. A warning is what makes a release worse than it could be. What was not examined
is unknown, and never fine; it counts as broken does, but where no harmless call could tell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from lastgood.contracts import Examination, Line, Standing

SERVICE, PERMISSIONS, TARGET, GUARD = "service", "permissions", "target", "guard"
TRIGGERS, SMOKE, NOTIFY, SECOND_NET, TEMPORAL = (
    *("triggers", "smoke", "notify", "second net"),
    "temporal",
)


def fine(area: str, what: str, found: str) -> Line:
    """Nothing to do."""
    return Line(area=area, what=what, standing=Standing.FINE, found=found)


def warning(area: str, what: str, found: str, remedy: str) -> Line:
    """A release can be made; something about it will be worse than it could be."""
    return Line(area=area, what=what, standing=Standing.WARNING, found=found, remedy=remedy)


def broken(area: str, what: str, found: str, remedy: str) -> Line:
    """A release would be refused, blind, or unable to go back."""
    return Line(area=area, what=what, standing=Standing.BROKEN, found=found, remedy=remedy)


def unknown(area: str, what: str, found: str, remedy: str, *, excused: bool = False) -> Line:
    """Not examined; ``excused`` where no harmless call could tell."""
    return Line(
        area=area,
        what=what,
        standing=Standing.UNKNOWN,
        found=found,
        remedy=remedy,
        excused=excused,
    )


def not_examined(area: str, what: str, because: str) -> Line:
    """What could not be looked at, as something else is in the way."""
    return unknown(area, what, f"not examined, because {because}", "See to that first.")


def unread(area: str, what: str, why: str) -> Line:
    """What AWS, or whoever else, did not tell."""
    if is_denied(why):
        return not_examined(area, what, "the worker may not read it (see permissions)")
    if "credentials" in why:
        return not_examined(area, what, "the worker has no credentials (see permissions)")
    return unknown(
        area,
        what,
        f"not examined: {why}",
        "Run `lastgood doctor` again; if it stays, see that the worker reaches AWS.",
    )


def is_denied(text: str) -> bool:
    """Whether AWS's code in a text stands for a missing permission."""
    return any(word in text for word in DENIED)


DENIED = ("AccessDenied", "UnauthorizedOperation", "AuthorizationError", "NotAuthorized")
"""Parts of AWS's error codes for a missing permission."""


def is_good(examinations: Iterable[Examination]) -> bool:
    """Whether nothing is broken, and nothing unknown that could have been known."""
    return all(_passes(line) for one in examinations for line in one.lines)


def _passes(line: Line) -> bool:
    if line.standing is Standing.UNKNOWN:
        return line.excused
    return line.standing is not Standing.BROKEN


def counted(examinations: Iterable[Examination]) -> dict[Standing, int]:
    """How many lines stand how; the worst first."""
    found = Counter(line.standing for one in examinations for line in one.lines)
    worst = (Standing.BROKEN, Standing.UNKNOWN, Standing.WARNING, Standing.FINE)
    return {standing: found[standing] for standing in worst}
