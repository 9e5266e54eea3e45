"""Health checks and alarms."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lastgood.contracts import AlarmState, ProbeAnswer, Tally
from lastgood.decisions.health import look_at_alarm, look_at_health, look_failed
from lastgood.model import Reading, Status
from lastgood.policy_triggers import AlarmTrigger, HealthCheckTrigger
from tests.decisions.made import T0, at, tally, watched

ALARM = AlarmTrigger(alarm="too many errors")


def probe(ok: bool) -> ProbeAnswer:
    return ProbeAnswer(ok=ok, text="fine" if ok else "answered 500", milliseconds=1)


def checks(answers: str, *, threshold: int = 3, message: str | None = None) -> Tally:
    """Health checks in a row: ``.`` good, ``x`` failed, ``?`` could not be made."""
    trigger = watched(HealthCheckTrigger(url="http://x/", threshold=threshold, message=message))
    seen = tally()
    for n, answer in enumerate(answers):
        if answer == "?":
            seen = look_failed(seen, "leads to a metadata address", at(n))
        else:
            seen = look_at_health(trigger, seen, probe(answer == "."), at(n))
    return seen


@pytest.mark.parametrize(
    ("answers", "fires", "recovered"),
    [
        ("", False, False),
        ("xx", False, False),
        ("xxx", True, False),
        ("xxxx", True, False),
        ("xx.x", False, False),
        ("xx.xxx", True, False),
        ("xxx.", False, False),
        ("xxx..", False, False),
        ("xxx...", False, True),
        ("...", False, True),
        ("xx?x", False, False),  # what could not be asked is neither good nor bad
        ("..?.", False, False),
        ("???", False, False),
    ],
)
def test_health_checks(answers: str, fires: bool, recovered: bool) -> None:
    seen = checks(answers)
    assert (bool(seen.failing), seen.recovered) == (fires, recovered)


def test_a_failed_health_check_in_words() -> None:
    failing = checks("xxx", message="The shop is down").failing
    assert failing
    assert failing.reason == (
        "The shop is down: health-check failed 3 times in a row (threshold 3): answered 500"
    )
    assert (failing.status, failing.at, failing.value) == (Status.FAIL, at(2), 3)
    assert (failing.threshold, failing.message) == (3, "The shop is down")
    assert [one.text for one in failing.evidence] == ["answered 500"]


def test_a_verdict_carries_what_its_policy_says() -> None:
    trigger = HealthCheckTrigger(url="http://x/", threshold=1, dry_run=True, severity="warning")
    failing = look_at_health(watched(trigger), tally(), probe(False), T0).failing
    assert failing
    assert (failing.dry_run, failing.severity) == (True, "warning")
    assert failing.reason.startswith("dry run: health-check failed 1 times")


@given(some.text(".x?", max_size=30), some.integers(1, 5))
def test_it_fires_after_that_many_in_a_row_and_never_otherwise(
    answers: str, threshold: int
) -> None:
    seen = checks(answers, threshold=threshold)
    assert bool(seen.failing) == answers.endswith("x" * threshold)
    assert seen.recovered == answers.endswith("." * threshold)
    counts = (seen.healthy, seen.unhealthy, seen.error)
    assert counts == tuple(answers.count(one) for one in ".x?")
    if answers:
        assert seen.streak == len(answers) - len(answers.rstrip(answers[-1]))


def alarm(state: Any, *, muted: bool = False, before: Tally | None = None) -> Tally:
    said = (
        AlarmState(name=ALARM.alarm, state=state, since=at(-60), reason="5 > 1") if state else None
    )
    return look_at_alarm(watched(ALARM, muted=muted), before or tally(), said, T0)


@pytest.mark.parametrize(
    ("state", "reading", "fires", "recovered"),
    [
        ("OK", Reading.HEALTHY, False, True),
        ("ALARM", Reading.UNHEALTHY, True, False),
        ("INSUFFICIENT_DATA", Reading.NO_DATA, False, False),
        (None, Reading.ERROR, False, False),
    ],
)
def test_alarms(state: str | None, reading: Reading, fires: bool, recovered: bool) -> None:
    seen = alarm(state)
    assert (seen.reading, bool(seen.failing), seen.recovered) == (reading, fires, recovered)


def test_an_alarm_in_words() -> None:
    failing = alarm("ALARM").failing
    assert failing
    assert failing.reason == "alarm too many errors is ALARM: 5 > 1"
    assert failing.evidence[0].at == at(-60)
    assert alarm(None).latest == "alarm too many errors does not exist"


def test_an_alarm_red_before_the_release_counts_once_it_was_ok() -> None:
    seen = alarm("ALARM", muted=True)
    assert (seen.failing, seen.reading) == (None, Reading.NO_DATA)
    assert "ignored until OK" in seen.latest
    seen = alarm("INSUFFICIENT_DATA", muted=True, before=seen)
    assert alarm("ALARM", muted=True, before=seen).failing is None
    seen = alarm("OK", muted=True, before=seen)
    assert alarm("ALARM", muted=True, before=seen).failing


def silent(missing: str, before: Tally, *, muted: bool = False) -> Tally:
    trigger = AlarmTrigger.model_validate({"alarm": "hot", "missing_data": missing})
    state = AlarmState(name="hot", state="INSUFFICIENT_DATA")
    return look_at_alarm(watched(trigger, muted=muted), before, state, T0)


def test_ignored_silence_leaves_everything_as_it_was() -> None:
    for state, reading in (("OK", Reading.HEALTHY), ("ALARM", Reading.UNHEALTHY)):
        before = alarm(state)
        seen = silent("ignore", before)
        assert seen.reading is reading
        assert (seen.failing, seen.recovered) == (before.failing, before.recovered)
        assert f"it stays {reading.value}, as it was before" in seen.latest
    for nothing in (tally(), alarm(None), alarm("INSUFFICIENT_DATA")):
        assert silent("ignore", nothing).reading is Reading.NO_DATA


def test_silence_that_is_bad_is_muted_like_an_alarm_until_it_was_ok() -> None:
    assert silent("breaching", tally()).failing
    seen = silent("breaching", tally(), muted=True)
    assert (seen.failing, seen.reading) == (None, Reading.NO_DATA)
    assert silent("not_breaching", tally()).recovered


@pytest.mark.parametrize("missing", ["breaching", "not_breaching", "ignore", "inconclusive"])
def test_what_silence_means_changes_nothing_else(missing: str) -> None:
    trigger = AlarmTrigger.model_validate({"alarm": "hot", "missing_data": missing})
    for state, fires in (("OK", False), ("ALARM", True)):
        said = AlarmState.model_validate({"name": "hot", "state": state})
        assert bool(look_at_alarm(watched(trigger), tally(), said, T0).failing) is fires


@given(some.lists(some.sampled_from(["OK", "ALARM", "INSUFFICIENT_DATA", None])), some.booleans())
def test_only_alarm_fires_and_only_ok_is_good(states: list[str | None], muted: bool) -> None:
    seen = tally()
    for state in states:
        seen = alarm(state, muted=muted, before=seen)
    newest = states[-1] if states else None
    assert bool(seen.failing) == (newest == "ALARM" and (not muted or "OK" in states))
    assert seen.recovered == (newest == "OK")
    assert seen.healthy == states.count("OK")


def test_a_look_that_failed_confirms_nothing() -> None:
    good, bad = checks("..."), checks("xxx")
    assert not look_failed(good, "denied", T0).recovered
    seen = look_failed(bad, "denied", T0)
    assert (seen.failing, seen.reading, seen.latest) == (None, Reading.ERROR, "denied")


def test_only_their_own_triggers() -> None:
    with pytest.raises(TypeError, match="alarm is not a health check"):
        look_at_health(watched(ALARM), tally(), probe(True), T0)
    with pytest.raises(TypeError, match="health-check is not an alarm"):
        look_at_alarm(watched(HealthCheckTrigger()), tally(), None, T0)
