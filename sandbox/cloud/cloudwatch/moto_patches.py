"""Everything that touches moto's insides; `tests/aws/cloudwatch/test_moto_patches.py` guards it.

moto calls `CloudWatchResponse.<action in snake case>()`, has parsed the request into
`self.params` (query, JSON and CBOR alike), and serialises the `ActionResult` it gets back.
So each action we answer is one method set on that class. It looks up the engine of the
request's account and region, and goes to moto's own method where none is installed.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from moto.cloudwatch.exceptions import CloudWatchException
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult
from moto.sns.models import sns_backends

from sandbox.cloud.cloudwatch.errors import CloudWatchError

Answer = Callable[[Mapping[str, Any]], dict[str, Any]]

ACTIONS = (
    "put_metric_data",
    "get_metric_data",
    "get_metric_statistics",
    "list_metrics",
    "put_metric_alarm",
    "put_composite_alarm",
    "describe_alarms",
    "describe_alarms_for_metric",
    "describe_alarm_history",
    "delete_alarms",
    "set_alarm_state",
    "enable_alarm_actions",
    "disable_alarm_actions",
    "tag_resource",
    "untag_resource",
    "list_tags_for_resource",
)


class Engine(Protocol):
    """What answers the calls of one account and region."""

    def answer(self, action: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The result of a call, as the API's output shape; raises `CloudWatchError`."""


_engines: dict[tuple[str, str], Engine] = {}


def register(account_id: str, region: str, engine: Engine) -> None:
    """Let this engine answer for this account and region, instead of any earlier one."""
    _engines[account_id, region] = engine
    for action in ACTIONS:
        current = getattr(CloudWatchResponse, action, None)
        if not getattr(current, "answers_by_engine", False):
            setattr(CloudWatchResponse, action, _method(action, current))


def _method(action: str, original: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    def method(self: Any) -> Any:
        engine = _engines.get((self.current_account, self.region))
        if engine is None:
            if original is None:
                raise NotImplementedError(f"The {action} action has not been implemented")
            return original(self)
        try:
            return ActionResult(engine.answer(action, self.params))
        except CloudWatchError as error:
            raise CloudWatchException(error.code, error.message) from error

    method.__name__ = action
    method.answers_by_engine = True  # type: ignore[attr-defined]
    return method


def publish(topic_arn: str, subject: str, message: str) -> None:
    """Publish to an SNS topic of moto; raises whatever moto does if there is none."""
    _, _, _, region, account_id, _ = topic_arn.split(":")
    sns_backends[account_id][region].publish(message=message, arn=topic_arn, subject=subject)
