"""Which trigger a notice's picture is of, and that it is one."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.pictures import plot
from lastgood.contracts import Picture
from lastgood.decisions import recorded, records
from lastgood.decisions.pictures import picture_of
from lastgood.decisions.thresholds import Point
from lastgood.model import Status, Verdict
from lastgood.plots import canvas
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


needs_matplotlib = pytest.mark.skipif(
    not canvas.available(), reason="needs matplotlib, the extra plots"
)


@needs_matplotlib
def test_the_plot_of_a_threshold_is_a_png_with_its_reason_in_words() -> None:
    points = tuple(
        Point(start=NOW + timedelta(minutes=n), value=0.004 if n < 5 else 0.08) for n in range(8)
    )
    given = recorded.OfThreshold(points=points, since=NOW, now=NOW + timedelta(minutes=8))
    verdict = fired("error-rate", record=records.record_of(given))
    attachment = plot(Picture(trigger=RATE, verdict=verdict))
    assert attachment is not None
    assert attachment.content.startswith(b"\x89PNG\r\n")
    assert len(attachment.content) < 200_000
    assert (attachment.name, attachment.alt) == ("error-rate.png", "bad")


@needs_matplotlib
def test_what_cannot_be_read_again_has_no_plot() -> None:
    assert plot(Picture(trigger=RATE, verdict=fired("error-rate", record="recorded"))) is None
