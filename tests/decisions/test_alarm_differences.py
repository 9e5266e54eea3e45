"""What is to be done about each alarm, and what is never done unasked."""

from typing import Any

import pytest

from lastgood.decisions.alarms.differences import (
    Deed,
    FoundAlarm,
    Options,
    Step,
    compare,
    deed_of,
    fingerprint,
    normal,
)
from lastgood.decisions.alarms.tags import APPLIED, EXPORTED, FINGERPRINT, tags_of
from lastgood.decisions.alarms.wanted import Wanted, wanted_of
from lastgood.decisions.past_metrics import Balanced
from lastgood.policy import Policy

NAME = "shop-web-error-rate"
ALL = Options(take_over=True, overwrite=True, prune=True)
NONE = Options()


def wanted(**trigger: Any) -> Wanted:
    data = {"service": "shop/web", "triggers": [{"type": "error-rate", **trigger}]}
    policy = Policy.model_validate(data)
    return wanted_of(policy, {0: Balanced("app/web/1", ("targetgroup/web/2",))}, None)


def shown(config: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """As DescribeAlarms shows it: with its state, and lists in another order."""
    found = {**config, "AlarmArn": "arn", "StateValue": "OK", "StateReason": "calm", **changes}
    if "Metrics" in found:
        found["Metrics"] = found["Metrics"][::-1]
    return found


def ours(config: dict[str, Any], **changes: Any) -> FoundAlarm:
    """An alarm that we have written, and that somebody changed since."""
    tags = tags_of("shop/web", APPLIED, fingerprint(config))
    return FoundAlarm(arn="arn", config=shown(config, **changes), tags=tags)


def step(want: Wanted, *found: FoundAlarm) -> Step:
    [one] = compare(want, found)
    return one


CONFIG = wanted().alarms[0].config


def test_what_is_not_there_is_created() -> None:
    one = step(wanted())
    assert (one.state, deed_of(one, NONE)) == ("create", "put")


def test_what_is_as_wanted_is_left_as_it_is() -> None:
    one = step(wanted(), ours(CONFIG))
    assert (one.state, one.differences, deed_of(one, ALL)) == ("unchanged", (), None)


def test_a_new_policy_changes_what_is_ours_field_by_field() -> None:
    one = step(wanted(threshold="7%", message="m"), ours(CONFIG))
    assert (one.state, deed_of(one, NONE)) == ("change", "put")
    fields = {each.field: (each.old, each.new) for each in one.differences}
    assert fields["Threshold"] == (5.0, 7.0)
    assert set(fields) == {"Threshold", "AlarmDescription"}


def test_inside_of_metric_math() -> None:
    one = step(wanted(min_requests=60), ours(CONFIG))
    [found] = one.differences
    assert found.field == "Metrics.error_rate.Expression"
    assert ("total >= 10 " in found.old, "total >= 20 " in found.new) == (True, True)


@pytest.mark.parametrize(
    "edit",
    [
        {"Threshold": 50.0},
        {"ActionsEnabled": False},
        {"AlarmActions": ["arn:aws:sns:us-east-1:123456789012:mine"]},
        {"Metrics": CONFIG["Metrics"][:-1]},
        {"EvaluationWindow": {"WallClockWindow": {}, "new": 1}},
    ],
)
def test_what_somebody_changed_by_hand_is_shown_and_not_overwritten(edit: dict[str, Any]) -> None:
    for policy in (wanted(), wanted(compare=">=")):
        one = step(policy, ours(CONFIG, **edit))
        assert one.state == "edited"
        assert any(each.field.startswith(next(iter(edit))) for each in one.differences)
        assert deed_of(one, NONE) is None
        assert deed_of(one, Options(overwrite=True)) == "put"


def test_changed_by_hand_to_what_the_policy_says_now() -> None:
    one = step(wanted(threshold="7%"), ours(CONFIG, Threshold=7.0, AlarmDescription=_said(7)))
    assert (one.state, one.stale, deed_of(one, NONE)) == ("unchanged", True, "tag")


def _said(percent: int) -> Any:
    return wanted(threshold=f"{percent}%").alarms[0].config["AlarmDescription"]


def test_what_cloudwatch_adds_by_itself_is_no_change() -> None:
    """The fingerprint is that of the alarm as it was read back."""
    config = shown(CONFIG, EvaluationWindow={"SlidingWindow": {}, "some": "default"})
    tags = tags_of("shop/web", APPLIED, fingerprint(config))
    one = step(wanted(), FoundAlarm(arn="arn", config=config, tags=tags))
    assert (one.state, deed_of(one, ALL)) == ("unchanged", None)
    changed = step(wanted(threshold="7%"), FoundAlarm(arn="arn", config=config, tags=tags))
    assert changed.state == "change"
    assert all("EvaluationWindow" not in each.field for each in changed.differences)


def test_from_a_metric_to_math_all_old_fields_are_shown() -> None:
    metric = {"namespace": "Servio", "name": "Errors"}
    one = step(wanted(), ours(wanted(metric=metric).alarms[0].config))
    fields = {each.field: (each.old, each.new) for each in one.differences}
    assert one.state == "change"
    assert fields["MetricName"] == ("Errors", None)
    assert fields["Metrics"][0] is None


@pytest.mark.parametrize(
    ("tags", "composite", "owner", "taken"),
    [
        ({}, False, "was not made by lastgood", "put"),
        ({"team": "payments"}, False, "was not made by lastgood", "put"),
        (tags_of("shop/web", EXPORTED), False, "Terraform or CloudFormation made it", "put"),
        (tags_of("shop-web/x", APPLIED), False, "was made for shop-web/x", None),
        (tags_of("shop-web/x", EXPORTED), False, "Terraform or CloudFormation", None),
        (tags_of("shop/web", APPLIED), True, "a composite alarm has this name", None),
    ],
)
def test_what_is_not_ours_is_never_touched_unasked(
    tags: dict[str, str], composite: bool, owner: str, taken: Deed | None
) -> None:
    config = {**shown(CONFIG), "Threshold": 1.0}
    one = step(wanted(), FoundAlarm(arn="arn", config=config, tags=tags, composite=composite))
    assert one.state == "foreign"
    assert owner in (one.owner or "")
    assert deed_of(one, Options(overwrite=True, prune=True)) is None
    assert deed_of(one, Options(take_over=True)) == taken


def test_a_foreign_one_that_is_as_wanted_is_only_tagged() -> None:
    one = step(wanted(), FoundAlarm(arn="arn", config=shown(CONFIG)))
    assert (one.state, one.differences) == ("foreign", ())
    assert deed_of(one, Options(take_over=True)) == "tag"


def test_what_the_policy_has_no_more_is_removed_only_if_it_is_ours() -> None:
    old = {**CONFIG, "AlarmName": "shop-web-health-check"}
    foreign = FoundAlarm(arn="arn", config={**CONFIG, "AlarmName": "shop-web-response-time"})
    steps = compare(wanted(), [ours(CONFIG), ours(old), foreign])
    assert [(one.name, one.state) for one in steps] == [
        (NAME, "unchanged"),
        ("shop-web-health-check", "left-over"),
    ]
    assert deed_of(steps[1], Options(overwrite=True, take_over=True)) is None
    assert deed_of(steps[1], Options(prune=True)) == "delete"


def test_order_and_defaults_make_no_difference() -> None:
    one = {**CONFIG, "OKActions": ["b", "a"], "Threshold": 5}
    other = shown({**CONFIG, "OKActions": ["a", "b"], "Threshold": 5.0, "Dimensions": []})
    del other["ActionsEnabled"], other["InsufficientDataActions"]
    assert normal(one) == normal(other)
    assert fingerprint(one) == fingerprint(other)
    assert FINGERPRINT not in tags_of("shop/web", APPLIED)
