"""The windows are what they say they are, others' rules are theirs, and the sums are right.

What the rules find is nobody's promise.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from benchmarks.detection import files, lots
from benchmarks.detection.__main__ import main
from benchmarks.detection.alarms import cloudwatch, in_alarm
from benchmarks.detection.information import divergence
from benchmarks.detection.judging import Judged
from benchmarks.detection.latencies import BOUNDS, Latency
from benchmarks.detection.mannwhitney import p_value, shift, u_of
from benchmarks.detection.ours import lastgood
from benchmarks.detection.peers import (
    PEERS,
    anomaly_band,
    argo,
    flagger,
    kayenta,
    pipecd,
    plain_thresholds,
)
from benchmarks.detection.scenarios import ALL, CLASSES, scenario, scenarios
from benchmarks.detection.scoring import Score, wilson
from benchmarks.detection.series import Views, percentile
from benchmarks.detection.tables import as_markdown, tables
from benchmarks.detection.windows import DEPLOYED_AT, Bucket, Truth, Window, generate

HARMLESS = Truth("keep.clean.0000", "keep", "clean", None, "", 1.0, False, 0.0, None)
BAD = Truth("rollback.x.0000", "rollback", "error-step", DEPLOYED_AT, "+5pp", 1.0, True, 20.0, 30.0)
DAMAGE = ("error-step", "latency", "outage")


def errors_of(buckets) -> float:
    return sum(one.errors for one in buckets) / sum(one.requests for one in buckets)


def latency_of(buckets) -> float:
    spent = sum(one.requests * (one.latency_avg or 0) for one in buckets)
    return spent / sum(one.requests for one in buckets)


def steady(minutes: dict[int, tuple[int, float]] | None = None, requests: int = 600) -> Window:
    """100 ms and one error in a hundred; but for minutes after the deployment: errors, latency."""
    buckets = []
    for minute in range(-60, 20):
        errors, latency = (minutes or {}).get(minute, (requests // 100, 100.0))
        at_most = tuple(requests if bound >= latency else 0 for bound in BOUNDS)
        for second in range(0, 60, 10):
            at = DEPLOYED_AT + 60 * minute + second
            buckets.append(Bucket(at, requests, errors, latency, at_most, 1, 0))
    return Window(HARMLESS, 10, tuple(buckets))


def seconds(decided: dict[str, int | None]) -> dict[str, int | None]:
    return {name: None if at is None else at - DEPLOYED_AT for name, at in decided.items()}


def test_as_many_of_each_class_as_said():
    counts = Counter(one.verdict for one in scenarios(1))
    assert counts == {"keep": 1000, "tolerate": 60, "rollback": 1000}
    assert counts.total() == ALL
    some = Counter((one.verdict, one.kind) for one in scenarios(1, 206))
    assert some == {key: round(count / 10) for key, (count, _) in CLASSES.items()}
    assert sum(1 for one in scenarios(1) if one.fault.size == "+0.5pp") == 38


def test_the_same_seed_is_the_same_window_also_in_a_smaller_set():
    one = scenario(7, "rollback", "error-step", 5)
    assert generate(7, one) == generate(7, one)
    assert one in list(scenarios(7, 206))
    assert scenario(8, "rollback", "error-step", 5) != one


def test_three_of_five_faults_are_there_at_once_the_others_within_ten_minutes():
    begins = [one.fault.start for one in scenarios(3) if one.verdict == "rollback"]
    at_once = sum(begin == 0 for begin in begins)
    assert 550 < at_once < 650
    assert {begin for begin in begins if begin} <= set(range(60, 601))


@pytest.mark.parametrize("resolution", [1, 10, 60])
def test_a_fault_shows_after_its_start_and_not_before(resolution):
    one = replace(scenario(7, "rollback", "error-step", 5), rate=20.0, errors=0.01)
    assert one.fault.size == "+20pp"
    one = replace(one, fault=replace(one.fault, spans=((120, 10**5),)))
    window = generate(7, one, resolution)
    fault_at = window.truth.fault_at
    assert fault_at == DEPLOYED_AT + 120
    before = [bucket for bucket in window.release if bucket.time < fault_at]
    after = [bucket for bucket in window.release if bucket.time >= fault_at]
    assert errors_of(window.baseline) == pytest.approx(0.01, abs=0.005)
    assert errors_of(before) == pytest.approx(0.01, abs=0.01)
    assert errors_of(after) == pytest.approx(0.21, abs=0.02)


def test_a_slow_release_is_as_much_slower_as_it_says():
    one = replace(
        scenario(7, "rollback", "latency", 3),
        rate=50.0,
        latency=Latency(100.0, 0.5, 0.0, 2.0),
        latency_drift=0.0,
        load_coupling=0.0,
    )
    assert one.fault.size == "x3"
    window = generate(7, replace(one, fault=replace(one.fault, spans=((0, 10**5),))))
    assert latency_of(window.baseline) == pytest.approx(100 * math.exp(0.125), rel=0.02)
    assert latency_of(window.release) / latency_of(window.baseline) == pytest.approx(3, rel=0.02)
    assert sum(one.at_most[BOUNDS.index(100)] for one in window.baseline) == pytest.approx(
        0.5 * sum(one.requests for one in window.baseline), rel=0.02
    )


def test_other_resolutions_are_sums_of_the_same_requests():
    one = scenario(7, "rollback", "ramp", 1)
    fine, coarse = generate(7, one, 10), generate(7, one, 60)
    assert fine.resampled(60) == coarse
    assert len(fine.buckets) == 480
    assert len(coarse.buckets) == 80
    with pytest.raises(ValueError, match="no multiple"):
        coarse.resampled(10)


def test_lost_minutes_are_missing_and_an_outage_fails_its_probes():
    gaps = generate(7, scenario(7, "keep", "gaps", 0))
    assert 480 * 0.4 < len(gaps.buckets) < 480
    outage = generate(7, scenario(7, "rollback", "outage", 0))
    late = [one for one in outage.release if one.time >= outage.truth.fault_at]
    assert sum(one.probes_failed for one in late) > 0.8 * len(late)
    assert sum(one.probes_failed for one in outage.baseline) < 10


def test_draws_have_their_means_and_spreads():
    rng = Random(1)
    for n, p in ((5, 0.3), (40, 0.1), (1000, 0.4), (1000, 0.9)):
        drawn = [lots.binomial(rng, n, p) for _ in range(4000)]
        mean = sum(drawn) / len(drawn)
        spread = sum((one - mean) ** 2 for one in drawn) / len(drawn)
        assert mean == pytest.approx(n * p, rel=0.05)
        assert spread == pytest.approx(n * p * (1 - p), rel=0.1)
    cells = lots.Cells.of([0.2, 0.0, 0.5, 0.3])
    counts = lots.multinomial(rng, 100_000, cells)
    assert sum(counts) == 100_000
    assert counts == pytest.approx([20_000, 0, 50_000, 30_000], rel=0.05)
    assert sum(lots.poisson(rng, 3.0) for _ in range(4000)) == pytest.approx(12_000, rel=0.05)


def test_windows_are_written_and_read_again(tmp_path):
    written = [generate(7, scenario(7, "keep", kind, 0)) for kind in ("gaps", "low-traffic")]
    for window in written:
        line = json.loads(json.dumps(files.write(window, tmp_path)))
        assert (line["class"], line["deployed_at"]) == (window.truth.kind, DEPLOYED_AT)
        assert files.read(tmp_path / line["file"], line) == window
    header, *lines = (tmp_path / "keep.low-traffic.0000.csv").read_text().splitlines()
    assert header.startswith("time,requests,errors,latency_avg,le_10,")
    assert header.endswith(",le_10000,probes,probes_failed")
    assert lines[0].startswith(f"{DEPLOYED_AT - 3600},")
    quiet = [line for line in lines if line.split(",")[1] == "0"]
    assert quiet
    assert all(",0,0,,0,0," in line for line in quiet)


def test_the_command_writes_windows_and_judges_them(tmp_path, capsys):
    few = ["--count", "1", "--processes", "1"]
    assert main(["windows", "--out", str(tmp_path), "--resolution", "10", *few]) == 0
    assert len(list(files.truths(tmp_path))) == len(CLASSES) == len(list(tmp_path.glob("*.csv")))
    capsys.readouterr()
    assert main(["run", "--windows", str(tmp_path), "--processes", "1"]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"{len(CLASSES)} windows, read from files.")
    assert "| Argo Rollouts |" in told


def test_mann_whitney_is_as_published():
    males, females = [19, 22, 16, 29, 24], [20, 11, 17, 12]  # scipy's documentation
    assert u_of(males, females) == 17
    assert p_value(males, females) == pytest.approx(0.11134688653, abs=1e-9)
    x = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]  # R's
    y = [1.15, 0.88, 0.90, 0.74, 1.21]
    assert u_of(x, y) == 35
    assert p_value(x, y, greater=True) == pytest.approx(0.1223, abs=1e-4)
    assert u_of([1, 2, 2], [2, 3]) == 1
    assert p_value([1, 1], [1, 1, 1]) == 1


def test_the_shifts_interval_is_the_root_that_r_looks_for():
    rng = Random(5)

    def staircase(x, y, by, z):
        moved = [one - by for one in x]
        n, m, off = len(x), len(y), u_of(moved, y) - len(x) * len(y) / 2
        ties = sum(t**3 - t for t in Counter([*moved, *y]).values())
        sigma = math.sqrt(n * m / 12 * (n + m + 1 - ties / ((n + m) * (n + m - 1))))
        return (off - math.copysign(0.5, off) * (off != 0)) / sigma - z

    for _ in range(20):
        x = [rng.randint(0, 30) / 10 for _ in range(rng.randint(6, 20))]
        y = [rng.randint(0, 20) / 10 for _ in range(60)]
        found = shift(x, y, 0.98)
        assert staircase(x, y, found.low - 1e-6, 2.3263478740) >= 0
        assert staircase(x, y, found.low + 1e-6, 2.3263478740) < 0
        assert staircase(x, y, found.estimate - 0.11, 0) >= 0
        assert staircase(x, y, found.estimate + 0.11, 0) <= 0
    assert shift([1.0, 1.0], [0.0] * 9, 0.98) is None


@pytest.mark.parametrize(
    ("points", "three_of_three", "two_of_three"),
    [  # oldest first; the tables of CloudWatch's documentation
        ("0-X-X", False, True),
        ("0----", False, False),
        ("-----", False, False),
        ("0XX-X", True, True),
        ("----X", False, False),
        ("X----", True, True),
        ("00X0X", False, True),
        ("0-X--", False, False),
        ("----0", False, False),
    ],
)
def test_alarms_treat_missing_data_as_documented(points, three_of_three, two_of_three):
    ages = {age: kind == "X" for age, kind in enumerate(reversed(points), 1) if kind != "-"}
    assert in_alarm(ages, 3, 3) == three_of_three
    assert in_alarm(ages, 2, 3) == two_of_three


def test_alarms_need_so_many_datapoints_and_ecs_ignores_those_already_in_alarm():
    bad = dict.fromkeys(range(4, 20), (60, 100.0))
    found = seconds(cloudwatch(Views(steady(bad))))
    assert list(found.values()) == [300, 300, 420, 270]
    before = dict.fromkeys(range(-60, 20), (60, 100.0))
    assert list(seconds(cloudwatch(Views(steady(before)))).values())[:2] == [60, None]


def test_nobody_rolls_back_a_steady_service():
    views = Views(steady(requests=1000))
    found = {name: at for judge in PEERS for name, at in judge(views).items()}
    assert found == dict.fromkeys(found)


def test_the_rules_count_as_theirs_do():
    wrong = dict.fromkeys(range(2, 20), (60, 100.0))
    views = Views(steady(wrong))
    assert seconds(plain_thresholds(views)) == {
        "plain thresholds @60": 180,
        "plain thresholds @10": 150,
    }
    # At 180 the last five minutes had 2.8 %, at 240 4.6 %, at 300 6.4 %: that and three more.
    assert seconds(argo(views)) == {"Argo Rollouts": 480}
    assert seconds(flagger(views)) == {"Flagger": 420}
    assert seconds(pipecd(views)) == {"PipeCD PREVIOUS": 300}
    band = seconds(anomaly_band(views))
    assert set(band.values()) == {300}
    found = seconds(kayenta(views))
    assert found["Kayenta at the end"] == 1200
    assert found["Kayenta each minute, x2"] == 360


def test_argo_and_flagger_take_no_data_for_a_failure():
    gone = steady()
    gone = Window(HARMLESS, 10, gone.baseline)
    assert seconds(argo(Views(gone))) == {"Argo Rollouts": 340}
    assert seconds(flagger(Views(gone))) == {"Flagger": 300}
    assert seconds(pipecd(Views(gone))) == {"PipeCD PREVIOUS": 300}


def test_percentiles_are_read_from_the_histogram():
    at_most = tuple(0 if bound < 100 else 50 if bound < 120 else 100 for bound in BOUNDS)
    one = Bucket(0, 100, 0, 100.0, at_most, 0, 0)
    assert percentile(one, 0.75) == 110
    assert percentile(one._replace(requests=0), 0.75) is None


def test_ours_are_the_decisions_of_production():
    good = seconds(lastgood(Views(steady())))
    assert set(good.values()) == {None}
    outage = next(one for one in scenarios(7) if one.name.startswith("rollback.outage"))
    window = generate(7, outage, 10)
    found = lastgood(Views(window))
    assert found["Lastgood @10"], window.truth
    assert found["Lastgood @10"] >= window.truth.fault_at
    alone = [found[f"Lastgood {name} alone @10"] for name in ("regression", "health-check")]
    assert any(alone)


def test_scores_are_counted_right():
    late = replace(BAD, fault_at=DEPLOYED_AT + 300)
    decided = [
        *((HARMLESS, at) for at in (None, None, None, DEPLOYED_AT + 60)),
        *((BAD, DEPLOYED_AT + delay) for delay in (60, 120, 180)),
        *((late, at) for at in (DEPLOYED_AT + 60, None)),
        (replace(BAD, above_minimum=False), DEPLOYED_AT + 60),
        (replace(HARMLESS, verdict="tolerate"), DEPLOYED_AT + 60),
    ]
    judged = [Judged(truth, {"rule": at}) for truth, at in decided]
    score = Score.of(judged, "rule")
    assert score.false_rollbacks == 25
    assert score.detections == 60
    assert (score.middle, score.p95, score.early) == (120, 174, 1)
    assert score.to_limit == 4
    assert score.f1 == pytest.approx(2 * 3 / (2 * 3 + 1 + 2))
    assert (score.not_tolerated, score.tolerable) == (1, 1)
    for table in tables(judged):
        assert len({len(row) for row in (table.columns, *table.rows)}) == 1
        assert as_markdown(table).count("\n") == 3 + len(table.rows)
    (row,) = tables(judged)[0].rows
    assert row == ("rule", "25.0", "4.6-69.9", "60.0", "120", "174", "4.0", "100", "20.0", "0.67")


def test_wilsons_interval():
    assert wilson(10, 1000) == pytest.approx((0.0054, 0.0183), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_what_a_request_tells():
    assert divergence([0.051, 0.949], [0.001, 0.999]) == pytest.approx(0.1517957722)
    assert divergence([0.5, 0.5], [0.02, 0.98]) == pytest.approx(1.2729656758)
    window = generate(7, replace(scenario(7, "rollback", "outage", 0), rate=10.0))
    assert window.truth.information > 100
    assert window.truth.limit_s <= 10
