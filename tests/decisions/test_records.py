"""Records: what a verdict was decided from gives the same verdict again, of every kind."""

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lastgood.contracts import AlarmChange, AlarmState, ProbeAnswer, Tally, WatchedTrigger
from lastgood.decisions import band, recorded, records, thresholds
from lastgood.decisions.band import Gauge
from lastgood.decisions.health import look_at_alarm, look_at_health
from lastgood.decisions.record_columns import Columns, pack, rows_of, unpack
from lastgood.decisions.regression_verdicts import Followed
from lastgood.decisions.regression_verdicts import verdict as regression_verdict
from lastgood.decisions.samples import Baseline, Normal, Sample, Side, SlowNormal
from lastgood.decisions.series import Point
from lastgood.decisions.verdicts import conclude, said_by, would_have
from lastgood.model import Status, Verdict
from lastgood.policy_triggers import (
    AlarmTrigger,
    BandTrigger,
    HealthCheckTrigger,
    RegressionTrigger,
    ResponseTimeTrigger,
    Trigger,
)
from tests.decisions.made import T0, at, error_rate, tally, watched

SECONDS = T0.timestamp()
RATE = some.one_of(some.just(0.0), some.floats(0, 1), some.just(0.4))
COUNT = some.one_of(some.none(), some.integers(0, 500).map(float), some.floats(0, 1e6))


def kept(verdict: Verdict, record: str) -> Verdict:
    return Verdict.model_validate_json(
        verdict.model_copy(update={"record": record, "key": "3 some"}).model_dump_json()
    )


def same_again(trigger: Trigger, verdict: Verdict, record: str) -> None:
    """A recorded verdict, after its way over the wire, is the same when it is judged again."""
    told = kept(said_by(trigger, verdict), record)
    again = records.judge_again(trigger, told)
    assert again == told
    assert records.same(again, told)


# --- Thresholds --------------------------------------------------------------------------------


@some.composite
def thresholds_given(draw: some.DrawFn) -> tuple[Trigger, recorded.OfThreshold]:
    keys: dict[str, Any] = draw(
        some.sampled_from(
            [
                {},
                {"raw": True},
                {"dry_run": True},
                {"missing_data": "breaching"},
                {"missing_data": "ignore", "message": "Too much"},
                {"duration": timedelta(minutes=1), "datapoints": "2 of 3"},
                {"error_limit": 2, "severity": "warning"},
            ]
        )
    )
    slow = draw(some.booleans())
    trigger: Trigger = error_rate(**{"duration": "60s", **keys})
    if slow:
        trigger = ResponseTimeTrigger.model_validate({"duration": "60s", **keys})
    scale = 2000.0 if slow else 1.0
    points = []
    first = draw(some.integers(0, 6))
    bad = range(first, first + draw(some.sampled_from([0, 3, 5])))
    for minute in range(draw(some.integers(0, 12))):
        value = 0.4 if minute in bad else draw(some.one_of(some.none(), RATE))
        if value is None and draw(some.booleans()):
            continue
        weight, counted = draw(some.one_of(some.just((1.0, False)), some.just((40.0, True))))
        problem = "it is negative" if value is None else None
        value = None if value is None else value * scale
        points.append(
            Point(
                start=at(60 * minute), value=value, weight=weight, counted=counted, problem=problem
            )
        )
    minutes = draw(some.integers(0, 14))
    strength = draw(some.sampled_from([0.5, 2.9, 3.1]))
    asked = {at(60 * n): strength + n / 100 for n in range(15)}
    return trigger, recorded.OfThreshold(
        points=tuple(points),
        since=T0,
        now=at(60 * minutes),
        covers_from=draw(some.sampled_from([None, T0, at(90)])),
        not_before=draw(some.sampled_from([None, at(200)])),
        before=draw(some.sampled_from([None, 0.01, 0.04 * scale])),
        asked=draw(some.sampled_from([None, tuple(asked.items())])),
        started=(T0,),
        warm_up=timedelta(seconds=60),
        latest="something",
        value=0.25,
        error=draw(some.integers(0, 4)),
    )


@given(thresholds_given())
def test_thresholds(drawn: tuple[Trigger, recorded.OfThreshold]) -> None:
    trigger, told = drawn
    noted = records.Noted(dict(told.asked).get if told.asked else None)
    known: dict[str, Any] = {
        "before": told.before,
        "evidence": noted if told.asked else None,
        "started": told.started,
        "warm_up": told.warm_up,
    }
    before = Tally(key="3 some", latest=told.latest, value=told.value, error=told.error)
    one = WatchedTrigger(key="3 some", trigger=trigger)
    verdict = thresholds.look(
        one,
        before,
        told.points,
        since=told.since,
        now=told.now,
        not_before=told.not_before,
        **known,
    ).failing
    if verdict is None and told.covers_from:
        verdict = thresholds.conclude_metric(
            one,
            before,
            told.points,
            since=told.since,
            covers_from=told.covers_from,
            until=told.now,
            **known,
        )
    if verdict:
        told = told.model_copy(update={"asked": noted.asked})
        same_again(trigger, verdict, records.record_of(told))


def test_the_evidence_that_a_threshold_asked_for_is_in_its_record() -> None:
    series = tuple(Point(start=at(60 * n), value=0.4 if n < 5 else 0.0) for n in range(10))
    noted = records.Noted(lambda _: 2.9)
    one = WatchedTrigger(key="3 some", trigger=error_rate())
    told = recorded.OfThreshold(points=series, since=T0, now=at(600), covers_from=T0)
    verdict = thresholds.conclude_metric(
        one, tally(), series, since=T0, covers_from=T0, until=at(600), evidence=noted
    )
    assert "evidence that the release made it worse is only 2.9 to 1" in verdict.reason
    told = told.model_copy(update={"asked": noted.asked})
    same_again(one.trigger, verdict, records.record_of(told))


# --- Regression --------------------------------------------------------------------------------

BASELINE = Baseline(
    text="the 1h before the release",
    errors=Normal(requests=48120, bad=192, dispersion=1.37),
    slow=(
        SlowNormal(name="slow", usual=100, limit=122, normal=Normal(requests=48120, bad=12030)),
        SlowNormal(name="slower", usual=300, limit=367, normal=Normal(requests=48120, bad=2406)),
    ),
    buckets=360,
)


def samples(rng: random.Random, count: int, bad: float, period: float = 10) -> list[Sample]:
    found = []
    for n in range(count):
        if rng.random() < 0.05:
            continue
        requests = float(rng.randint(0, 200))
        errors = float(sum(rng.random() < bad for _ in range(int(requests))))
        timed = None if rng.random() < 0.1 or not requests else requests
        slow = (requests * 0.2, float(rng.randint(0, 9))) if timed else None
        beside = (
            (Side(requests / 3, errors / 3), Side(requests, 1.0, requests, (1.0, 2.5)))
            if rng.random() < 0.2
            else None
        )
        share = rng.random() if rng.random() < 0.1 else 1.0
        moment = SECONDS + n * period
        found.append(Sample(moment, requests, errors, timed, slow, beside=beside, share=share))
    return found


def regression_record(
    trigger: RegressionTrigger, fed: list[Sample], period: float, window: timedelta, until: float
) -> tuple[Verdict, str]:
    """What the trigger says of some samples, with its record."""
    told = recorded.OfRegression(
        baseline=BASELINE,
        since=SECONDS,
        started=(SECONDS, SECONDS + 31.25),
        period=period,
        window=window,
        until=until,
    )
    followed = Followed(
        trigger,
        told.baseline,
        since=told.since,
        started=told.started,
        period=period,
        window=window,
    )
    columns = recorded.kept_samples()
    for sample in fed:
        followed.feed(sample)
        columns.add(recorded.flat(sample))
    verdict = regression_verdict(trigger, followed.regression, until=until)
    return verdict, records.record_of(told, columns)


@given(some.integers(0, 10**6), some.sampled_from([0.0, 0.004, 0.05, 0.4]), some.booleans())
def test_samples_are_what_they_were(seed: int, bad: float, dry: bool) -> None:
    fed = samples(random.Random(seed), 20, bad)
    columns = recorded.kept_samples()
    for one in fed if dry else fed[:1]:
        columns.add(recorded.flat(one))
    written = unpack(pack(columns.as_json()))
    assert recorded.samples_again(written) == (fed if dry else fed[:1])


@given(some.integers(0, 10**6), some.sampled_from([0.0, 0.004, 0.05, 0.4]), some.booleans())
def test_regressions(seed: int, bad: float, dry: bool) -> None:
    trigger = RegressionTrigger(dry_run=dry, message="Worse")
    rng = random.Random(seed)
    fed = samples(rng, rng.randint(0, 60), bad)
    verdict, record = regression_record(
        trigger, fed, 10, timedelta(minutes=10), SECONDS + 10 * len(fed) + 0.123456
    )
    same_again(trigger, verdict, record)


def test_a_dry_run_over_what_it_would_have_done() -> None:
    trigger = RegressionTrigger(dry_run=True)
    fed = samples(random.Random(1), 60, 0.5)
    verdict, record = regression_record(trigger, fed, 10, timedelta(minutes=10), SECONDS + 600)
    assert verdict.status is Status.FAIL
    would = kept(would_have(said_by(trigger, verdict)), record)
    assert records.judge_again(trigger, would) == would


@pytest.mark.parametrize(
    ("count", "period", "most"), [(60, 10, 3_000), (3600, 1, 40_000)], ids=["10 s", "1 s"]
)
def test_records_are_small(count: int, period: float, most: int) -> None:
    rng = random.Random(7)
    fed = [
        Sample(
            SECONDS + n * period,
            float(requests := rng.randint(30, 170)),
            float(rng.random() < 0.2),
            float(requests),
            (float(rng.randint(5, 30)), float(rng.randint(0, 6)), float(rng.randint(0, 2))),
        )
        for n in range(count)
    ]
    trigger = RegressionTrigger()
    lasts = timedelta(seconds=count * period)
    _, record = regression_record(trigger, fed, period, lasts, SECONDS + count * period)
    assert len(record) < most


# --- Bands -------------------------------------------------------------------------------------


@pytest.mark.parametrize("leaves", [False, True])
@pytest.mark.parametrize("corroborated", [False, True])
@given(seed=some.integers(0, 10**6))
def test_bands(seed: int, leaves: bool, corroborated: bool) -> None:
    rng = random.Random(seed)
    trigger = BandTrigger(direction="both")
    kinds: tuple[band.Kind, ...] = ("error-rate", "response-time")
    before = {
        kind: [Gauge(n * 60.0, rng.gauss(100, 5), 100.0) for n in range(rng.choice([3, 60]))]
        for kind in kinds
    }
    facts = tuple(band.facts_of(trigger, kind, before[kind], 60.0) for kind in kinds)
    evidence = records.Noted((lambda moment: moment.minute % 5 / 3) if corroborated else None)
    warm = ((SECONDS, SECONDS + 120.0),)
    followed = [
        band.Followed(trigger, one, warm, evidence if corroborated else None) for one in facts
    ]
    series = [recorded.kept_gauges() for _ in kinds]
    for one, columns in zip(followed, series, strict=True):
        for n in range(rng.randint(0, 20)):
            mean = 180 if leaves and n > 5 else 100
            requests = rng.choice([None, 50.0, 50.0, 5.0])
            point = Gauge(SECONDS + 60 * n, rng.gauss(mean, 5), requests)
            one.feed(point)
            columns.add(point)
    until = SECONDS + 60 * 20
    verdict = band.verdict(trigger, followed, until=until, ever=False)
    told = recorded.OfBand(facts=facts, warm=warm, asked=evidence.asked, until=until)
    same_again(trigger, verdict, records.record_of(told, *series))


# --- What is polled ----------------------------------------------------------------------------


ANSWERS = some.lists(some.lists(some.booleans(), max_size=9), max_size=3)


@given(ANSWERS, some.integers(0, 40), some.sampled_from([1, 3, 30]))
def test_health_checks(mixed: list[list[bool]], failed: int, threshold: int) -> None:
    check_health([*(one for some_of in mixed for one in some_of), *[False] * failed], threshold)


def check_health(answers: list[bool], threshold: int) -> None:
    trigger = HealthCheckTrigger(threshold=threshold, message="Down")
    seen = Tally(key="3 some")
    for n, ok in enumerate(answers):
        answer = ProbeAnswer(ok=ok, text=f"GET / answered {n}", milliseconds=1)
        seen = look_at_health(watched(trigger), seen, answer, at(n))
        if seen.failing:
            told = recorded.OfHealth(checks=seen.recent, before=seen.streak - len(seen.recent))
            same_again(trigger, seen.failing, records.record_of(told))
    assert len(seen.recent) <= 20


@given(
    some.sampled_from(["OK", "ALARM", "INSUFFICIENT_DATA"]),
    some.lists(some.sampled_from(["OK", "ALARM"]), max_size=4),
    some.booleans(),
    some.booleans(),
)
def test_alarms(state: Any, between: list[str], muted: bool, seen_ok: bool) -> None:
    trigger = AlarmTrigger(alarm="a", missing_data="breaching")
    now = AlarmState(name="a", state=state, since=at(3), reason="Threshold crossed")
    changes = tuple(
        AlarmChange(at=at(n), old="INSUFFICIENT_DATA", new=one, by_hand=True)
        for n, one in enumerate(between)
    )
    one = WatchedTrigger(key="3 some", trigger=trigger, muted_until_ok=muted)
    seen = look_at_alarm(one, Tally(key="3 some", seen_ok=seen_ok), now, at(9), changes)
    if seen.failing:
        told = recorded.OfAlarm(state=now, changes=changes, muted=muted, seen_ok=seen_ok, now=at(9))
        same_again(trigger, seen.failing, records.record_of(told))


def test_an_alarm_that_was_red_before_counts_once_it_was_ok() -> None:
    trigger = AlarmTrigger(alarm="a")
    now = AlarmState(name="a", state="OK", since=at(5))
    changes = tuple(
        AlarmChange(at=at(n), old=old, new=new, reason=f"change {n}")
        for n, (old, new) in enumerate([("ALARM", "ALARM"), ("ALARM", "OK"), ("OK", "ALARM")])
    )
    one = WatchedTrigger(key="3 some", trigger=trigger, muted_until_ok=True)
    seen = look_at_alarm(one, Tally(key="3 some"), now, at(9), changes)
    assert seen.failing
    assert "change 2" in seen.failing.reason
    told = recorded.OfAlarm(state=now, changes=changes, muted=True, now=at(9))
    same_again(trigger, seen.failing, records.record_of(told))


@given(some.lists(some.integers(0, 9), min_size=4, max_size=4), some.floats(0, 20))
def test_counts(numbers: list[int], expected: float) -> None:
    trigger = HealthCheckTrigger(error_limit=3, dry_run=True)
    names = ("healthy", "unhealthy", "no_data", "error")
    counts = dict(zip(names, numbers, strict=True))
    verdict = conclude(tally(latest="x", **counts), trigger, expected, at(60))
    told = recorded.OfCounts(latest="x", **counts, expected=expected, at=at(60))
    same_again(trigger, verdict, records.record_of(told))


# --- Columns, and what cannot be judged --------------------------------------------------------

ROWS = some.lists(some.tuples(some.integers(0, 10**10).map(float), COUNT, COUNT), max_size=30)


@given(ROWS)
def test_rows_are_what_they_were(rows: list[tuple[float, float | None, float | None]]) -> None:
    columns = Columns(("at", "one", "other"))
    for row in rows:
        columns.add(row)
    written = unpack(pack(columns.as_json()))
    assert list(rows_of(written, ("at", "one", "other"))) == rows


def test_what_is_decided_otherwise_today_is_told() -> None:
    trigger = HealthCheckTrigger(threshold=3)
    seen = Tally(key="3 some")
    for n in range(3):
        answer = ProbeAnswer(ok=False, text="no answer", milliseconds=1)
        seen = look_at_health(watched(trigger), seen, answer, at(n))
    assert seen.failing
    told = kept(seen.failing, records.record_of(recorded.OfHealth(checks=seen.recent)))
    assert records.same(records.judge_again(trigger, told), told)
    stricter = records.judge_again(HealthCheckTrigger(threshold=4), told)
    assert (stricter.status, stricter.reason) == (Status.PASS, "health-check would not fire.")
    assert not records.same(stricter, told)


def test_a_record_that_is_too_long_or_not_whole_says_so() -> None:
    one = Verdict(trigger="regression", status=Status.PASS, reason="fine", at=T0)
    assert records.why_not(one) == "it has no record"
    assert "no record" in (records.why_not(kept(one, "nonsense")) or "")
    told = recorded.OfBand(facts=(), until=SECONDS)
    few = Columns(("at", "value", "requests"), most=2)
    for n in range(3):
        few.add((float(n), 1.0, None))
    assert records.why_not(kept(one, records.record_of(told, few))) == (
        "its record is not whole: only the first of 3 rows were kept"
    )
    rng = random.Random(0)
    many = Columns(("at", "value", "requests"))
    for n in range(16_000):
        many.add((n + rng.random(), rng.random(), rng.random()))
    assert "characters long" in (records.why_not(kept(one, records.record_of(told, many))) or "")
    with pytest.raises(ValueError, match="no record"):
        records.judge_again(RegressionTrigger(), one)


def test_without_a_record_a_verdict_is_written_as_it_always_was() -> None:
    one = Verdict(trigger="alarm", status=Status.PASS, reason="fine", at=T0)
    assert "record" not in one.model_dump_json()
    assert "record" not in one.model_dump(mode="json")
    recorded_one = kept(one, "x")
    assert Verdict.model_validate(recorded_one.model_dump()) == recorded_one
    assert recorded_one.bare == one.model_copy(update={"key": "3 some"})


def test_heartbeats_and_reports_stay_small() -> None:
    long = "x" * 9000
    verdict = Verdict(trigger="band", status=Status.FAIL, reason="bad", at=T0, record=long)
    seen = tally(failing=verdict, conclusion=verdict, would=verdict)
    assert len(records.light(seen).model_dump_json()) < 1500
    brief = seen.model_copy(update={"would": verdict.model_copy(update={"record": "x" * 100})})
    assert records.light(brief).would == brief.would, "a short one survives a crash"
    bare = records.bare(seen)
    assert (bare.failing, bare.conclusion, bare.would) == (verdict.bare, verdict.bare, verdict)
