"""Releases of the past, judged from their recordings: how each ends, and in which words."""

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from lastgood.decisions.recording import Recording, read, write
from lastgood.model import Status
from lastgood.policy_triggers import (
    AlarmTrigger,
    BandTrigger,
    ErrorRateTrigger,
    FixedBaseline,
    HealthCheckTrigger,
    Metric,
    RegressionTrigger,
    ResponseTimeTrigger,
)
from tests.decisions.made import at
from tests.decisions.recorded import ALL, COUNTS, DEPLOYED, Stretch, judged, recorded

REGRESSION, ERRORS, TIMES = RegressionTrigger(), ErrorRateTrigger(), ResponseTimeTrigger()
PROBES, BAND = HealthCheckTrigger(), BandTrigger()
EVERYTHING = (REGRESSION, ERRORS, TIMES, PROBES, BAND)
SECOND = 1.0


def because(said) -> dict[str, str]:
    """What each trigger says."""
    return {one.trigger.type: one.verdict.reason for one in said.triggers}


def spoilt(recording: Recording, begin: float, end: float, **cells: float) -> Recording:
    """The file, with some cells of some seconds overwritten, read again."""
    lines = list(write(recording))
    header = lines[0].split(",")
    for number, line in enumerate(lines[1:], 1):
        values = dict(zip(header, line.split(","), strict=True))
        if DEPLOYED + begin <= float(values["time"]) < DEPLOYED + end:
            values |= {name: str(value) for name, value in cells.items()}
        lines[number] = ",".join(values.values())
    return read("\n".join(lines))


# --- Good and bad --------------------------------------------------------------------------


def test_a_release_like_what_was_before_is_healthy():
    said = judged(recorded(Stretch(1200)), *EVERYTHING)
    assert (said.outcome, said.at, said.trigger) == ("healthy", None, None)
    assert said.reason == (
        "regression: no worse than the hour before the release, as far as chance allows: 5xx "
        "0.5 % before (36,000 requests), 0.5 % since 12:00:00 UTC (12,000 requests); evidence "
        "0.0 to 1 (100 to 1 decides); a rise by 0.7 points would have been seen. error-rate was "
        "never above 5.0 % for 1m; data for 100% of the window. response-time was never above "
        "1,000 ms for 1m; data for 100% of the window. health-check: 0 of 120 health checks "
        "failed, never 3 in a row. band: error-rate never left 0.0 % to 2.5 % for 1m; "
        "response-time never left 88 ms to 139 ms for 1m."
    )


def test_a_worse_one_is_rolled_back_by_whoever_is_first():
    said = judged(recorded(Stretch(300), Stretch(900, 0.125)), *EVERYTHING)
    assert (said.outcome, said.trigger) == ("rolled_back", "regression")
    assert said.at == at(340)
    assert said.reason.startswith("5xx 0.5 % before (36,000 requests), 10.2 % since 12:04:50 UTC")


def test_slower_answers_are_found_after_the_warm_up():
    said = judged(recorded(Stretch(1200, slower=2)), REGRESSION)
    assert (said.outcome, said.trigger) == ("rolled_back", "regression")
    assert at(120) < said.at <= at(180)
    assert said.reason.startswith(
        "answers over 151 ms 25.0 % before (36,000 requests), over 186 ms"
    )
    assert "since 12:02:00 UTC" in said.reason


# --- Monitoring that fails -----------------------------------------------------------------


def test_an_outage_of_the_monitoring_in_a_good_release_is_not_a_bad_release():
    said = judged(recorded(Stretch(450), Stretch(300, missing=True), Stretch(450)), *EVERYTHING)
    assert said.outcome == "healthy"
    assert "(9,000 requests)" in said.reason
    assert "error-rate was never above 5.0 % for 1m; data for 75% of the window." in said.reason


def test_nor_is_it_a_good_one_if_most_of_the_window_is_missing():
    said = judged(recorded(Stretch(200), Stretch(800, missing=True), Stretch(200)), *EVERYTHING)
    assert (said.outcome, said.at, said.trigger) == ("held", at(1200), None)
    assert said.reason == "regression had data for only 33% of the window."
    assert because(said)["error-rate"].startswith("error-rate had data for only 33% of the window")
    assert because(said)["band"] == "band had data for less than half of the window."
    assert because(said)["health-check"] == (
        "Too few health checks were made: 40 in the whole window."
    )


def test_data_of_the_last_minutes_alone_do_not_make_a_band():
    said = judged(recorded(Stretch(900, missing=True), Stretch(300)), BAND)
    assert (said.outcome, said.reason) == (
        "held",
        "band had data for less than half of the window.",
    )


def test_an_outage_of_the_monitoring_does_not_hide_a_bad_release():
    recording = recorded(Stretch(300), Stretch(300, missing=True), Stretch(600, 0.1))
    said = judged(recording, *EVERYTHING)
    assert (said.outcome, said.trigger, said.at) == ("rolled_back", "regression", at(640))
    assert "5xx 0.5 % before" in said.reason


def test_an_outage_amid_the_fault_delays_it_no_longer_than_it_lasts():
    """Two bad buckets, nothing, and bad ones again: what was seen before is not forgotten."""
    fault = recorded(Stretch(300), Stretch(20, 0.3), Stretch(200, missing=True), Stretch(680, 0.3))
    said = judged(fault, REGRESSION)
    assert said.at == at(540)


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ({"requests": math.nan}, "requests is not a finite number"),
        ({"errors": math.inf}, "errors is not a finite number"),
        ({"errors": -1}, "errors is negative (-1)"),
        ({"errors": 101}, "more errors (101) than requests (100)"),
        ({"probes": -2}, "probes is negative (-2)"),
        ({"latency_avg": -5}, "latency_avg is negative (-5)"),
    ],
)
def test_numbers_that_cannot_be_are_neither_good_nor_bad(cells, problem):
    good = judged(spoilt(recorded(Stretch(1200)), 300, 600, **cells), *EVERYTHING)
    assert good.outcome == "healthy"
    assert "error-rate was never above 5.0 % for 1m; data for 75% of the window." in good.reason
    bad = judged(spoilt(recorded(Stretch(600), Stretch(600, 0.2)), 300, 600, **cells), *EVERYTHING)
    assert (bad.outcome, bad.trigger, bad.at) == ("rolled_back", "regression", at(640))
    lost = judged(spoilt(recorded(Stretch(1200)), 0, 1200, **cells), *EVERYTHING)
    assert lost.outcome == "held"
    assert lost.reason == "regression had data for only 0% of the window."
    assert because(lost)["error-rate"].endswith(f"error-rate cannot be used: {problem}")


def test_numbers_that_cannot_be_do_not_spoil_the_band_before():
    """One NaN in the baseline, and its mean would be none: nothing is outside of that."""
    recording = recorded(Stretch(1200, 0.2), columns=frozenset({*COUNTS, "latency_avg"}))
    said = judged(spoilt(recording, -600, -590, errors=math.nan), BAND)
    assert (said.outcome, said.trigger) == ("rolled_back", "band")
    assert "(before: 0.5 % on average)" in said.reason


def test_late_and_corrected_lines_are_taken_in_the_order_of_time():
    recording = recorded(Stretch(300), Stretch(900, 0.2))
    header, *lines = write(recording)
    preliminary = [f"{line.split(',')[0]},100,0,,,,,,,,," for line in lines[380:400]]
    late = "\n".join([header, *lines[:200], *preliminary, *reversed(lines[200:])])
    ordered = read("\n".join([header, *lines]))
    assert judged(read(late), *EVERYTHING) == judged(ordered, *EVERYTHING)


# --- Metrics that are not there ------------------------------------------------------------


def test_a_column_that_is_absent_is_said_and_decides_nothing():
    recording = recorded(Stretch(1200), columns=ALL - {"errors", "le"})
    said = judged(recording, ERRORS, REGRESSION)
    assert said.outcome == "healthy"
    assert because(said)["error-rate"] == (
        "error-rate is not measured here: the file has no columns errors and requests."
    )
    assert [one.measured for one in said.triggers] == [False, True]


def test_where_nothing_can_be_measured_nothing_is_healthy():
    said = judged(recorded(Stretch(600), columns=COUNTS), TIMES, AlarmTrigger(alarm="x"))
    assert (said.outcome, said.reason) == ("held", "No trigger could be judged by these columns.")
    assert because(said)["alarm"] == (
        "alarm is not measured here: an alarm's past states are in no file of metrics."
    )


def test_a_gauge_of_ones_own_is_in_no_file():
    gauge = BandTrigger(metric=Metric(namespace="Shop", name="Queue"))
    assert because(judged(recorded(Stretch(600)), gauge))["band"] == (
        "band is not measured here: the file has no column for the gauge Queue."
    )


def test_a_column_that_is_always_empty_is_no_data():
    recording = recorded(Stretch(1200), columns=COUNTS)
    for row in recording.rows:
        row.errors = None
    said = judged(recording, REGRESSION, ERRORS)
    assert (said.outcome, said.reason) == (
        "held",
        "regression: Nothing to compare with: no data in the hour before the release.",
    )
    assert because(said)["error-rate"].startswith("error-rate had data for only 0% of the window")


def test_a_metric_that_is_gone_since_the_release_is_said():
    recording = recorded(Stretch(1200), columns=ALL - {"le"})
    for row in recording.rows:
        row.errors = row.errors if row.at < DEPLOYED else None
    said = judged(recording, REGRESSION)
    assert said.outcome == "healthy"
    assert said.reason.endswith("; not measured since the release: 5xx.")


# --- Few requests --------------------------------------------------------------------------


def test_traffic_that_stops_is_neither_good_nor_bad():
    recording = recorded(Stretch(300), Stretch(900, each_second=0), columns=COUNTS)
    said = judged(recording, REGRESSION, ERRORS)
    assert (said.outcome, said.at, said.reason) == (
        "held",
        at(1200),
        "regression saw requests in only 25% of the window: 3,000 requests in all.",
    )
    assert because(said)["error-rate"].startswith("error-rate had data for only 25% of the window")


def test_three_requests_of_which_one_failed():
    none = Stretch(540, each_second=0)
    recording = recorded(
        none,
        Stretch(60, 1 / 3, each_second=0.05),
        none,
        before=Stretch(3600, 0, each_second=0.05),
        period=60,
        columns=COUNTS,
    )
    said = judged(recording, REGRESSION, ERRORS, BAND)
    assert said.outcome == "held"
    assert said.reason == "regression saw requests in only 5% of the window: 3 requests in all."


@pytest.mark.parametrize(("each_minute", "points"), [(3, "12.1"), (10, "5.5"), (60, "1.8")])
def test_low_traffic_says_how_little_it_could_see(each_minute, points):
    always = {"each_second": each_minute / 60}
    recording = recorded(
        Stretch(1200, **always), before=Stretch(3600, **always), period=60, columns=COUNTS
    )
    said = judged(recording, REGRESSION)
    assert said.outcome == "healthy"
    assert f"({20 * each_minute:,} requests)" in said.reason
    assert f"a rise by {points} points would have been seen" in said.reason


# --- Baselines -----------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.04, 0.08, 0.3])
def test_a_release_no_worse_than_a_bad_baseline_stays(rate):
    recording = recorded(Stretch(1200, rate), before=Stretch(3600, rate))
    said = judged(recording, REGRESSION, ERRORS)
    assert said.outcome == "healthy"
    assert f"5xx {rate:.1%} before".replace("%", " %") in said.reason
    assert because(said)["error-rate"] == (
        f"error-rate is not judged by the threshold: it was {rate:.1%} before the release already "
        "(threshold 5.0 %)"
    ).replace("% before", " % before")


@pytest.mark.parametrize(("rate", "worse"), [(0.04, 0.1), (0.08, 0.16), (0.3, 0.5)])
def test_one_that_is_worse_than_a_bad_baseline_goes(rate, worse):
    recording = recorded(Stretch(1200, worse), before=Stretch(3600, rate))
    said = judged(recording, REGRESSION, ERRORS)
    assert (said.outcome, said.trigger) == ("rolled_back", "regression")
    assert said.at <= at(60)
    assert f"5xx {100 * rate:.1f} % before" in said.reason


def test_too_little_baseline_is_said_and_not_guessed():
    before = Stretch(60, each_second=0.1)
    said = judged(recorded(Stretch(1200, 0.5), before=before, columns=COUNTS), REGRESSION)
    assert (said.outcome, said.reason) == (
        "held",
        "regression: Nothing to compare with: too few requests in the hour before the release to "
        "know what is normal (5xx).",
    )
    none = judged(recorded(Stretch(1200), before=Stretch(0), columns=COUNTS), REGRESSION)
    assert none.reason == (
        "regression: Nothing to compare with: no data in the hour before the release."
    )


def test_another_length_of_baseline_is_told():
    trigger = RegressionTrigger(baseline_for=timedelta(minutes=30))
    said = judged(recorded(Stretch(1200)), trigger)
    assert "no worse than the 30m before the release" in said.reason
    assert "0.5 % before (18,000 requests)" in said.reason


def test_a_baseline_that_a_person_wrote_down():
    trigger = RegressionTrigger(
        baseline="fixed",
        fixed=FixedBaseline(
            error_rate=0.005, p75=timedelta(milliseconds=140), p95=timedelta(milliseconds=230)
        ),
    )
    good = judged(recorded(Stretch(1200), before=Stretch(0)), trigger)
    assert good.outcome == "healthy"
    assert "no worse than what the policy says is normal" in good.reason
    assert "5xx 0.5 % by the policy, 0.5 % since" in good.reason
    bad = judged(recorded(Stretch(1200, 0.05), before=Stretch(0)), trigger)
    assert bad.outcome == "rolled_back"
    assert bad.reason.startswith("5xx 0.5 % by the policy, 5.0 % since 12:00:00 UTC (500 requests)")
    slow = judged(recorded(Stretch(1200, slower=2), before=Stretch(0)), trigger)
    assert slow.reason.startswith("answers over 230 ms 5.0 % by the policy, over 282 ms 29.4 %")


# --- What passes by itself -----------------------------------------------------------------


def test_a_cold_start_is_no_slow_release():
    """Four times as slow at first, and a third of that excess every forty seconds later."""
    cold = [Stretch(10, slower=1 + 3 * math.exp(-number / 4)) for number in range(120)]
    said = judged(recorded(*cold), REGRESSION, TIMES, BAND)
    assert said.outcome == "healthy"
    hot = [Stretch(10, slower=4) for _ in range(120)]
    assert judged(recorded(*hot), REGRESSION, TIMES, BAND).outcome == "rolled_back"


@pytest.mark.parametrize("period", [1, 10, 60])
def test_a_burst_of_twenty_seconds_is_no_bad_release(period):
    """Everything fails, slowly, and so do the probes; then all is well."""
    worst = Stretch(20, 1.0, slower=4, failing=True)
    if period == 60:
        worst = Stretch(60, 1 / 3, slower=1.5)
    after = 1200 - 300 - 20 - (40 if period == 60 else 5)
    recording = recorded(Stretch(305 if period < 10 else 300), worst, Stretch(after), period=period)
    said = judged(recording, REGRESSION, ERRORS, TIMES, BAND)
    assert said.outcome == "healthy"


# --- Modes and windows ---------------------------------------------------------------------


def test_a_dry_run_is_told_and_not_acted_on():
    dry = RegressionTrigger(dry_run=True)
    said = judged(recorded(Stretch(1200, 0.2), columns=ALL), dry, PROBES)
    assert said.outcome == "healthy"
    assert said.reason == "health-check: 0 of 120 health checks failed, never 3 in a row."
    verdict = said.triggers[0].verdict
    assert (verdict.status, verdict.dry_run) == (Status.FAIL, True)
    assert verdict.reason.startswith(
        "dry run: would have rolled back at 12:00 UTC: 5xx 0.5 % before (36,000 requests), 20.0 %"
    )


def test_where_all_is_a_dry_run_nothing_is_held():
    """As when a release is watched: all is as good as it can be known to be."""
    dry = RegressionTrigger(dry_run=True), ErrorRateTrigger(dry_run=True)
    said = judged(recorded(Stretch(1200, 0.2)), *dry)
    assert (said.outcome, said.reason) == ("healthy", "All triggers are dry runs: none decides.")


@pytest.mark.parametrize(
    ("on_inconclusive", "outcome", "moment", "trigger", "then"),
    [
        ("hold", "held", at(1200), None, ""),
        ("promote", "healthy", None, None, " The policy promotes then."),
        ("rollback", "rolled_back", at(1200), "regression", " The policy rolls back then."),
    ],
)
def test_the_policy_says_what_an_inconclusive_window_means(
    on_inconclusive, outcome, moment, trigger, then
):
    recording = recorded(Stretch(200), Stretch(800, missing=True), Stretch(200))
    said = judged(recording, REGRESSION, on_inconclusive=on_inconclusive)
    assert (said.outcome, said.at, said.trigger) == (outcome, moment, trigger)
    assert said.reason == f"regression had data for only 33% of the window.{then}"


def test_a_window_that_was_written_ends_when_it_says():
    recording = recorded(Stretch(600), Stretch(600, 0.2))
    assert judged(recording, REGRESSION).outcome == "rolled_back"
    short = judged(recording, REGRESSION, window="10m")
    assert short.outcome == "healthy"
    assert "(6,000 requests)" in short.reason


def test_a_release_is_judged_by_what_came_after_it():
    """Errors that were there before and are gone are neither evidence nor held against it."""
    said = judged(recorded(Stretch(1200), before=Stretch(3600, 0.1)), REGRESSION, ERRORS)
    assert said.outcome == "healthy"


def test_coarser_datapoints_are_made_of_what_is_known():
    """A bucket whose errors are unknown would dilute those of its minute."""
    recording = recorded(Stretch(1200, 0.08), columns=COUNTS)
    for row in recording.rows[::2]:
        row.errors = None if row.at >= DEPLOYED else row.errors
    trigger = ErrorRateTrigger(period=timedelta(minutes=1), duration=timedelta(minutes=3))
    said = judged(recording, trigger)
    assert (said.outcome, said.trigger) == ("rolled_back", "error-rate")
    assert said.reason.startswith("error-rate 8.0 % over 3m (threshold 5.0 %); 72 of 900 requests")


def test_times_without_requests_are_averaged_all_the_same():
    recording = recorded(Stretch(1200), columns=frozenset({"latency_avg"}))
    for number, row in enumerate(recording.rows):
        row.average = 300.0 if number % 6 == 0 else 1500.0
    early = recording.between(DEPLOYED - 3600, DEPLOYED)
    for row in early:
        row.average = 100.0
    trigger = ResponseTimeTrigger(period=timedelta(minutes=1), raw=True)
    said = judged(replace(recording), trigger)
    assert (said.outcome, said.trigger) == ("rolled_back", "response-time")
    assert said.reason.startswith("response-time 1,300 ms over 1m")
