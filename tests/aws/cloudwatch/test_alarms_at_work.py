"""The alarms that we make, put into CloudWatch by our own calls, minute by minute.

Time is a test's own: a minute's counts are put, and the clock ticks at its end.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from lastgood.cli.alarm_calls import Alarms, CloudWatchError
from lastgood.decisions.alarms.differences import compare
from lastgood.decisions.alarms.tags import FINGERPRINT
from lastgood.decisions.alarms.wanted import Wanted, WantedAlarm, wanted_of
from lastgood.decisions.past_metrics import Balanced
from lastgood.policy import Policy
from sandbox.cloud.cloudwatch import MetricEngine
from tests.aws.cloudwatch.conftest import Tampered

BALANCER, OLD, NEW = "app/web/1", "targetgroup/web/2", "targetgroup/web-green/3"
Json = dict[str, Any]
Minute = dict[str, float | Sequence[float]]
"""Counts of a minute: requests, bad, refused, balancer, healthy; times in seconds."""
Play = Callable[..., list[str]]

GOOD: Minute = {"requests": 120, "bad": 0, "healthy": 2, "times": [0.1] * 120}
BAD: Minute = {**GOOD, "bad": 40}
QUIET: Minute = {"healthy": 2}
FEW: Minute = {"requests": 4, "bad": 3, "healthy": 2, "times": [9.0] * 4}
DEAD: Minute = {"refused": 60, "balancer": 60, "healthy": 0}
SLOW: Minute = {**GOOD, "times": [3.0] * 120}
_METRICS = {
    "requests": "RequestCount",
    "bad": "HTTPCode_Target_5XX_Count",
    "refused": "TargetConnectionErrorCount",
    "balancer": "HTTPCode_ELB_5XX_Count",
    "healthy": "HealthyHostCount",
    "times": "TargetResponseTime",
}


def alarm(trigger: Json, *groups: str) -> WantedAlarm:
    """The one alarm of a policy with one trigger."""
    policy = Policy.model_validate({"service": "web/web", "triggers": [trigger]})
    behind = Balanced(BALANCER, groups or (OLD,), exclusive=True)
    [made] = wanted_of(policy, {0: behind}, None).alarms
    return made


@pytest.fixture
def play(engine: MetricEngine, cloudwatch: Any, now: float) -> Play:
    """Puts an alarm, lets minutes go by, and tells its state at the end of each."""

    def put(minute: Minute, at: float, group: str) -> None:
        for key, value in minute.items():
            pairs = {"LoadBalancer": BALANCER}
            pairs |= {} if key == "balancer" else {"TargetGroup": group}
            values = value if isinstance(value, Sequence) else [value]
            engine.put("AWS/ApplicationELB", _METRICS[key], pairs, "None", at, values=values)

    def played(trigger: Json, *minutes: Minute, beside: Sequence[Minute] = ()) -> list[str]:
        made = alarm(trigger, *((OLD, NEW) if beside else ()))
        Alarms(cloudwatch, "web/web").put(made)
        states = []
        for number, minute in enumerate(minutes):
            put(minute, now + 60 * number, OLD)
            if beside:
                put(beside[number], now + 60 * number, NEW)
            engine.tick(now + 60 * number + 61)
            states.append(engine.alarm_states([made.name])[made.name])
        return states

    return played


ERRORS = {"type": "error-rate"}
TIMES = {"type": "response-time"}
HEALTH = {"type": "health-check"}


def test_a_bad_release_and_its_rollback(play: Play) -> None:
    states = play(ERRORS, GOOD, GOOD, BAD, BAD, BAD, GOOD, GOOD)
    assert states == ["OK", "OK", "OK", "OK", "ALARM", "ALARM", "OK"]


def test_counts_that_come_late_in_each_newest_minute_hide_nothing(play: Play) -> None:
    """The spare datapoint: the newest minute looks good for want of its errors."""
    late = {**BAD, "bad": 0}
    assert play(ERRORS, BAD, BAD, BAD, late)[-1] == "ALARM"
    assert play({**ERRORS, "consecutive": 3, "min_requests": 30}, BAD, BAD, BAD, late)[-1] == "OK"


def test_silence_is_fine(play: Play) -> None:
    assert set(play(ERRORS, *[{}] * 8)) == {"OK"}
    assert set(play(TIMES, *[{}] * 8)) == {"OK"}


@pytest.mark.parametrize("trigger", [ERRORS, TIMES])
def test_few_requests_are_not_judged(trigger: Json, play: Play) -> None:
    assert set(play(trigger, *[FEW] * 8)) == {"OK"}


@pytest.mark.parametrize("bad", [BAD, SLOW])
def test_one_bad_minute_before_a_quiet_time_is_no_alarm(bad: Minute, play: Play) -> None:
    """With TreatMissingData=missing it would be: so AWS evaluates a breach and then gaps."""
    trigger = ERRORS if bad is BAD else TIMES
    assert "ALARM" not in play(trigger, GOOD, bad, *[QUIET] * 8)


def test_dead_targets_are_failed_requests(play: Play) -> None:
    """They answer no 5xx, and no request is counted."""
    assert play(ERRORS, GOOD, DEAD, DEAD, DEAD)[-1] == "ALARM"


def test_slow_answers(play: Play) -> None:
    assert play(TIMES, GOOD, SLOW, SLOW, SLOW) == ["OK", "OK", "OK", "ALARM"]


def test_requests_without_a_response_time_are_not_quick_ones(play: Play) -> None:
    unanswered = {"requests": 120.0}
    assert play(TIMES, SLOW, SLOW, unanswered, SLOW)[-1] == "ALARM"


def test_no_healthy_target(play: Play) -> None:
    assert play(HEALTH, GOOD, DEAD, DEAD, GOOD) == ["OK", "OK", "ALARM", "OK"]


def test_no_data_of_targets_is_an_alarm(play: Play) -> None:
    states = play(HEALTH, GOOD, *[{}] * 6)
    assert states[1] == "OK"  # late data is no outage
    assert states[-1] == "ALARM"


@pytest.mark.parametrize("missing", ["breaching", "not_breaching", "ignore"])
def test_silence_as_the_policy_says(missing: str, play: Play) -> None:
    states = play({**ERRORS, "missing_data": missing}, GOOD, GOOD, GOOD, *[{}] * 8)
    assert states[-1] == ("ALARM" if missing == "breaching" else "OK")


def test_low_traffic_is_no_breach_where_silence_is_one(play: Play) -> None:
    states = play({**ERRORS, "missing_data": "breaching"}, *[GOOD] * 4, *[FEW] * 6)
    assert set(states[4:]) == {"OK"}


def test_a_bad_new_target_group_does_not_vanish_beside_the_old_one(play: Play) -> None:
    """Of 120 requests twelve go to the new tasks, and half of them fail: 5 % of all."""
    new = {"requests": 12.0, "bad": 6.0, "healthy": 1.0}
    assert play(ERRORS, *[GOOD] * 3, beside=[new] * 3)[-1] == "ALARM"
    healthy = play(HEALTH, *[DEAD] * 3, beside=[new] * 3)
    assert set(healthy) == {"OK"}


def test_a_metric_of_ones_own(engine: MetricEngine, cloudwatch: Any, now: float) -> None:
    metric = {"namespace": "Servio", "name": "ErrorRate", "dimensions": {"Service": "web"}}
    made = alarm({"type": "error-rate", "duration": "30s", "metric": metric})
    Alarms(cloudwatch, "web/web").put(made)
    states = []
    for number, value in enumerate((0.01, 0.4, 0.4, 0.4, 0.01)):
        at = now + 10 * number
        engine.put("Servio", "ErrorRate", {"Service": "web"}, "None", at, values=[value])
        engine.tick(at + 11)
        states.append(engine.alarm_states([made.name])[made.name])
    assert states == ["OK", "OK", "OK", "ALARM", "OK"]


class Late:
    """CloudWatch that shows what was put only after some questions."""

    def __init__(self, questions: int) -> None:
        self.left = questions

    def __call__(self, answer: Json) -> None:
        if self.left:
            self.left -= 1
            answer["MetricAlarms"] = []


def test_what_is_put_is_looked_for_until_it_shows(cloudwatch: Any, tampered: Tampered) -> None:
    tampered.answers["describe_alarms"] = Late(3)
    made = alarm(ERRORS)
    Alarms(cloudwatch, "web/web").put(made)
    assert len(tampered.calls("describe_alarms")) == 4
    assert tampered.calls("tag_resource") == []


def test_tags_that_show_late_are_written_once_more(cloudwatch: Any, tampered: Tampered) -> None:
    unseen = [True]

    def hide(answer: Json) -> None:
        answer["Tags"] = [] if unseen else answer["Tags"]
        unseen.clear()

    tampered.answers["list_tags_for_resource"] = hide
    alarms = Alarms(cloudwatch, "web/web")
    alarms.put(alarm(ERRORS))
    assert len(tampered.calls("tag_resource")) == 1
    [found] = alarms.read()
    assert FINGERPRINT in found.tags


def test_what_cloudwatch_adds_is_in_the_fingerprint(cloudwatch: Any, tampered: Tampered) -> None:
    """A default that is shown and was not asked for: the alarm is as we wrote it all the same."""

    def add(answer: Json) -> None:
        for one in answer["MetricAlarms"]:
            one["EvaluationWindow"] = {"SlidingWindow": {}}

    tampered.answers["describe_alarms"] = add
    alarms, made = Alarms(cloudwatch, "web/web"), alarm(ERRORS)
    alarms.put(made)
    assert len(tampered.calls("tag_resource")) == 1
    wanted = Wanted("web/web", (made,), ())
    assert [one.state for one in compare(wanted, alarms.read())] == ["unchanged"]


def test_another_alarm_than_was_put_is_said(cloudwatch: Any, tampered: Tampered) -> None:
    def change(answer: Json) -> None:
        for one in answer["MetricAlarms"]:
            one["Threshold"] = 6.0

    tampered.answers["describe_alarms"] = change
    with pytest.raises(CloudWatchError, match=r"Threshold 6\.0 in place of 5\.0") as wrong:
        Alarms(cloudwatch, "web/web", patience=0).put(alarm(ERRORS))
    assert "lastgood alarms plan" in str(wrong.value)
