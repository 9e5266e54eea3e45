"""What the regression trigger says: its shape, its numbers, and that it reads well."""

import math
import re
from datetime import UTC, datetime, timedelta

import pytest

from lastgood.decisions.regression import Regression
from lastgood.decisions.regression_verdicts import Followed, latest, verdict
from lastgood.decisions.regression_words import in_words
from lastgood.decisions.samples import Baseline, Normal, Sample, SlowNormal
from lastgood.model import Reading, Status
from lastgood.policy_triggers import RegressionTrigger
from tests.decisions.made import T0
from tests.decisions.recorded import COUNTS, DEPLOYED, Stretch, judged, recorded

HOUR = "the hour before the release"
SENTENCE = re.compile(
    r"5xx (?P<was>[\d.]+) % before \((?P<n>[\d,]+) requests\), (?P<now>[\d.]+) % since "
    r"(?P<since>\d\d:\d\d:\d\d) UTC \((?P<k>[\d,]+) requests\): "
    r"at least (?P<rise>[\d.]+) points? worse, chance of a false alarm below 1 in (?P<in>[\d,]+)"
)


def number(text: str) -> float:
    return float(text.replace(",", ""))


def upper(bad: float, requests: float, miss: float) -> float:
    """Clopper and Pearson's, by summing the binomial in place of an incomplete Beta function."""
    low, high = 0.0, 1.0
    for _ in range(50):
        rate = (low + high) / 2
        below = math.fsum(
            math.exp(
                math.lgamma(requests + 1)
                - math.lgamma(k + 1)
                - math.lgamma(requests - k + 1)
                + k * math.log(rate)
                + (requests - k) * math.log1p(-rate)
            )
            for k in range(round(bad) + 1)
        )
        low, high = (rate, high) if below > miss else (low, rate)
    return high


@pytest.mark.parametrize("rate", [0.02, 0.05, 0.3, 1.0])
def test_the_sentence_and_its_numbers(rate):
    recording = recorded(Stretch(400), Stretch(800, rate), columns=COUNTS)
    said = judged(recording, RegressionTrigger())
    found = SENTENCE.fullmatch(said.reason)
    assert found, said.reason
    before = recording.between(DEPLOYED - 3600, DEPLOYED)
    since = datetime.strptime(found["since"], "%H:%M:%S").replace(
        year=T0.year, month=T0.month, day=T0.day, tzinfo=UTC
    )
    assert said.at is not None
    after = recording.between(since.timestamp(), said.at.timestamp())
    n, k = (sum(getattr(row, name) for row in before) for name in ("requests", "errors"))
    m, j = (sum(getattr(row, name) for row in after) for name in ("requests", "errors"))
    assert (number(found["n"]), number(found["k"])) == (n, m)
    assert number(found["was"]) == pytest.approx(100 * k / n, rel=0.05)
    assert number(found["now"]) == pytest.approx(100 * j / m, abs=0.06)
    certain = 100 * (1 - upper(m - j, m, 0.001) - upper(k, n, 0.01)) if j < m else None
    if certain is not None:
        assert number(found["rise"]) == pytest.approx(certain - 0.05, abs=0.051)
        assert number(found["rise"]) <= certain
    assert number(found["in"]) == 100
    assert since >= T0 + timedelta(seconds=350), "it is the run that is told, not the window"


def regression(bad=5.0, requests=1000.0, *, fed=(), errors=True, **keys) -> Regression:
    """A release of which some buckets of ten seconds are known."""
    baseline = Baseline(
        text=HOUR,
        errors=Normal(requests=requests, bad=bad) if errors else None,
        **{key: keys.pop(key) for key in ("slow", "probes", "written") if key in keys},
    )
    trigger = RegressionTrigger.model_validate(keys)
    found = Regression(trigger, baseline, since=DEPLOYED, period=10, window=1200)
    for at, one in enumerate(fed):
        found.feed(one._replace(at=DEPLOYED + 10 * at))
    return found


def counted(requests: float, errors: float) -> Sample:
    return Sample(0.0, requests, errors)


@pytest.mark.parametrize(
    ("bad", "requests", "words"),
    [
        (0, 1000, "0 % before"),
        (4, 10_000, "0.04 % before"),
        (5, 1000, "0.5 % before"),
        (94, 10_000, "0.94 % before"),
        (99.6, 10_000, "1.0 % before"),
        (125, 1000, "12.5 % before"),
        (1, 10_000_000, "under 0.0001 % before"),
        (1, 1_000_000, "0.0001 % before"),
        (123, 1_000_000, "0.012 % before"),
    ],
)
def test_rates_as_people_write_them(bad, requests, words):
    said = latest(regression(bad, requests, fed=[counted(100, 1)]))
    assert words in said
    assert f"({requests:,} requests)" in said


@pytest.mark.parametrize(
    ("errors", "words"), [(1, "100 % since"), (0, "0 % since"), (0.99999, "99.9 % since")]
)
def test_all_and_nothing_are_round_and_nothing_else_is(errors, words):
    assert words in latest(regression(fed=[counted(100_000, 100_000 * errors)]))


def test_one_request_is_one_request():
    assert "100 % since 12:00:00 UTC (1 request);" in latest(regression(fed=[counted(1, 1)]))
    probes = regression(probes=Normal(requests=360, bad=0), errors=False)
    probes.feed(Sample(DEPLOYED, probes=1.0, failed=1.0))
    assert "failed probes 0 % before (360 probes), 100 % since 12:00:00 UTC (1 probe)" in latest(
        probes
    )


def test_what_a_person_wrote_down_was_not_counted():
    said = latest(regression(5000, 1_000_000, fed=[counted(100, 1)], written=True))
    assert "5xx 0.5 % by the policy, 1.0 % since 12:00:00 UTC (100 requests)" in said
    assert "1,000,000" not in said


def test_slow_answers_name_both_limits():
    slow = (
        SlowNormal(
            name="slow", usual=150.4, limit=184.2, normal=Normal(requests=36_000, bad=9_000)
        ),
    )
    found = regression(errors=False, slow=slow)
    for number_ in range(9):
        found.feed(Sample(DEPLOYED + 10 * number_, 100, timed=100, slow=(70.0,)))
    (stream,) = found.streams
    assert in_words(stream, found).startswith(
        "answers over 150 ms 25.0 % before (36,000 requests), "
        "over 184 ms 70.0 % since 12:00:00 UTC (900 requests): at least 39.5 points worse, "
    )


@pytest.mark.parametrize(
    ("rise", "words"),
    [
        (0.0, "): worse, chance"),
        (0.0009, "): worse, chance"),
        (0.001, "): at least 0.1 points worse,"),
        (0.0099, "): at least 0.9 points worse,"),
        (0.01, "): at least 1 point worse,"),
        (0.0199, "): at least 1.9 points worse,"),
        (0.5, "): at least 50.0 points worse,"),
    ],
)
def test_never_more_is_claimed_than_is_certain(rise, words, monkeypatch):
    found = regression(fed=[counted(100, 50)] * 5)
    (stream,) = found.streams
    monkeypatch.setattr(type(stream), "certain_rise", rise)
    assert words in in_words(stream, found)


@pytest.mark.parametrize(
    ("false_alarm", "value", "words"),
    [
        (0.01, 120.0, "below 1 in 100"),
        (0.01, 999.0, "below 1 in 100"),
        (0.01, 1000.0, "below 1 in 1,000"),
        (0.01, 50.0, "below 1 in 100"),
        (0.05, 25.0, "below 1 in 20"),
        (0.03, 35.0, "below 1 in 33"),
        (0.01, 1e300, "below 1 in 1,000,000,000"),
    ],
)
def test_the_chance_is_the_one_asked_for_or_a_round_smaller_one(false_alarm, value, words):
    found = regression(false_alarm=false_alarm, fed=[counted(100, 50)] * 5)
    found.value = value
    assert in_words(found.streams[0], found).endswith(words)


def concluded(found: Regression, seconds: float = 1200):
    return verdict(RegressionTrigger(), found, until=DEPLOYED + seconds)


def test_no_worse_says_how_much_it_would_have_seen():
    said = concluded(regression(180, 36_000, fed=[counted(100, 0.5)] * 120))
    assert said.status is Status.PASS
    assert said.reason == (
        "no worse than the hour before the release, as far as chance allows: 5xx 0.5 % before "
        "(36,000 requests), 0.5 % since 12:00:00 UTC (12,000 requests); evidence 0.0 to 1 "
        "(100 to 1 decides); a rise by 0.7 points would have been seen"
    )
    (measured,) = said.evidence
    assert (measured.reading, measured.value) == (Reading.HEALTHY, 0.005)


def test_the_rise_that_would_have_been_seen_is_of_what_is_told():
    """Rare slow answers show a smaller rise than errors that are frequent anyway."""
    rare = SlowNormal(
        name="slowest", usual=400.0, limit=480.0, normal=Normal(requests=36_000, bad=18)
    )
    sample = Sample(0.0, 100, 8, timed=100, slow=(0.05,))
    found = regression(2880, 36_000, slow=(rare,), fed=[sample] * 120)
    alone = regression(2880, 36_000, fed=[counted(100, 8)] * 120)
    told = [
        re.search(r"a rise by ([\d.]+) points", concluded(one).reason) for one in (found, alone)
    ]
    assert told[0]
    assert told[1]
    assert float(told[0][1]) == pytest.approx(float(told[1][1]), abs=0.2)


def test_what_is_no_longer_measured_is_said():
    found = regression(180, 36_000, probes=Normal(requests=360, bad=0))
    for at in range(120):
        found.feed(Sample(DEPLOYED + 10 * at, probes=1.0))
    said = concluded(found)
    assert said.status is Status.INCONCLUSIVE, "health checks alone prove nothing of the requests"
    assert said.reason.startswith("regression saw requests in only 0% of the window")


def test_what_has_too_small_a_baseline_is_said():
    found = regression(180, 36_000, probes=Normal(requests=2, bad=0))
    for at in range(120):
        found.feed(Sample(DEPLOYED + 10 * at, 100, 0.5, probes=1.0))
    assert concluded(found).reason.endswith(
        "; not compared, as the hour before the release has too few: failed probes"
    )


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            regression(0, 3),
            "Nothing to compare with: too few requests in the hour before the release to know "
            "what is normal (5xx).",
        ),
        (
            regression(errors=False),
            "Nothing to compare with: no data in the hour before the release.",
        ),
        (
            regression(fed=[counted(100, 1)] * 59),
            "regression had data for only 49% of the window.",
        ),
        (
            regression(fed=[counted(3, 1)] + [counted(0, 0)] * 119),
            "regression saw requests in only 5% of the window: 3 requests in all.",
        ),
        (
            regression(fed=[counted(1, 0)] + [counted(0, 0)] * 119),
            "regression saw requests in only 5% of the window: 1 request in all.",
        ),
    ],
)
def test_what_is_missing_is_said(found, words):
    said = concluded(found)
    assert (said.status, said.reason) == (Status.INCONCLUSIVE, words)


def test_two_requests_are_too_few_even_if_there_was_one_each_minute():
    said = concluded(regression(fed=[counted(1, 0), *[counted(0, 0)] * 5] * 2), 120)
    assert said.status is Status.INCONCLUSIVE
    assert said.reason == (
        "Too few requests to tell: even half of them failing would not have been certain "
        "(2 requests in the window)."
    )


def test_the_policys_own_words_stand_first_when_it_fires():
    trigger = RegressionTrigger(message="Call the shop team")
    found = regression(fed=[counted(100, 50)] * 6)
    said = verdict(trigger, found, until=DEPLOYED + 60)
    assert said.reason.startswith("Call the shop team: 5xx 0.5 % before")
    assert said.message == "Call the shop team"


def test_what_it_said_when_it_fired_stays_its_word():
    followed = Followed(
        RegressionTrigger(),
        Baseline(text=HOUR, errors=Normal(requests=36_000, bad=180)),
        since=DEPLOYED,
        started=[],
        period=10,
        window=timedelta(minutes=20),
    )
    for at in range(120):
        followed.feed(Sample(DEPLOYED + 10 * at, 100, 30 if at < 10 else 0))
    assert followed.fired is not None
    assert followed.verdict(DEPLOYED + 1200) == followed.fired
    assert followed.fired.at < T0 + timedelta(seconds=100)


def test_the_evidence_of_the_newest_buckets_is_remembered_and_no_more():
    followed = Followed(
        RegressionTrigger(),
        Baseline(text=HOUR, errors=Normal(requests=36_000, bad=180)),
        since=DEPLOYED,
        started=[],
        period=10,
        window=timedelta(minutes=60),
        keep=20,
    )
    told = {}
    for at in range(200):
        followed.feed(Sample(DEPLOYED + 10 * at, 100, float(at % 2)))
        told[at] = followed.regression.value
        known = [
            n
            for n in range(at + 1)
            if followed.at(T0 + timedelta(seconds=10 * (n + 1))) is not None
        ]
        assert known == list(range(known[0], at + 1))
        assert min(20, at + 1) <= len(known) < 40
        assert followed.at(T0 + timedelta(seconds=10 * (at + 1))) == told[at]
        assert followed.at(T0 + timedelta(seconds=10 * known[0] + 10)) == told[known[0]]
    assert followed.at(T0) is None
    assert followed.at(T0 + timedelta(seconds=2005)) is None, "between two ends"
    assert followed.at(T0 + timedelta(hours=2)) is None
