"""A recorded release judged again: by the record of each verdict, and the decisions of today."""

from __future__ import annotations

from typing import Any, NamedTuple

from lastgood.contracts import Explanation
from lastgood.decisions import records
from lastgood.model import Verdict


class Again(NamedTuple):
    """What became of one verdict."""

    said: Verdict
    now: Verdict | None
    """What the decisions of today say; None if it cannot be judged again."""
    why_not: str | None = None

    @property
    def same(self) -> bool | None:
        """Whether that is the same verdict; None if it cannot be told."""
        return records.same(self.said, self.now) if self.now else None

    @property
    def text(self) -> str:
        """One line."""
        if self.now is None:
            return f"cannot be judged again: {self.why_not}"
        if self.same:
            return "judged again from its record: the same verdict"
        return (
            f"judged again from its record, today it is {self.now.status.value} "
            f"at {self.now.at:%H:%M:%S} UTC: {self.now.reason}"
        )

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        now = self.now.bare.model_dump(mode="json") if self.now else None
        named = {"key": self.said.key, "trigger": self.said.trigger}
        return {**named, "same": self.same, "now": now, "text": self.text}


def judge(told: Explanation, verdict: Verdict) -> Again:
    """Judge one of a release's verdicts again."""
    trigger = records.trigger_of(told.release.policy, verdict)
    why_not = records.why_not(verdict)
    if trigger is None:
        why_not = why_not or "its trigger is not in the policy"
    if why_not or trigger is None:
        return Again(verdict, None, why_not)
    return Again(verdict, records.judge_again(trigger, verdict))
