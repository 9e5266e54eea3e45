"""Triggers proposed from a service's own past, and what is said of the policy's own."""

import json
import random
from collections.abc import Callable
from datetime import timedelta

import pytest
from click.testing import CliRunner

from lastgood.cli.policy import policy as policy_verb
from lastgood.decisions.recording import Recording, Row, write
from lastgood.decisions.sliding import releases_of
from lastgood.decisions.suggesting import (
    Proposal,
    Suggestion,
    chance_in_words,
    suggest,
    warnings_of_past,
)
from lastgood.decisions.usual import highest, quantile, quiet_day, usual_of
from lastgood.policy import Policy
from lastgood.policy_file import parse
from lastgood.policy_triggers import ErrorRateTrigger, RegressionTrigger, ResponseTimeTrigger

BEGIN = 1_793_577_600.0
DAYS = 4
COLUMNS = frozenset({"time", "requests", "errors", "latency_avg"})

Rate = Callable[[int], float]


def past(
    requests: float = 300,
    rate: Rate = lambda minute: 0.002,
    time: Callable[[int], float] = lambda minute: 120.0,
    days: float = DAYS,
) -> Recording:
    """A service with so many requests a minute, of which a share fails."""
    chance = random.Random(5)
    rows = []
    for minute in range(round(days * 1440)):
        n = max(0, round(chance.gauss(requests, requests**0.5)))
        share = rate(minute)
        failed = sum(chance.random() < share for _ in range(n))
        average = time(minute) * chance.uniform(0.95, 1.05)
        rows.append(Row(BEGIN + 60 * minute, float(n), float(failed), average))
    return Recording(60.0, rows, columns=COLUMNS)


def policy(*triggers: dict[str, object], **monitor: str) -> Policy:
    given = {"service": "shop/web", "monitor": monitor}
    return Policy.model_validate({**given, "triggers": list(triggers)} if triggers else given)


def of(found: Suggestion, kind: type) -> Proposal:
    [one] = [one for one in found.triggers if isinstance(one.trigger, kind)]
    return one


# --- Proposals ---------------------------------------------------------------------------------


def test_a_calm_service_gets_low_thresholds_that_never_fired() -> None:
    found = suggest(policy(), past())
    errors, times = of(found, ErrorRateTrigger), of(found, ResponseTimeTrigger)
    assert errors.trigger.threshold == 0.01
    assert errors.trigger.duration == timedelta(minutes=3)
    assert errors.fired == errors.per_week == 0
    assert errors.smallest == pytest.approx(0.008, abs=0.001)
    assert times.trigger.threshold == timedelta(milliseconds=200)
    assert times.smallest == pytest.approx(1.67, abs=0.05)
    assert of(found, RegressionTrigger).smallest == pytest.approx(0.01, abs=0.005)


def test_so_many_requests_are_asked_for_as_any_test_needs() -> None:
    errors = of(suggest(policy(), past()), ErrorRateTrigger)
    # ln(100) / KL(1 % || 0.2 %) = 563
    assert errors.trigger.min_requests in range(540, 600, 10)
    assert errors.takes == pytest.approx(60 * 563 / 298, rel=0.05)


def test_a_threshold_is_far_enough_from_usual_to_judge_at_all() -> None:
    errors = of(suggest(policy(), past(rate=lambda minute: 0.04)), ErrorRateTrigger)
    assert errors.trigger.threshold == 0.1


def test_what_a_lower_threshold_would_have_fired_on_is_told_with_its_date() -> None:
    """It may have been no false alarm: who was there knows."""
    first = round((releases_of(policy(), past())[30] - BEGIN) / 60) + 2
    burning = range(first, first + 15)
    found = suggest(policy(), past(rate=lambda minute: 0.04 if minute in burning else 0.002))
    errors = of(found, ErrorRateTrigger)
    assert errors.trigger.threshold == 0.05
    [lower] = [text for text in errors.why if "would have fired at" in text]
    assert lower.startswith("3.0 % would have fired at 2026-11-03 ")


def test_no_quiet_threshold_is_said() -> None:
    found = suggest(policy(), past(rate=lambda minute: 0.9 if minute % 180 < 12 else 0.0))
    assert of(found, ErrorRateTrigger).fired > 0
    assert any("no threshold was quiet in this past" in text for text in found.warnings)


def test_a_longer_duration_only_if_it_halves_the_threshold() -> None:
    short = range(3, 3000, 29)
    found = suggest(policy(), past(rate=lambda m: 0.06 if m in short or m - 1 in short else 0.002))
    errors = of(found, ErrorRateTrigger).trigger
    assert errors.duration in (timedelta(minutes=3), timedelta(minutes=5))
    assert of(found, ErrorRateTrigger).fired == 0


def test_the_policys_sources_and_words_are_kept() -> None:
    metric = {"namespace": "Shop", "name": "Errors", "unit": "ratio"}
    given = {"type": "error-rate", "threshold": "50%", "metric": metric, "message": "Oh"}
    errors = of(suggest(policy(given), past()), ErrorRateTrigger).trigger
    assert (errors.metric.name, errors.message, errors.threshold) == ("Errors", "Oh", 0.01)


def test_without_counts_only_the_response_time_is_proposed() -> None:
    rows = [Row(row.at, average=row.average) for row in past().rows]
    found = suggest(policy(), Recording(60.0, rows, columns=frozenset({"time", "latency_avg"})))
    assert [one.trigger.type for one in found.triggers] == ["response-time"]


def test_few_requests_raise_false_alarm_and_are_said() -> None:
    found = suggest(policy({"type": "error-rate"}), past(requests=1, rate=lambda minute: 0.01))
    assert of(found, RegressionTrigger).trigger.false_alarm == 0.05
    told = " ".join(found.warnings)
    assert "requests a minute cannot be judged in 3m: to tell it from the usual" in told
    assert "make it longer, and rely on health checks" in told


def test_a_regression_that_would_have_fired_is_a_dry_run() -> None:
    """A job every three hours makes errors: that is no release's fault."""
    found = suggest(policy(), past(rate=lambda m: 0.05 if m % 180 < 30 else 0.002))
    regression = of(found, RegressionTrigger)
    assert regression.fired >= 2
    assert regression.trigger.dry_run


# --- What is said of the policy ----------------------------------------------------------------


def test_a_threshold_that_a_quiet_day_exceeds() -> None:
    given = {"type": "response-time", "threshold": "100ms"}
    found = suggest(policy({"type": "error-rate"}, given), past())
    [told] = [text for text in found.warnings if text.startswith("triggers.1.threshold")]
    assert "exceeds 100 ms even on its quietest day (12" in told
    assert not [text for text in found.warnings if text.startswith("triggers.0.")]


def test_a_threshold_below_what_is_usual() -> None:
    found = suggest(policy({"type": "error-rate"}), past(rate=lambda minute: 0.09))
    assert "triggers.0.threshold: 5.0 % is below what is usual (9.0%)" in found.warnings


def test_a_short_past_is_said() -> None:
    assert any(
        "96 hours of the past say little" in text for text in suggest(policy(), past()).warnings
    )


# --- What is usual -----------------------------------------------------------------------------


def test_usual_is_by_the_hour() -> None:
    usual = usual_of(past(requests=300, rate=lambda m: 0.5 if m // 60 % 24 == 3 else 0.002))
    assert usual.hours == 96
    assert usual.requests == pytest.approx(298, abs=4)
    assert usual.error_rate == pytest.approx(0.002, abs=0.0004)
    assert usual.high_error_rate == pytest.approx(0.5, abs=0.02)


def test_lost_minutes_do_not_make_traffic_smaller() -> None:
    whole = past()
    half = Recording(60.0, whole.rows[::2], columns=COLUMNS)
    assert usual_of(half).requests == pytest.approx(usual_of(whole).requests or 0, rel=0.05)


def test_quantiles() -> None:
    assert quantile([], 0.5) is None
    assert quantile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0
    assert quantile([1.0, 2.0, 3.0, 4.0], 0.99) == 4.0


def test_the_quiet_day_is_full_and_has_the_lowest_mean() -> None:
    recording = past(time=lambda minute: 100.0 if 1440 <= minute < 2880 else 200.0, days=3.2)
    day = quiet_day(recording, lambda row: row.average)
    assert (day[0].at, len(day)) == (BEGIN + 86400, 1440)
    assert quiet_day(past(days=0.4), lambda row: row.average) == []


def test_the_highest_mean_leaves_out_what_has_few_requests() -> None:
    rows = [Row(0.0, 1.0, 1.0), Row(60.0, 100.0, 5.0), Row(120.0, 100.0, 1.0)]

    def rate(row: Row) -> float | None:
        return row.errors / row.requests if row.requests and row.errors is not None else None

    assert highest(rows, rate, 60, 60) == 1.0
    assert highest(rows, rate, 60, 60, least=30) == 0.05
    assert highest([], rate, 60, 60) is None


# --- In words ----------------------------------------------------------------------------------


def proposal(fired: int, releases: int) -> Proposal:
    return Proposal(ErrorRateTrigger(), fired, releases, fired / 2, None, "", ())


def test_the_chance_of_a_false_alarm_has_its_bound() -> None:
    assert chance_in_words(proposal(0, 300)) == (
        "none in 300 pretended releases: below 1 in 101, with 95 % certainty"
    )
    assert chance_in_words(proposal(3, 300)) == "3 in 300 pretended releases, 1.5 a week"
    assert "too few to say much" in chance_in_words(proposal(0, 5))


# --- The command -------------------------------------------------------------------------------


def run(*arguments: object) -> tuple[str, str]:
    given = ["suggest", *map(str, arguments)]
    result = CliRunner().invoke(policy_verb, given, standalone_mode=False)
    assert result.exception is None, result.exception
    return result.stdout, result.stderr


@pytest.fixture
def metrics(tmp_path):
    path = tmp_path / "web.csv"
    path.write_text("\n".join(write(past())) + "\n")
    return path


FULL = """
service: shop/web
region: us-east-1
monitor: {window: 15m}
triggers:
  - {type: error-rate, threshold: 50%, load_balancer: app/web/1, target_group: targetgroup/web/1}
  - {type: health-check, url: "https://api.example.com/health", expect: {status: 204}}
  - {type: alarm, alarm: too many}
  - {type: band, metric: {namespace: AWS/ECS, name: CPUUtilization, dimensions: {A: "b: c"}}}
"""


def test_what_is_printed_is_a_policy_with_the_other_triggers_as_they_were(
    tmp_path, metrics
) -> None:
    path = tmp_path / "lastgood.yaml"
    path.write_text(FULL)
    printed, told = run("--policy", path, "--metrics", metrics)
    before, after = parse(FULL), parse(printed)
    assert (after.service, after.region, after.monitor.window) == (
        "shop/web",
        "us-east-1",
        timedelta(minutes=15),
    )
    errors, times, regression, *others = after.triggers
    assert (errors.threshold, errors.target_group) == (0.01, "targetgroup/web/1")
    assert isinstance(times, ResponseTimeTrigger)
    assert isinstance(regression, RegressionTrigger)
    assert others == before.triggers[1:]
    assert max(len(line) for line in printed.splitlines() if "#" in line) <= 80
    assert "warning: triggers.0.threshold (50.0 %): half of all requests may fail" in told
    printed_again = tmp_path / "again.yaml"
    printed_again.write_text(printed)
    checked = CliRunner().invoke(policy_verb, ["check", "--policy", str(printed_again)])
    assert (checked.exit_code, checked.stderr) == (0, "")


def test_as_json(metrics) -> None:
    printed, _ = run("--service", "shop/web", "--metrics", metrics, "--output", "json")
    found = json.loads(printed)
    errors = found["triggers"][0]
    assert (errors["type"], errors["threshold"], errors["duration"]) == ("error-rate", 0.01, 180)
    assert (errors["fired"], errors["false_alarms_per_week"]) == (0, 0)
    assert errors["windows"] > 90
    assert parse(found["yaml"]).triggers[0].threshold == 0.01
    assert found["usual"]["hours"] == 96


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--service", "shop/web"],
        ["--metrics", "web.csv"],
        ["--service", "shop/web", "--metrics", "web.csv", "--since", "14d"],
        ["--service", "shop", "--metrics", "web.csv"],
        ["--service", "shop/web", "--metrics", "none.csv"],
    ],
)
def test_wrong_usage(arguments: list[str]) -> None:
    from lastgood.cli.main import run as run_verb

    assert run_verb(["policy", "suggest", *arguments]) == 2


def test_policy_check_says_what_cannot_work_with_this_services_past(tmp_path, metrics) -> None:
    file = tmp_path / "lastgood.yaml"
    file.write_text(
        "service: shop/web\ntriggers:\n"
        "  - {type: response-time, threshold: 100ms}\n  - {type: health-check, url: http://a/b}\n"
    )
    given = ["check", "--policy", str(file), "--output", "json"]
    alone = json.loads(CliRunner().invoke(policy_verb, given).stdout)
    known = json.loads(CliRunner().invoke(policy_verb, [*given, "--metrics", str(metrics)]).stdout)
    assert alone["ok"]
    assert known["ok"]
    said = set(known["warnings"]) - set(alone["warnings"])
    assert any("exceeds 100 ms even on its quietest day" in one for one in said), said


def test_five_percent_of_three_requests_a_minute_cannot_work() -> None:
    said = warnings_of_past(policy({"type": "error-rate"}), past(requests=3))
    assert any("triggers.0" in one and "request" in one for one in said), said
