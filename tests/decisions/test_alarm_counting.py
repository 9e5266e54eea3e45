"""How a trigger's rule becomes an alarm's: periods, M of N, minimum, missing data."""

from typing import Any

import pytest

from lastgood.decisions.alarms.counting import CannotTranslateError, Counting, counting_of
from lastgood.policy_triggers import ErrorRateTrigger, ResponseTimeTrigger

OWN = {"namespace": "Servio", "name": "Errors"}


def errors(**keys: Any) -> Counting:
    trigger = ErrorRateTrigger.model_validate(keys)
    return counting_of(trigger, balanced=trigger.metric is None)


def times(**keys: Any) -> Counting:
    trigger = ResponseTimeTrigger.model_validate(keys)
    return counting_of(trigger, balanced=trigger.metric is None)


@pytest.mark.parametrize(
    ("keys", "period", "most", "of"),
    [
        ({}, 60, 3, 4),  # three datapoints at least, and one that may be late
        ({"duration": "3m"}, 60, 3, 4),
        ({"duration": "9m"}, 180, 3, 3),  # three parts, as the trigger cuts it
        ({"duration": "10m"}, 240, 3, 3),  # rounded up: never shorter than asked for
        ({"duration": "24h"}, 28_800, 3, 3),
        ({"duration": "30s"}, 60, 3, 4),
        ({"duration": "60s", "raw": True}, 60, 1, 2),
        ({"duration": "2m", "raw": True}, 60, 2, 3),
        ({"period": "5m", "duration": "20m"}, 600, 3, 3),
        ({"datapoints": "3 of 5"}, 60, 3, 5),
        ({"datapoints": "6 of 12", "period": "10s"}, 60, 1, 2),
        ({"consecutive": 4, "period": "5m"}, 300, 4, 4),
        ({"metric": OWN}, 60, 3, 3),
        ({"metric": OWN, "duration": "10m"}, 60, 10, 10),
        ({"metric": OWN, "duration": "30s"}, 10, 3, 3),
        ({"metric": OWN, "duration": "3s"}, 10, 3, 3),
        ({"metric": OWN, "duration": "30s", "period": "5s"}, 10, 3, 3),
        ({"metric": OWN, "datapoints": "3 of 5", "period": "5s"}, 10, 2, 3),
        ({"metric": OWN, "datapoints": "3 of 5", "period": "20s"}, 20, 3, 5),
    ],
)
def test_datapoints_of_an_error_rate(keys: dict[str, Any], period: int, most: int, of: int) -> None:
    found = errors(**keys)
    assert (found.period, found.most, found.of) == (period, most, of)


def test_a_response_time_needs_no_spare_datapoint() -> None:
    """Nothing is filled: what is late is missing, and not 0."""
    found = times()
    assert (found.period, found.most, found.of) == (60, 3, 3)


@pytest.mark.parametrize(
    ("found", "requests", "failed"),
    [
        (errors(), 10, 2),  # 30 and 5, over three datapoints
        (errors(min_requests=100), 34, 2),
        (errors(min_requests=2), 1, 1),
        (errors(min_requests=0), 0, 0),
        (errors(duration="60s", raw=True), 0, 0),
        (errors(datapoints="3 of 5"), 0, 0),
        (errors(datapoints="3 of 5", min_requests=20), 20, 0),
        (errors(datapoints="6 of 12", period="10s", min_requests=5), 30, 0),
        (errors(metric=OWN, min_requests=20), 0, 0),
        (times(), 10, 0),
        (times(min_requests=0), 0, 0),
        (times(raw=True), 0, 0),
        (times(datapoints="3 of 5", min_requests=20), 20, 0),
        (times(missing_data="breaching"), 0, 0),
        (times(missing_data="breaching", datapoints="3 of 5", min_requests=20), 0, 0),
    ],
)
def test_requests_and_failed_ones(found: Counting, requests: int, failed: int) -> None:
    assert (found.requests, found.failed) == (requests, failed)


@pytest.mark.parametrize(
    ("found", "missing"),
    [
        (errors(), "notBreaching"),
        (errors(missing_data="breaching"), "breaching"),
        (errors(missing_data="not_breaching"), "notBreaching"),
        (errors(missing_data="ignore"), "ignore"),
        (errors(metric=OWN), "missing"),
        (errors(metric=OWN, missing_data="breaching"), "breaching"),
        (times(), "notBreaching"),
    ],
)
def test_missing_data(found: Counting, missing: str) -> None:
    assert found.missing == missing


def test_a_quiet_minute_is_no_breach_where_missing_data_is_one() -> None:
    assert errors(missing_data="breaching").quiet_is_fine
    asked = errors(missing_data="breaching", datapoints="3 of 5", min_requests=20)
    assert not asked.quiet_is_fine
    assert "count as bad" in asked.notes[-1]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (errors(duration="30s"), "datapoints of 1m, not 10s: load balancers report no finer"),
        (errors(metric=OWN, period="5s", duration="30s"), "datapoints of 10s, not 5s: alarms know"),
        (errors(metric=OWN, duration="30s"), "high-resolution alarm, which costs more"),
        (errors(metric=OWN, min_requests=20), "min_requests is not asked for"),
        (errors(), "inconclusive is notBreaching"),
        (errors(consecutive=3), "3 of 4 would be safe"),
    ],
)
def test_what_differs_is_said(found: Counting, said: str) -> None:
    assert any(said in note for note in found.notes), found.notes


def test_nothing_is_said_where_nothing_differs() -> None:
    assert errors(datapoints="3 of 5", missing_data="ignore").notes == ()
    assert errors(metric=OWN).notes == ()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"datapoints": "50 of 99", "period": "20m"}, "datapoints: 50 of 99 datapoints of 20m"),
        ({"consecutive": 8, "period": "24h"}, "consecutive: 8 of 8 datapoints of 1d is more"),
    ],
)
def test_longer_than_an_alarm_can_look_back(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(CannotTranslateError, match="write a shorter") as refused:
        errors(**keys)
    assert said in str(refused.value)


@pytest.mark.parametrize("period", ["1h", "24h"])
def test_seven_days_with_long_datapoints(period: str) -> None:
    assert errors(datapoints="3 of 7", period=period).of == 7
