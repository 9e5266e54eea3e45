"""An alarm: what it was asked to watch, the state it is in, and how the wire shows both."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sandbox.cloud.cloudwatch.evaluation import State
from sandbox.cloud.cloudwatch.times import date

Kind = Literal["MetricAlarm", "CompositeAlarm"]

ACTIONS_ON: dict[str, str] = {
    "ALARM": "AlarmActions",
    "OK": "OKActions",
    "INSUFFICIENT_DATA": "InsufficientDataActions",
}


@dataclass
class Alarm:
    """A metric or composite alarm; its configuration stays in the words of the API."""

    name: str
    arn: str
    kind: Kind
    config: dict[str, Any]
    configured_at: float
    state: State = "INSUFFICIENT_DATA"
    reason: str = "Unchecked: Initial alarm creation"
    reason_data: str | None = None
    updated_at: float = 0.0
    transitioned_at: float = 0.0
    evaluation_error: bool = False
    next_due: float = 0.0
    tags: dict[str, str] = field(default_factory=dict)
    seen_children: tuple[tuple[str, str, float], ...] | None = field(default=None, repr=False)

    @property
    def actions_enabled(self) -> bool:
        """Whether a change of state runs the actions."""
        return self.config.get("ActionsEnabled") is not False

    def actions(self) -> list[str]:
        """The ARNs to act on in the present state, if actions are enabled."""
        return list(self.config[ACTIONS_ON[self.state]]) if self.actions_enabled else []

    def reconfigure(self, config: dict[str, Any], now: float) -> None:
        """Replace the configuration and leave the state as it is, as AWS does."""
        self.config, self.configured_at = config, now
        self.next_due, self.seen_children = 0.0, None

    def shown(self) -> dict[str, Any]:
        """As `DescribeAlarms` shows it."""
        shape: dict[str, Any] = {
            **self.config,
            "AlarmArn": self.arn,
            "ActionsEnabled": self.actions_enabled,
            "AlarmConfigurationUpdatedTimestamp": date(self.configured_at),
            "StateValue": self.state,
            "StateReason": self.reason,
            "StateUpdatedTimestamp": date(self.updated_at),
            "StateTransitionedTimestamp": date(self.transitioned_at),
        }
        if self.reason_data is not None:
            shape["StateReasonData"] = self.reason_data
        if self.evaluation_error:
            shape["EvaluationState"] = "EVALUATION_ERROR"
        return shape


def configuration(params: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration in a put request: all of it but the tags, with empty action lists."""
    given = {k: v for k, v in params.items() if k != "Tags" and v is not None}
    return {**{name: [] for name in ACTIONS_ON.values()}, **given}
