"""What a first policy watches, by what a running service tells of itself; and its file."""

from datetime import timedelta
from typing import Any

import pytest

from lastgood.cli.first_policy import Past, lines_of
from lastgood.decisions.first_policy import (
    Draft,
    Group,
    Seen,
    SeenAlarm,
    draft,
    enough,
    window_needed,
    with_numbers,
    young,
)
from lastgood.decisions.own_metrics import Found
from lastgood.decisions.recording import Recording, Row
from lastgood.decisions.suggesting import Proposal, Suggestion
from lastgood.decisions.usual import Usual
from lastgood.policy import Policy
from lastgood.policy_file import parse
from lastgood.policy_triggers import (
    AlarmTrigger,
    ErrorRateTrigger,
    Metric,
    RegressionTrigger,
    Trigger,
)

HTTP = "http://lb.example.com:80/health"


def group(name: str = "web", **keys: Any) -> Group:
    given = {"load_balancer": "lb", "container": "app", "health_url": HTTP, **keys}
    return Group(name=name, **given)


def seen(*groups: Group, **keys: Any) -> Seen:
    given = {"service": "shop/web", "region": "us-east-1", "container": "app", **keys}
    return Seen(groups=groups, **given)


def text_of(one: Seen, found: Draft | None = None, past: Past | str = "nobody asked") -> str:
    """The file, which must read back as what was decided."""
    found = found or draft(one)
    text = "\n".join(lines_of(one, found, past)) + "\n"
    assert parse(text) == found.policy
    return text


def sources(found: Draft) -> set[tuple[Any, Any]]:
    measured = (one for one in found.policy.triggers if hasattr(one, "target_group"))
    return {(one.load_balancer, one.target_group) for one in measured}


def test_one_target_group_is_not_named() -> None:
    one = seen(group())
    assert sources(draft(one)) == {(None, None)}
    assert f"# Asks {HTTP}" in text_of(one)


@pytest.mark.parametrize(
    ("counts", "named"), [((10.0, 900.0), "b"), ((900.0, 10.0), "a"), ((None, None), "a")]
)
def test_of_several_the_one_with_the_most_requests_is_named(counts: Any, named: str) -> None:
    first, second = counts
    one = seen(group("a", requests=first), group("b", requests=second))
    assert sources(draft(one)) == {("lb", named)}
    text_of(one)


def test_where_traffic_shifts_the_first_is_found_with_the_one_it_alternates_with() -> None:
    one = seen(group("a", requests=9.0), group("b", requests=1.0), shifts=True)
    assert sources(draft(one)) == {(None, None)}


def test_what_a_worker_would_not_find_by_itself_is_named() -> None:
    """The first target group that ECS lists is behind a network load balancer, say."""
    one = seen(group("a"), first=False)
    assert sources(draft(one)) == {("lb", "a")}
    assert f'url: "{HTTP}"' in text_of(one)


def test_a_health_check_that_cannot_be_asked_is_offered() -> None:
    one = seen(group(health_url=None))
    assert "health-check" not in [trigger.type for trigger in draft(one).policy.triggers]
    text = text_of(one)
    assert "# - type: health-check" in text
    taken = text.replace("  # - type: health-check", "  - type: health-check").replace(
        "  #   url: https://YOUR-HOST/health", "    url: https://example.com/health"
    )
    assert parse(taken).triggers[-1].type == "health-check"


def test_its_own_metrics_beside_a_load_balancer_are_offered() -> None:
    own = Metric(namespace="Shop", name="ErrorRate", dimensions={"My: dim": "web"}, unit="percent")
    text = text_of(seen(group(), metrics=Found({"rate": own}, ())))
    assert 'metric: {namespace: "Shop", name: "ErrorRate", dimensions: {"My: dim": "web"}' in text


def test_alarms_with_any_name_and_not_too_many() -> None:
    names = ["it's: #1", "010", "ü\U0001f600", '"quoted"', *(f"alarm {n}" for n in range(20))]
    one = seen(group(), alarms=[SeenAlarm(name=name) for name in names])
    found = [a.alarm for a in draft(one).policy.triggers if isinstance(a, AlarmTrigger)]
    assert found == names[:12]
    assert "left out, as too many: alarms alarm 8, alarm 9" in draft(one).remarks[0]
    text_of(one)
    odd = draft(seen(alarms=[SeenAlarm(name="two\nlines")]))
    assert "has a name that a policy cannot hold" in odd.remarks[0]


@pytest.mark.parametrize(
    ("slowest", "shift", "timeout"),
    [(None, 0, 5), (2, 0, 5), (4, 0, 10), (1, 30, 40), (40, 30, 80), (60 * 20, 0, 1440)],
)
def test_a_rollout_has_twice_as_long_as_the_slowest(slowest: Any, shift: int, timeout: int) -> None:
    slow = None if slowest is None else timedelta(minutes=slowest)
    one = seen(group(), slowest=slow, rollouts=3, shift=timedelta(minutes=shift))
    assert draft(one).policy.deploy.timeout == timedelta(minutes=timeout)
    assert ("timeout:" in text_of(one)) == (timeout != 5)


# --- With numbers ------------------------------------------------------------------------------


def suggestion(*proposals: Proposal, hours: int = 336) -> Suggestion:
    return Suggestion(Usual(9.0, 0.001, 0.002, 80.0, 90.0, hours), proposals, ("take care",))


def proposal(trigger: Trigger, fired: int = 0, takes: float | None = None) -> Proposal:
    return Proposal(trigger, fired, 300, fired / 2, 0.1, "a rise", ("usual 0.1 %",), takes)


def numbered(one: Seen, found: Suggestion) -> tuple[Draft, str]:
    made, proposals = with_numbers(draft(one), found)
    past = Past(Recording(60.0, [Row(0.0, 5.0)], (), frozenset()), found, proposals, ("take care",))
    return made, text_of(one, made, past)


def test_numbers_come_with_how_they_came_about() -> None:
    errors = ErrorRateTrigger(threshold=0.02, min_requests=40)
    made, text = numbered(seen(group()), suggestion(proposal(errors)))
    assert made.policy.triggers[0] == errors
    for words in ("# usual 0.1 %", "# false alarms: none in 300", "# sees a rise", "threshold: 2%"):
        assert words in text
    assert "336 hours with data, 5 requests" in " ".join(text.replace("#", "").split())
    assert "# Beware: take care" in text


def test_a_threshold_that_fired_is_a_dry_run() -> None:
    made, text = numbered(seen(group()), suggestion(proposal(ErrorRateTrigger(), fired=9)))
    assert made.policy.triggers[0].dry_run
    assert "a dry run, as no threshold was quiet" in text


@pytest.mark.parametrize(("hours", "acts"), [(167, False), (168, True)])
def test_regression_acts_after_a_week_of_the_past(hours: int, acts: bool) -> None:
    found = suggestion(proposal(RegressionTrigger()), hours=hours)
    made, _ = numbered(seen(group()), found)
    assert made.policy.triggers[-1].dry_run is not acts


@pytest.mark.parametrize(("hours", "words"), [(167, ["167 hours"]), (168, [])])
def test_less_than_a_week_is_said(hours: int, words: list[str]) -> None:
    assert [one.partition(" of")[0] for one in young(suggestion(hours=hours))] == words


@pytest.mark.parametrize(("hours", "is_enough"), [(23, False), (24, True)])
def test_a_day_is_enough(hours: int, is_enough: bool) -> None:
    assert enough(suggestion(hours=hours)) is is_enough


@pytest.mark.parametrize(
    ("takes", "minutes"), [(None, None), (600.0, None), (601.0, 20), (3600.0, 60), (3601.0, None)]
)
def test_few_requests_need_a_longer_window(takes: float | None, minutes: int | None) -> None:
    found = suggestion(proposal(ErrorRateTrigger(), takes=takes))
    expected = None if minutes is None else timedelta(minutes=minutes)
    assert window_needed(Policy(service="a/b"), found) == expected
