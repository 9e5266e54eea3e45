"""Whether a window may end before its time."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lastgood.contracts import AlarmSeen, Tally, WatchedTrigger
from lastgood.decisions import early_end
from lastgood.decisions.regression import Regression
from lastgood.decisions.samples import Baseline, Normal, Sample, SlowNormal
from lastgood.decisions.statistics.bounds import highest_rate
from lastgood.model import Reading, Status
from lastgood.policy import MonitorPolicy
from lastgood.policy_triggers import (
    AlarmTrigger,
    HealthCheckTrigger,
    RegressionTrigger,
    Trigger,
)
from tests.decisions.made import T0, at, error_rate, seconds, verdict

IN_A_ROW = MonitorPolicy(consecutive_success=30)
ENOUGH = MonitorPolicy(good_enough=True)
END = at(600)


def pair(number: int, trigger: Trigger, **keys: Any) -> tuple[WatchedTrigger, Tally]:
    """A trigger, and a tally that is as content as can be, but for these keys."""
    key = f"{number} {trigger.type}"
    tally = Tally.model_validate(
        {
            "key": key,
            "reading": Reading.HEALTHY,
            "streak": 30,
            "conclusion": verdict(Status.PASS, trigger.type),
            **keys,
        }
    )
    return WatchedTrigger(key=key, trigger=trigger), tally


def decide(
    policy: MonitorPolicy, *pairs: tuple[WatchedTrigger, Tally], now: float = 300
) -> str | None:
    triggers, tallies = [one for one, _ in pairs], [tally for _, tally in pairs]
    return early_end.decide(policy, triggers, tallies, begin=T0, now=at(now), end=END)


# --- When it is asked --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "now", "moment"),
    [
        ({}, 0, 600),  # no window ends early unless the policy says so
        ({"good_enough": True}, 0, 300),  # not before half of it
        ({"good_enough": True}, 299, 300),
        ({"good_enough": True}, 300, 330),
        ({"good_enough": True}, 335, 360),
        ({"good_enough": True}, 560, 570),
        ({"good_enough": True}, 570, 600),
        ({"consecutive_success": 3, "min_window": "1m"}, 0, 60),
        ({"consecutive_success": 3, "min_window": "1m"}, 60, 114),
        ({"consecutive_success": 3, "min_window": "10m"}, 0, 600),
        ({"consecutive_success": 3, "interval": "60s"}, 300, 420),
        ({"consecutive_success": 3, "interval": "60s"}, 420, 600),  # no room for one look more
    ],
)
def test_when_it_is_asked(keys: dict[str, Any], now: float, moment: float) -> None:
    policy = MonitorPolicy.model_validate(keys)
    assert early_end.next_moment(policy, begin=T0, now=at(now), end=END) == at(moment)


@given(
    window=some.integers(2, 36_000),
    least=some.integers(1, 36_000),
    interval=some.integers(1, 600),
)
def test_it_is_asked_a_few_times_and_the_last_moment_is_the_end(
    window: int, least: int, interval: int
) -> None:
    keys = {"window": seconds(window), "interval": seconds(min(interval, window))}
    least = min(least, window)
    policy = MonitorPolicy(good_enough=True, min_window=seconds(least), **keys)
    now, asked, end = T0, [], at(window)
    while now < end:
        now = early_end.next_moment(policy, begin=T0, now=now, end=end)
        asked.append(now)
    assert asked[-1] == end
    assert asked == sorted(set(asked))
    assert len(asked) <= 12
    assert asked[0] == min(at(least), end) or asked[0] == end


# --- What ends it ------------------------------------------------------------------------------


def test_good_measurements_in_a_row() -> None:
    rate, health = pair(0, error_rate()), pair(1, HealthCheckTrigger())
    assert decide(IN_A_ROW, rate) == "after 5m of 10m: 30 good measurements in a row"
    assert decide(IN_A_ROW, rate, health) == (
        "after 5m of 10m: 30 good measurements in a row of each trigger"
    )
    assert decide(ENOUGH, rate, health) == "after 5m of 10m: all that was seen so far is good"


@pytest.mark.parametrize(
    "keys",
    [
        {"streak": 29},
        {"reading": Reading.NO_DATA},
        {"reading": Reading.UNHEALTHY},
        {"conclusion": None},
        {"conclusion": verdict(Status.INCONCLUSIVE)},
        {"conclusion": verdict(Status.FAIL)},
        {"failing": verdict()},
    ],
)
def test_one_that_is_not_content_goes_on_for_all(keys: dict[str, Any]) -> None:
    rate, health = pair(0, error_rate()), pair(1, HealthCheckTrigger(), **keys)
    assert decide(IN_A_ROW, rate, health) is None
    dry = pair(1, HealthCheckTrigger(dry_run=True), **keys)
    assert decide(IN_A_ROW, rate, dry), "a dry run does not count"
    assert decide(IN_A_ROW, dry) is None, "only dry runs: nobody says that it is good"


def test_never_before_its_least_time_nor_without_being_asked_for() -> None:
    rate = pair(0, error_rate())
    assert decide(IN_A_ROW, rate, now=299.9) is None
    assert decide(MonitorPolicy(), rate) is None
    sooner = MonitorPolicy.model_validate({"consecutive_success": 3, "min_window": "1m"})
    assert decide(sooner, rate, now=60)


def test_a_watch_that_failed_is_not_content() -> None:
    rate, (health, _) = pair(0, error_rate()), pair(1, HealthCheckTrigger())
    tallies = [rate[1]]
    assert (
        early_end.decide(IN_A_ROW, [rate[0], health], tallies, begin=T0, now=at(300), end=END)
        is None
    )


def test_what_is_sure() -> None:
    rate = pair(0, error_rate(), streak=1)
    compared = pair(1, RegressionTrigger(), streak=1)
    assert decide(ENOUGH, rate, compared) is None
    proved = pair(1, RegressionTrigger(), sure="no worse than the 1h before")
    assert decide(ENOUGH, rate, proved) == "after 5m of 10m: no worse than the 1h before"


@pytest.mark.parametrize(
    ("keys", "ends"),
    [
        ({"alarm": AlarmSeen(state="OK", since=at(-3600))}, True),
        ({"alarm": AlarmSeen(state="OK", since=at(0))}, True),
        ({"alarm": AlarmSeen(state="OK", since=at(1))}, False),
        ({"alarm": AlarmSeen(state="OK", since=at(0)), "reading": Reading.NO_DATA}, False),
        ({"alarm": AlarmSeen(state="OK")}, True),
        ({"alarm": AlarmSeen(state="OK"), "streak": 29}, False),
    ],
)
def test_an_alarm_must_be_ok_for_the_least_time(keys: dict[str, Any], ends: bool) -> None:
    assert bool(decide(ENOUGH, pair(0, AlarmTrigger(alarm="a"), **keys))) == ends


# --- The proof ---------------------------------------------------------------------------------

BASELINE = Baseline(
    text="the 1h before the release",
    errors=Normal(requests=100_000, bad=400),
    slow=(SlowNormal(name="slow", usual=1, limit=2, normal=Normal(requests=1e5, bad=25_000)),),
)


def followed(count: int, rate: float, slow: float = 0.2, baseline: Baseline = BASELINE) -> Any:
    regression = Regression(
        RegressionTrigger(), baseline, since=T0.timestamp(), period=10, window=600
    )
    for n in range(count):
        regression.feed(Sample(T0.timestamp() + 10 * n, 200.0, 200 * rate, 200.0, (200 * slow,)))
    return regression


@pytest.mark.parametrize(
    ("count", "rate", "slow", "proved"),
    [
        (60, 0.004, 0.2, True),
        (5, 0.004, 0.2, False),  # too few requests
        (60, 0.008, 0.2, False),  # half of the requests might still be worse
        (60, 0.05, 0.2, False),
        (60, 0.004, 0.4, False),
        (0, 0.0, 0.0, False),
    ],
)
def test_what_proves_that_nothing_got_worse(
    count: int, rate: float, slow: float, proved: bool
) -> None:
    told = early_end.no_worse(RegressionTrigger(), followed(count, rate, slow))
    assert bool(told) == proved
    if told:
        assert told.startswith("no worse than the 1h before the release: ")
        assert told.endswith(", 0.99 certain")


def test_a_baseline_too_small_proves_nothing() -> None:
    small = Baseline(text="x", errors=Normal(requests=3, bad=0), slow=BASELINE.slow)
    assert early_end.no_worse(RegressionTrigger(), followed(600, 0.0, 0.2, small)) is None


def test_the_highest_rate() -> None:
    assert highest_rate(0, 0, 0.01) == highest_rate(5, 5, 0.01) == 1.0
    few, many = highest_rate(1, 100, 0.01), highest_rate(100, 10_000, 0.01)
    assert 0.01 < many < 0.015 < few < 0.12
    assert highest_rate(1, 100, 0.001) > few


@pytest.mark.parametrize("rate", [0.02, 0.3])
def test_the_highest_rate_is_missed_as_seldom_as_it_says_at_any_look(rate: float) -> None:
    """Sixty runs of twenty looks; one in ten may ever be wrong."""
    missed = 0
    for seed in range(60):
        rng = random.Random(seed)
        bad = 0
        for look in range(1, 21):
            bad += sum(rng.random() < rate for _ in range(30))
            if highest_rate(bad, 30 * look, 0.1) < rate:
                missed += 1
                break
    assert missed <= 11, missed
