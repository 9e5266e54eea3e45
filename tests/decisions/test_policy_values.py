"""Durations, ratios and whole policies survive being written and read again."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastgood.policy import Policy
from lastgood.values import format_duration, parse_duration, parse_ratio

DURATIONS = st.integers(1, 600_000).map(lambda ms: timedelta(milliseconds=ms))


@given(DURATIONS)
def test_durations_survive_being_written(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1000ms", 1), ("60s", 60), ("0.5s", 0.5), ("1h30m", 5400), ("7d", 604800), (" 5m ", 300)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value", ["", "5", "5 m", "m", "-5m", "5min", "1.5ms", "9" * 400 + "d", "\u0665m", 5, 1.5]
)
def test_what_is_no_duration(value: object) -> None:
    with pytest.raises(ValueError, match=r"10s|250ms|5m"):
        parse_duration(value)


@pytest.mark.parametrize(
    ("value", "ratio"), [("5%", 0.05), ("0.5 %", 0.005), (0.05, 0.05), ("99.9%", 0.999)]
)
def test_ratios(value: object, ratio: float) -> None:
    assert parse_ratio(value) == pytest.approx(ratio)


@pytest.mark.parametrize(
    "value",
    [0, 1, -0.1, 10**400, float("nan"), float("inf"), True, None, "5", "0%", "100%", "\u0665%"],
)
def test_what_is_no_ratio(value: object) -> None:
    with pytest.raises(ValueError, match=r"write 5% or 0\.05"):
        parse_ratio(value)


@given(
    threshold=st.floats(0, 1, exclude_min=True, exclude_max=True),
    limit=DURATIONS,
    window=st.integers(60, 86_400).map(lambda seconds: timedelta(seconds=seconds)),
    message=st.text("aä😀 '\"{}:#\n", min_size=1, max_size=20),
)
def test_a_policy_survives_json(threshold, limit, window, message) -> None:
    policy = Policy.model_validate(
        {
            "service": "a/b",
            "monitor": {"window": window},
            "smoke": [{"url": "https://example.com", "timeout": "2s"}],
            "triggers": [
                {"type": "error-rate", "threshold": threshold, "message": message},
                {"type": "response-time", "threshold": limit},
                {"type": "alarm", "alarm": "x"},
            ],
            "notify": {"email": {"from": "a@b", "to": ["c@d"]}},
        }
    )
    assert Policy.model_validate_json(policy.model_dump_json()) == policy
    assert Policy.model_validate_json(policy.model_dump_json(by_alias=True)) == policy
