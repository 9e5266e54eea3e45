"""The alarms that a policy asks for, in the words of PutMetricAlarm."""

from dataclasses import replace
from typing import Any

import pytest

from lastgood.decisions.alarms.wanted import Wanted, may_be_ours, prefix_of, wanted_of
from lastgood.decisions.past_metrics import Balanced
from lastgood.policy import Policy

TOPIC = "arn:aws:sns:us-east-1:123456789012:oncall"
BALANCED = Balanced("app/web/1", ("targetgroup/web/2",), exclusive=True)
TIME = {"namespace": "Servio", "name": "Time", "dimensions": {"Stage": "prod", "App": "web"}}


def wanted(*triggers: dict[str, Any], topic: str | None = TOPIC, found: Any = BALANCED) -> Wanted:
    data = {"service": "shop/web", **({"triggers": list(triggers)} if triggers else {})}
    policy = Policy.model_validate(data)
    return wanted_of(policy, dict.fromkeys(range(len(policy.triggers)), found), topic)


def test_the_three_alarms_of_a_policy_with_nothing_but_its_service() -> None:
    made = wanted()
    names = ["shop-web-error-rate", "shop-web-response-time", "shop-web-health-check"]
    assert [one.name for one in made.alarms] == names
    assert all(one.config["AlarmActions"] == [TOPIC] for one in made.alarms)
    assert [one.config["Threshold"] for one in made.alarms] == [5.0, 1000.0, 1.0]
    assert made.remarks == (
        "triggers.3 regression: has no alarm: CloudWatch does not compare with the past",
    )


def test_no_healthy_target_is_an_alarm_and_so_is_no_data() -> None:
    config = wanted({"type": "health-check"}).alarms[0].config
    assert config["MetricName"] == "HealthyHostCount"
    assert (config["Statistic"], config["ComparisonOperator"]) == ("Minimum", "LessThanThreshold")
    assert (config["Threshold"], config["TreatMissingData"]) == (1.0, "breaching")
    assert (config["DatapointsToAlarm"], config["EvaluationPeriods"]) == (2, 2)


def test_a_health_check_that_fails_for_long() -> None:
    policy = Policy.model_validate(
        {
            "service": "shop/web",
            "monitor": {"interval": "20s"},
            "triggers": [{"type": "health-check", "threshold": 10}],
        }
    )
    assert wanted_of(policy, {0: BALANCED}, TOPIC).alarms[0].config["EvaluationPeriods"] == 4


@pytest.mark.parametrize(
    ("trigger", "threshold"),
    [
        ({"type": "error-rate", "threshold": "7%", "metric": TIME}, 0.07),
        ({"type": "error-rate", "threshold": "7%", "metric": {**TIME, "unit": "percent"}}, 7.0),
        ({"type": "error-rate", "threshold": "7%"}, 7.0),
        ({"type": "response-time", "threshold": "1500ms", "metric": TIME}, 1500.0),
        ({"type": "response-time", "threshold": "1500ms", "metric": {**TIME, "unit": "s"}}, 1.5),
        ({"type": "response-time", "threshold": "1500ms"}, 1500.0),
    ],
)
def test_thresholds_in_the_unit_of_what_is_watched(
    trigger: dict[str, Any], threshold: float
) -> None:
    assert wanted(trigger).alarms[0].config["Threshold"] == threshold


def test_a_metric_of_ones_own_is_watched_without_math() -> None:
    metric = {**TIME, "statistic": "p99"}
    alarm = wanted({"type": "response-time", "compare": ">=", "metric": metric}).alarms[0]
    pairs = [{"Name": "App", "Value": "web"}, {"Name": "Stage", "Value": "prod"}]
    assert alarm.config["Dimensions"] == pairs
    assert alarm.config["ExtendedStatistic"] == "p99"
    assert alarm.config["EvaluateLowSampleCountPercentile"] == "ignore"
    assert alarm.config["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert "Statistic" not in alarm.config
    assert "Metrics" not in alarm.config
    assert "p99 needs 1,000 values in the datapoints looked at" in alarm.notes[0]
    unguarded = wanted({"type": "response-time", "min_requests": 0, "metric": metric}).alarms[0]
    assert unguarded.config["EvaluateLowSampleCountPercentile"] == "evaluate"


def test_a_dry_run_tells_nobody() -> None:
    alarm = wanted({"type": "error-rate", "dry_run": True}).alarms[0]
    assert alarm.config["AlarmActions"] == []
    assert "dry_run: it tells nobody" in alarm.notes


def test_without_a_topic_it_is_said_where_to_write_one() -> None:
    assert "give --topic ARN, or write notify.sns.topic_arn" in wanted(topic=None).remarks[-1]


def test_two_triggers_of_one_type() -> None:
    made = wanted({"type": "error-rate"}, {"type": "error-rate", "threshold": "20%"})
    assert [one.name for one in made.alarms] == ["shop-web-error-rate", "shop-web-error-rate-2"]


def test_what_has_no_alarm_is_said_and_the_others_are_made() -> None:
    made = wanted(
        {"type": "error-rate"},
        {"type": "error-rate", "metric": TIME},
        {"type": "health-check", "url": "https://web.test/health"},
        {"type": "alarm", "alarm": "shop-web-error-rate"},
        found="shop/web has no load balancer: name one, or a metric",
    )
    assert [one.trigger for one in made.alarms] == ["triggers.1 error-rate"]
    assert made.remarks == (
        "triggers.0 error-rate: shop/web has no load balancer: name one, or a metric",
        "triggers.2 health-check: shop/web has no load balancer: name one, or a metric",
    )


def test_whose_errors_the_load_balancers_are() -> None:
    shared = wanted({"type": "error-rate"}, found=replace(BALANCED, exclusive=False))
    ids = {one["Id"] for one in shared.alarms[0].config["Metrics"]}
    assert "balancer_5xx" not in ids
    assert "own 5xx are not counted" in shared.alarms[0].notes[-1]


@pytest.mark.parametrize(
    ("message", "begin"),
    [("Too many errors.", "Too many errors. Made by"), ("a\nb", "a b. Made by")],
)
def test_ones_own_words_in_the_description(message: str, begin: str) -> None:
    alarm = wanted({"type": "error-rate", "message": message}).alarms[0]
    assert alarm.config["AlarmDescription"].startswith(begin)


def test_names() -> None:
    assert prefix_of("shop/web") == "shop-web"
    assert prefix_of("web/web") == "web"
    long = prefix_of(f"{'c' * 255}/{'s' * 255}")
    assert len(f"{long}-response-time-20") <= 255
    assert long != prefix_of(f"{'c' * 255}/{'t' * 255}")
    assert may_be_ours("shop/web", "shop-web-error-rate-2")
    assert not may_be_ours("shop/web", "shop-web-api-error-rate")
    assert not may_be_ours("shop/web", "shop-web-error-rates")
