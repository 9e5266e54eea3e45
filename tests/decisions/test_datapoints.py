"""M of N datapoints: AWS's tables row by row, and what is ours around them."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lastgood.contracts import Tally
from lastgood.decisions import thresholds
from lastgood.decisions.datapoints import evaluate, evaluation_range
from lastgood.decisions.series import Point
from lastgood.model import Reading, Status, Verdict
from lastgood.policy_triggers import ErrorRateTrigger
from tests.decisions.made import T0, at, tally, watched

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
# 0 does not breach, X breaches, - is missing, the newest on the right. "stay": retain the state.
TREATMENTS = ("inconclusive", "ignore", "breaching", "not_breaching")
"""The columns of AWS's tables; AWS calls ours inconclusive "missing"."""
THREE_OF_THREE = {
    "0-X-X": ("good", "good", "good", "good"),
    "0----": ("good", "good", "good", "good"),
    "-----": ("insufficient", "stay", "alarm", "good"),
    "0XX-X": ("alarm", "alarm", "alarm", "alarm"),
    "--X--": ("alarm", "stay", "alarm", "good"),
}
TWO_OF_THREE = {
    "0-X-X": ("alarm", "alarm", "alarm", "alarm"),
    "00X0X": ("alarm", "alarm", "alarm", "alarm"),
    "0-X--": ("good", "good", "alarm", "good"),
    "----0": ("good", "good", "alarm", "good"),
    "---X-": ("alarm", "stay", "alarm", "good"),
}
# Not in the tables; from the text of "Avoiding premature transitions to alarm state".
PREMATURE_THREE_OF_THREE = {
    "----X": ("insufficient", "stay", "alarm", "good"),
    "X----": ("alarm", "stay", "alarm", "good"),
    "---X-": ("insufficient", "stay", "alarm", "good"),
    "--X-X": ("alarm", "stay", "alarm", "good"),
    "--X-0": ("good", "good", "good", "good"),
}
PREMATURE_TWO_OF_THREE = {
    "----X": ("insufficient", "stay", "alarm", "good"),
    "---XX": ("alarm", "alarm", "alarm", "alarm"),
}
# Ours: what was before the release is no gap, so there may be fewer buckets than N.
SO_FAR = {
    "X": ("insufficient", "stay", "good", "good"),
    "XX": ("insufficient", "stay", "good", "good"),
    "XXX": ("alarm", "alarm", "alarm", "alarm"),
    "-X": ("insufficient", "stay", "good", "good"),
    "-XX": ("insufficient", "stay", "alarm", "good"),
    "0": ("good", "good", "good", "good"),
    "": ("insufficient", "stay", "good", "insufficient"),
}
TABLES = [
    (3, THREE_OF_THREE),
    (2, TWO_OF_THREE),
    (3, PREMATURE_THREE_OF_THREE),
    (2, PREMATURE_TWO_OF_THREE),
    (3, SO_FAR),
]
CASES = [
    pytest.param(row, most, treatment, state, id=f"{most}of3:{row}:{treatment}")
    for most, table in TABLES
    for row, states in table.items()
    for treatment, state in zip(TREATMENTS, states, strict=True)
]
READ = {"0": False, "X": True, "-": None}


@pytest.mark.parametrize(("row", "most", "treatment", "state"), CASES)
def test_the_states_are_those_of_the_documentation(row, most, treatment, state) -> None:
    breached = [READ[one] for one in row]
    said = evaluate(breached, most=most, of=3, missing_data=treatment)
    assert (said or "stay") == state


@pytest.mark.parametrize(("of", "looked_at"), [(1, 3), (3, 5), (6, 8), (12, 16)])
def test_more_buckets_are_looked_at_than_evaluated(of: int, looked_at: int) -> None:
    assert evaluation_range(of) == looked_at


VALUES = {"0": 0.01, "X": 0.4, "=": 0.05}


def series(row: str, *, weight: float = 1, counted: bool = False) -> tuple[Point, ...]:
    """A row, a minute each; ``!`` is a number that cannot be, ``x`` breaches on one request."""
    made = []
    for n, one in enumerate(row):
        if one == "!":
            made.append(Point(start=at(60 * n), value=None, problem="it is negative"))
        elif one == "x":
            made.append(Point(start=at(60 * n), value=0.4, weight=1, counted=True))
        elif one != "-":
            made.append(Point(start=at(60 * n), value=VALUES[one], weight=weight, counted=counted))
    return tuple(made)


def rule(datapoints: str = "2 of 3", **keys: object) -> ErrorRateTrigger:
    return ErrorRateTrigger.model_validate({"datapoints": datapoints, **keys})


def look(row: str, trigger: ErrorRateTrigger, *, now: float | None = None, **keys: object) -> Tally:
    points = keys.pop("points", None) or series(row)
    return thresholds.look(
        watched(trigger),
        tally(),
        points,  # type: ignore[arg-type]
        since=T0,
        now=at(60 * len(row) if now is None else now),
        **keys,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("row", "fires", "recovered"),
    [
        ("", False, False),
        ("X", False, False),
        ("XX", True, False),
        ("X0X", True, False),
        ("X00X", False, False),
        ("000", False, True),
        ("00", False, False),  # three must have gone by
        ("0X0", False, True),
        ("00X", False, False),  # the newest breaches
        ("===", False, True),
    ],
)
def test_when_it_fires_and_is_good_again(row: str, fires: bool, recovered: bool) -> None:
    seen = look(row, rule())
    assert (bool(seen.failing), seen.recovered) == (fires, recovered)


def test_what_equals_the_threshold_breaches_where_the_policy_says() -> None:
    assert look("==", rule(compare=">=")).failing
    assert not look("==", rule()).failing


def test_consecutive_is_n_of_n() -> None:
    trigger = ErrorRateTrigger.model_validate({"consecutive": 3})
    assert look("XXX", trigger).failing
    assert not look("XX0XX", trigger).failing
    assert trigger.counted == (3, 3)


def test_the_verdict_tells_the_numbers() -> None:
    failing = look("0X0X", rule("2 of 3", message="Too many errors", severity="warning")).failing
    assert failing
    assert failing.reason == (
        "Too many errors: error-rate above 5.0 % in 2 of 3 datapoints of 1m (2 are enough), "
        "in the newest of them 40.0 %"
    )
    assert (failing.at, failing.value, failing.severity) == (at(240), 0.4, "warning")
    assert [one.reading for one in failing.evidence] == [
        Reading.HEALTHY,
        Reading.UNHEALTHY,
        Reading.HEALTHY,
        Reading.UNHEALTHY,
    ]


def test_missing_datapoints_that_count_are_said() -> None:
    failing = look("X--", rule(missing_data="breaching"), now=3600).failing
    assert failing
    assert "in 1 of 3 datapoints of 1m (2 are enough)" in failing.reason
    assert failing.reason.endswith("; 1 is missing, which counts as a breach")


def test_the_newest_buckets_are_no_gaps_while_cloudwatch_may_be_late() -> None:
    """One breach, and nothing for three minutes after its end: then two gaps follow it."""
    trigger = rule("3 of 3")
    assert not look("X", trigger, now=60 * 5.9).failing
    assert look("X", trigger, now=60 * 6).failing
    breaching = rule("2 of 3", missing_data="breaching")
    assert not look("X", breaching, now=60 * 4.9).failing
    assert look("X", breaching, now=60 * 5).failing


def test_with_few_requests_a_bucket_is_no_datapoint() -> None:
    few = series("XXXX", weight=9, counted=True)
    assert not look("XXXX", rule("2 of 3", min_requests=10), points=few).failing
    assert look("XXXX", rule("2 of 3", min_requests=9), points=few).failing
    assert look("XXXX", rule("2 of 3", min_requests=10), points=series("XXXX")).failing


def test_a_quiet_bucket_is_a_gap_and_gaps_are_what_the_policy_says() -> None:
    loud = series("0", weight=100, counted=True)
    quiet = tuple(one for one in series("-xxx") if one.weight == 1)
    keys = {"min_requests": 10, "missing_data": "breaching"}
    assert look("-xxx", rule("3 of 3", **keys), now=240, points=(*quiet,)).failing
    seen = look("0xxx", rule("3 of 3", min_requests=10), points=(*loud, *quiet))
    assert not seen.failing


def test_a_number_that_cannot_be_is_neither_bad_nor_a_gap() -> None:
    seen = look("!!!!!", rule(missing_data="breaching"), now=3600)
    assert not look("!!!", rule(missing_data="breaching")).failing
    assert look("!!!", rule()).reading is Reading.ERROR
    assert seen.failing  # what never came afterwards is missing


def test_an_alarm_that_ignores_keeps_its_state() -> None:
    trigger = rule("2 of 2", missing_data="ignore")
    assert look("XX-----", trigger, now=3600).failing
    late = look("XX------0", trigger, not_before=at(300))
    assert late.failing, "it was still in alarm when the cooldown ended"
    assert not look("XX00000--", trigger, not_before=at(300)).failing


def conclude(row: str, trigger: ErrorRateTrigger, *, begins: float = 0) -> Verdict:
    return thresholds.conclude_metric(
        watched(trigger),
        tally(latest="x"),
        series(row),
        since=T0,
        covers_from=at(begins),
        until=at(600),
    )


@pytest.mark.parametrize(
    ("row", "treatment", "passes"),
    [
        ("0000000000", "inconclusive", True),
        ("X00X00X000", "inconclusive", True),
        ("0-0-0-0-0-", "inconclusive", True),
        ("0---------", "inconclusive", False),
        ("----------", "inconclusive", False),
        ("----------", "not_breaching", True),
        ("----------", "ignore", True),
        ("!!!!!!!!!!", "ignore", False),
        ("!!!!!!!!!!", "not_breaching", False),
        ("0-00-00-00", "breaching", True),
    ],
)
def test_what_a_window_says(row: str, treatment: str, passes: bool) -> None:
    verdict = conclude(row, rule("2 of 3", missing_data=treatment))
    assert (verdict.status is Status.PASS) == passes, verdict.reason
    if passes:
        assert "was never above 5.0 % in 2 of 3 datapoints of 1m" in verdict.reason
    else:
        assert "datapoints for only" in verdict.reason


@given(some.text("0X-", max_size=20), some.sampled_from(TREATMENTS[:2]), some.integers(1, 3))
def test_gaps_that_count_for_nothing_never_make_an_alarm_of_good_data(
    row: str, treatment: str, most: int
) -> None:
    seen = look(row, rule(f"{most} of 3", missing_data=treatment), now=7200)
    if "X" not in row:
        assert not seen.failing
    if seen.recovered:
        assert "0" in row


@given(some.text("0X", min_size=3, max_size=20), some.integers(1, 3))
def test_without_gaps_it_is_counting(row: str, most: int) -> None:
    seen = look(row, rule(f"{most} of 3"), now=60 * len(row))
    counts = [row[max(0, n - 2) : n + 1].count("X") for n in range(len(row))]
    assert bool(seen.failing) == any(count >= most for count in counts)
