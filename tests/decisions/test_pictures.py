"""Which trigger a notice's picture is of."""

from datetime import UTC, datetime

import pytest

from lastgood.decisions.pictures import picture_of
from lastgood.model import Status, Verdict
from lastgood.policy_triggers import AlarmTrigger, ErrorRateTrigger, Trigger

ONE, OTHER = AlarmTrigger(alarm="one"), AlarmTrigger(alarm="other")
RATE = ErrorRateTrigger()
NOW = datetime(2026, 1, 31, tzinfo=UTC)


def fired(trigger: str, key: str | None = None, record: str | None = "recorded") -> Verdict:
    return Verdict(
        trigger=trigger, key=key, status=Status.FAIL, reason="bad", at=NOW, record=record
    )


@pytest.mark.parametrize(
    ("verdict", "trigger"),
    [
        (fired("alarm", "2 alarm"), OTHER),
        (fired("alarm", "1 alarm"), ONE),
        (fired("error-rate"), RATE),
        (fired("error-rate", "0 error-rate"), RATE),
        (fired("error-rate", "1 error-rate"), RATE),
        (fired("alarm"), None),
        (fired("alarm", "9 alarm"), None),
        (fired("manual"), None),
        (fired("error-rate", record=None), None),
        (None, None),
    ],
)
def test_a_picture_is_of_the_trigger_that_fired(
    verdict: Verdict | None, trigger: Trigger | None
) -> None:
    picture = picture_of([RATE, ONE, OTHER], verdict)
    assert (picture.trigger if picture else None) == trigger
