"""What a release is compared with, and how its buckets are handed over."""

from datetime import datetime
from typing import Any

import pytest

from lastgood.contracts import Stretch
from lastgood.decisions.comparing import (
    Feed,
    past_of,
    period_of,
    previous_of,
    troubled,
    typical,
    without,
)
from lastgood.model import Outcome, ReleaseResult
from lastgood.policy_triggers import BandTrigger, RegressionTrigger
from tests.decisions.made import at, revision, seconds

TEN = seconds(10)


def stretch(begin: float, end: float) -> Stretch:
    return Stretch(begin=at(begin), end=at(end))


def past(trigger: Any, **keys: Any) -> tuple[tuple[datetime, datetime], ...]:
    known: dict[str, Any] = {"window": seconds(600), "previous": None, **keys}
    return past_of(trigger, released_at=at(7200), **known).stretches


def test_before_is_the_hour_before() -> None:
    assert past(RegressionTrigger()) == ((at(3600), at(7200)),)


def test_previous_is_as_long_as_the_window() -> None:
    trigger = RegressionTrigger(baseline="previous")
    assert past(trigger, previous=at(1200)) == ((at(1200), at(1800)),)
    assert past(trigger) == ()


def test_the_same_time_on_the_seven_days_before() -> None:
    found = past(RegressionTrigger(baseline="same-time"))
    assert len(found) == 7
    assert found[-1] == (at(7200 - 86400), at(7200 - 86400 + 3600))


def test_what_ran_while_a_bad_release_did_is_not_normal() -> None:
    found = past(RegressionTrigger(period=TEN), troubled=(stretch(4003, 4500),))
    assert found == ((at(3600), at(4000)), (at(4500), at(7200)))


@pytest.mark.parametrize(
    ("bad", "left"),
    [
        ((), [(0, 100)]),
        ((stretch(-50, 0),), [(0, 100)]),
        ((stretch(100, 150),), [(0, 100)]),
        ((stretch(20, 40),), [(0, 20), (40, 100)]),
        ((stretch(-5, 40),), [(40, 100)]),
        ((stretch(60, 160),), [(0, 60)]),
        ((stretch(-5, 160),), []),
        ((stretch(21, 39),), [(0, 20), (40, 100)]),
        ((stretch(20, 40), stretch(35, 70)), [(0, 20), (70, 100)]),
    ],
)
def test_what_is_left_of_a_stretch(bad: Any, left: list[tuple[float, float]]) -> None:
    found = without([stretch(0, 100)], bad, TEN)
    assert [(one.begin, one.end) for one in found] == [(at(a), at(b)) for a, b in left]


def result(outcome: Outcome, **keys: Any) -> ReleaseResult:
    return ReleaseResult.model_validate(
        {
            "release": "r",
            "workflow_id": "w",
            "run_id": "x",
            "service": "a/b",
            "outcome": outcome,
            "reason": "so",
            "started_at": at(10),
            "finished_at": at(20),
            "to_task_definition": "t:2",
            **keys,
        }
    )


def test_a_release_that_became_good_or_changed_nothing_troubled_nobody() -> None:
    bad = result(Outcome.ROLLED_BACK)
    assert troubled([bad]) == (stretch(10, 20),)
    harmless = (
        result(Outcome.HEALTHY),
        result(Outcome.REFUSED),
        result(Outcome.CANCELLED, to_task_definition=None),
    )
    assert troubled(harmless) == ()


def test_the_last_good_release_began_its_window_before_it_was_proven() -> None:
    good = (
        revision(1, release="r1", proven_at=at(1000)),
        revision(2, release="r2", proven_at=at(2000)),
        revision(3, proven_at=at(3000)),
    )
    assert previous_of(good, seconds(600)) == at(1400)
    assert previous_of((revision(3, proven_at=at(3000)),), seconds(600)) is None


@pytest.mark.parametrize(
    ("trigger", "period"),
    [
        (RegressionTrigger(), 60),
        (RegressionTrigger(burst=seconds(2)), 1),
        (RegressionTrigger(burst=seconds(12)), 10),
        (RegressionTrigger(period=seconds(10)), 10),
        (BandTrigger(), 60),
        (BandTrigger(duration=seconds(90)), 30),
    ],
)
def test_the_length_of_a_datapoint(trigger: Any, period: float) -> None:
    assert period_of(trigger) == seconds(period)


def feed() -> Feed[str]:
    """Buckets of ten seconds that may be thirty seconds late."""
    return Feed(0, 10, 30)


def test_a_bucket_is_handed_over_once_and_only_when_it_is_complete() -> None:
    one = feed()
    assert one.take({0: "a", 10: "b"}, 19.9) == ["a"]
    assert one.take({0: "a", 10: "b"}, 20) == ["b"]
    assert one.take({0: "a", 10: "b"}, 21) == []


def test_a_missing_bucket_is_waited_for_until_a_later_one_has_come() -> None:
    one = feed()
    assert one.take({0: "a"}, 25) == ["a"]
    assert one.take({0: "a", 20: "c"}, 31) == ["c"]


def test_a_missing_bucket_is_waited_for_no_longer_than_it_may_be_late() -> None:
    one = feed()
    assert one.take({}, 39) == []
    assert one.next == 0
    assert one.take({}, 40) == []
    assert one.next == 10


def test_a_bucket_that_changed_makes_all_of_them_start_anew() -> None:
    one = feed()
    assert one.take({0: "a", 10: "b"}, 20) == ["a", "b"]
    assert one.take({0: "a", 10: "bb"}, 21) is None


def test_so_does_one_that_was_given_up_and_came_all_the_same() -> None:
    one = feed()
    assert one.take({0: "a", 20: "c"}, 30) == ["a", "c"]
    assert one.take({0: "a", 10: "b", 20: "c"}, 31) is None


def test_what_was_before_the_first_bucket_does_not() -> None:
    one: Feed[str] = Feed(15, 10, 30)
    assert one.take({10: "early", 20: "a"}, 30) == ["a"]
    assert one.take({10: "earlier", 20: "a"}, 31) == []


def test_the_typical_value_is_the_median_by_weight() -> None:
    values = {at(0): 100.0, at(1): 200.0, at(2): 900.0}
    assert typical(values, {at(0): 1, at(1): 1, at(2): 1}) == 200
    assert typical(values, {at(0): 1, at(1): 1, at(2): 5}) == 900
    assert typical(values, {}) is None
