"""What a notice's picture is drawn from: the trigger that fired, and the record of its verdict."""

from __future__ import annotations

from collections.abc import Sequence

from lastgood.contracts import Picture
from lastgood.model import Verdict
from lastgood.policy_triggers import Trigger


def picture_of(triggers: Sequence[Trigger], fired: Verdict | None) -> Picture | None:
    """The picture of what fired; None if nothing did, or nothing was recorded.

    Args:
        triggers: the policy's; a verdict's key begins with its trigger's position among them.
        fired: with its record.
    """
    if fired is None or fired.record is None:
        return None
    of_type = [one for one in triggers if one.type == fired.trigger]
    position = (fired.key or "").split(" ")[0]
    if position.isdecimal() and int(position) < len(triggers):
        named = triggers[int(position)]
        of_type = [named] if named.type == fired.trigger else of_type
    return Picture(trigger=of_type[0], verdict=fired) if len(of_type) == 1 else None
