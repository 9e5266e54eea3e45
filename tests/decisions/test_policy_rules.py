"""Which rule of a metric trigger goes with which."""

from typing import Any

import pytest
from pydantic import ValidationError

from lastgood.policy import Policy
from lastgood.policy_triggers import ErrorRateTrigger, ResponseTimeTrigger


def policy(trigger: dict[str, Any], window: str = "10m") -> Policy:
    return Policy.model_validate(
        {
            "service": "a/b",
            "monitor": {"window": window},
            "triggers": [{"type": "response-time"} | trigger],
        }
    )


@pytest.mark.parametrize(
    "keys",
    [
        {"datapoints": "3 of 5", "message": "Slow", "missing_data": "ignore"},
        {"consecutive": 3, "min_requests": 10, "warm_up": "0s"},
        {"raw": True, "compare": ">="},
        {"min_requests": 0, "error_limit": 0, "dry_run": True, "severity": "warning"},
    ],
)
def test_a_policy_travels_as_it_is(keys: dict[str, Any]) -> None:
    """Over the wire all keys are written, also those that were not."""
    written = policy(keys)
    assert Policy.model_validate_json(written.model_dump_json()) == written


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"datapoints": "3 of 5", "consecutive": 3}, "as datapoints says it"),
        ({"datapoints": "3 of 5", "duration": "2m"}, "as datapoints says it"),
        ({"consecutive": 3, "raw": True}, "consecutive has no guards"),
        ({"raw": True, "min_requests": 10}, "min_requests: is not used, as raw has no guards"),
        ({"raw": True, "warm_up": "1m"}, "warm_up: is not used, as raw has no guards"),
    ],
)
def test_what_goes_not_together(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        policy(keys)


def test_an_error_rate_has_no_warm_up() -> None:
    with pytest.raises(ValidationError, match="warm_up"):
        ErrorRateTrigger.model_validate({"warm_up": "1m"})


@pytest.mark.parametrize(
    ("keys", "window", "key"),
    [
        ({"consecutive": 6}, "5m", "triggers.0.consecutive"),
        ({"consecutive": 5}, "5m", None),
        ({"datapoints": "3 of 20"}, "2m", "triggers.0.datapoints"),
        ({"datapoints": "3 of 20"}, "3m", None),
        ({"datapoints": "3 of 20", "period": "10s"}, "30s", None),
        ({"duration": "6m"}, "5m", "triggers.0.duration"),
    ],
)
def test_what_can_never_fire_is_refused(keys: dict[str, Any], window: str, key: str | None) -> None:
    if key is None:
        policy(keys, window)
        return
    with pytest.raises(ValidationError, match=f"{key} .* is longer than monitor.window"):
        policy(keys, window)


@pytest.mark.parametrize(
    ("keys", "counted"),
    [({}, None), ({"datapoints": "3 of 15"}, (3, 15)), ({"consecutive": 4}, (4, 4))],
)
def test_m_and_n(keys: dict[str, Any], counted: tuple[int, int] | None) -> None:
    assert ResponseTimeTrigger.model_validate(keys).counted == counted


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (
            {"min_window": "5m"},
            "min_window: is not used, .* add consecutive_success or good_enough",
        ),
        ({"min_window": "11m", "good_enough": True}, r"min_window: must not be longer .* \(10m\)"),
        ({"min_window": "11m", "consecutive_success": 3}, "min_window: must not be longer"),
    ],
)
def test_an_early_end_that_makes_no_sense_is_refused(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Policy.model_validate({"service": "a/b", "monitor": keys})


@pytest.mark.parametrize(
    "keys",
    [
        {"min_window": "10m", "good_enough": True},
        {"consecutive_success": 30},
        {"good_enough": True},
    ],
)
def test_an_early_end_travels_as_it_is(keys: dict[str, Any]) -> None:
    written = Policy.model_validate({"service": "a/b", "monitor": keys})
    assert Policy.model_validate_json(written.model_dump_json()) == written
