"""All alarms by name, and the one way in which their state changes."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sandbox.cloud.cloudwatch.alarm import Alarm
from sandbox.cloud.cloudwatch.alarm_message import message, subject
from sandbox.cloud.cloudwatch.evaluation import State
from sandbox.cloud.cloudwatch.history import AlarmHistory

Act = Callable[[Alarm, str, str, str], None]
"""Carries out an action: alarm, the action's ARN, subject and message. Must not block."""


@dataclass
class AlarmBook:
    """The alarms of one account and region."""

    account_id: str
    region: str
    act: Act
    alarms: dict[str, Alarm] = field(default_factory=dict)
    history: AlarmHistory = field(default_factory=AlarmHistory)

    def arn_of(self, name: str) -> str:
        """The ARN of the alarm with this name."""
        return f"arn:aws:cloudwatch:{self.region}:{self.account_id}:alarm:{name}"

    def named(self, names: Sequence[str]) -> list[Alarm]:
        """Those of the named alarms that exist."""
        return [self.alarms[name] for name in names if name in self.alarms]

    def transition(
        self, alarm: Alarm, state: State, reason: str, reason_data: str | None, now: float
    ) -> None:
        """Put an alarm into a state; if that is another one, record it and act."""
        old_state, old_reason = alarm.state, alarm.reason
        alarm.state, alarm.reason, alarm.reason_data = state, reason, reason_data
        alarm.updated_at = now
        if state == old_state:
            return
        alarm.transitioned_at = now
        self.history.state_changed(alarm, (old_state, old_reason), now)
        for action in alarm.actions():
            text = json.dumps(message(alarm, self.account_id, self.region, old_state))
            self.act(alarm, action, subject(alarm, self.region), text)
