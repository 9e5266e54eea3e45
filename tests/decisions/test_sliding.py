"""Releases pretended in every hour of the past."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from lastgood.decisions.recording import Recording, Row
from lastgood.decisions.sliding import (
    HOUR,
    TooShortError,
    releases_of,
    same_hour,
    slide,
)
from lastgood.policy import Policy

BEGIN = 1_700_002_800.0
"""A full hour."""


def recording(hours: float, period: float = 60.0, begin: float = BEGIN) -> Recording:
    rows = [Row(begin + n * period, 600.0, 0.0, 100.0) for n in range(round(hours * HOUR / period))]
    return Recording(period, rows, columns=frozenset({"time", "requests", "errors", "latency_avg"}))


def policy(**monitor: str) -> Policy:
    triggers = [{"type": "error-rate"}]
    return Policy.model_validate({"service": "a/b", "monitor": monitor, "triggers": triggers})


def test_each_hour_has_one_with_an_hour_before_it_and_a_window_after_it() -> None:
    past = recording(200)
    found = releases_of(policy(), past)
    assert [int((at - BEGIN) // HOUR) for at in found] == list(range(1, len(found) + 1))
    assert 198 <= len(found) <= 199
    assert found[-1] + 600 <= past.end
    assert all(at % 60 == 0 for at in found)


def test_their_minutes_are_spread_evenly() -> None:
    found = releases_of(policy(), recording(14 * 24))
    tenths = [0] * 6
    for at in found:
        tenths[int(at % HOUR // 600)] += 1
    assert max(tenths) - min(tenths) <= 3


@pytest.mark.parametrize(
    ("window", "step"), [("10m", 1), ("30m", 1), ("50m", 2), ("90m", 2), ("2h", 3)]
)
def test_windows_do_not_overlap(window: str, step: int) -> None:
    judged = policy(window=window)
    found = releases_of(judged, recording(72))
    assert found[-1] + judged.monitor.window.total_seconds() <= BEGIN + 72 * HOUR
    pairs = list(pairwise(found))
    assert {b // HOUR - a // HOUR for a, b in pairs} == {step}
    assert all(b - a >= judged.monitor.window.total_seconds() for a, b in pairs)


def test_what_is_compared_needs_its_baseline() -> None:
    triggers = [{"type": "regression", "baseline_for": "3h"}]
    longer = Policy.model_validate({"service": "a/b", "triggers": triggers})
    assert releases_of(longer, recording(48))[0] == BEGIN + 3 * HOUR


def test_a_short_past_has_one_release() -> None:
    odd = recording(1.2, begin=BEGIN + 1020)
    assert releases_of(policy(), odd) == [BEGIN + 1020 + HOUR]


def test_a_past_that_is_too_short_is_said() -> None:
    with pytest.raises(TooShortError, match="it covers 1h6m, and 1h10m are needed"):
        releases_of(policy(), recording(1.1))


def test_rates_are_by_the_week_that_the_releases_stand_for() -> None:
    slid = slide(policy(), recording(169))
    assert slid.weeks == pytest.approx(len(slid.releases) / 168)
    assert slid.per_week(2) == pytest.approx(2 / slid.weeks)
    real = slide(policy(), recording(168), [BEGIN + 5 * HOUR])
    assert real.weeks == pytest.approx(1)
    assert len(real.replays) == 1


@pytest.mark.parametrize(
    ("hours", "found"),
    [([], None), ([2, 2], None), ([2, 2, 2], (2, 3)), ([2, 2, 2, 5, 9, 7, 1], None)],
)
def test_what_fires_in_the_same_hour_of_the_day(
    hours: list[int], found: tuple[int, int] | None
) -> None:
    start = datetime(2026, 11, 2, tzinfo=UTC)
    moments = [start + timedelta(days=n, hours=hour) for n, hour in enumerate(hours)]
    assert same_hour(moments) == found
