"""Which channel hears of what, and what it is there."""

from datetime import UTC, datetime
from typing import Any

import pytest

from lastgood.contracts import Notice, Thread
from lastgood.decisions import routing
from lastgood.decisions.sample_notices import samples
from lastgood.model import Outcome
from lastgood.policy_notify import NotifyPolicy

HOOK = {"webhook_url": "env:HOOK"}
PAGER = {"routing_key": "env:KEY"}
BOT = {"token": "env:TOKEN", "channel": "C0123456789"}
ALL: dict[str, Any] = {
    "slack": [HOOK, BOT],
    "email": {"from": "a@shop.test", "to": ["b@shop.test"]},
    "sns": {"topic_arn": "arn:aws:sns:eu-west-1:123456789012:t"},
    "webhook": {"url": "env:HOOK"},
    "pagerduty": PAGER,
    "teams": HOOK,
}
SIMPLE = {"slack.0", "email", "sns", "webhook"}
KINDS = {(one.kind, one.outcome): one for one in samples()}


def notice(kind: Any, outcome: Outcome | None = None, **changes: Any) -> Notice:
    return KINDS[kind, outcome].model_copy(update=changes)


def told(
    one: Notice, notify: dict[str, Any] = ALL, *threads: Thread, **more: Any
) -> dict[str, str]:
    """Each channel that hears of it, and what it is there."""
    policy = NotifyPolicy.model_validate(notify | more)
    known = {thread.channel: thread for thread in threads}
    return {m.key: m.action for m in routing.messages_of(one, policy, known)}


OPEN = (
    Thread(channel="slack.1", place="C", first="1.1"),
    Thread(channel="pagerduty", open=True),
)


@pytest.mark.parametrize(
    ("one", "pager", "teams"),
    [
        (notice("rollback_started"), None, False),
        (notice("cooldown"), "trigger", True),
        (notice("held", Outcome.HELD), "trigger", True),
        (notice("ended", Outcome.HELD), "trigger", True),
        (notice("ended", Outcome.ROLLBACK_FAILED), "trigger", True),
        (notice("reminder", Outcome.ROLLBACK_FAILED), "trigger", True),
        (notice("ended", Outcome.ROLLED_BACK), None, True),
        (notice("ended", Outcome.SUPERSEDED), None, True),
    ],
    ids=lambda one: f"{one.kind}-{one.outcome}" if isinstance(one, Notice) else str(one),
)
def test_what_is_told_where_when_nothing_is_open(
    one: Notice, pager: str | None, teams: bool
) -> None:
    expected = dict.fromkeys(SIMPLE | {"slack.1"}, "tell")
    expected |= {"pagerduty": pager} if pager else {}
    expected |= {"teams": "tell"} if teams else {}
    assert told(one) == expected


@pytest.mark.parametrize(
    ("kind", "outcome", "action"),
    [
        ("resumed", None, "resolve"),
        ("acknowledged", Outcome.ROLLBACK_FAILED, "acknowledge"),
        ("recovered", Outcome.ROLLBACK_FAILED, "resolve"),
    ],
)
def test_what_comes_after_is_told_only_where_something_is_open(
    kind: str, outcome: Outcome | None, action: str
) -> None:
    assert told(notice(kind, outcome)) == {}
    assert told(notice(kind, outcome), ALL, *OPEN) == {"slack.1": "tell", "pagerduty": action}


@pytest.mark.parametrize("outcome", [o for o in Outcome if o not in routing._NEEDS_A_PERSON])
def test_an_incident_ends_with_whatever_ends_its_release(outcome: Outcome) -> None:
    assert told(notice("ended", outcome), ALL, *OPEN)["pagerduty"] == "resolve"
    assert "pagerduty" not in told(notice("ended", outcome), ALL, healthy=True)


def test_nobody_hears_of_healthy_releases_unless_they_want_to() -> None:
    good = notice("ended", Outcome.HEALTHY)
    assert told(good) == {}
    assert set(told(good, healthy=True)) == {*SIMPLE, "slack.1", "teams"}
    assert told(good, {"slack": HOOK | {"at_least": "healthy"}}) == {"slack": "tell"}
    assert told(good, ALL, *OPEN) == {"slack.1": "tell", "pagerduty": "resolve"}


@pytest.mark.parametrize(
    ("limit", "heard"),
    [
        ({"severity": ["critical"]}, {"critical"}),
        ({"severity": ["healthy", "critical"]}, {"healthy", "critical"}),
        ({"at_least": "warning"}, {"warning", "critical"}),
        ({"at_least": "healthy"}, {"healthy", "warning", "critical"}),
        ({}, {"warning", "critical"}),
    ],
)
def test_a_channel_hears_of_the_severities_that_it_names(
    limit: dict[str, Any], heard: set[str]
) -> None:
    for severity in ("healthy", "warning", "critical"):
        one = notice("held", Outcome.HELD, severity=severity)
        assert bool(told(one, {"slack": HOOK | limit})) is (severity in heard)


def test_who_heard_the_beginning_hears_the_end() -> None:
    notify = {"slack": HOOK | {"at_least": "critical"}, "email": ALL["email"]}
    policy = NotifyPolicy.model_validate(notify)
    began, end = notice("rollback_started"), notice("ended", Outcome.ROLLED_BACK)
    slack, email = routing.messages_of(began, policy, {})
    thread = routing.begun(slack, None)
    assert thread == Thread(channel="slack")
    assert routing.begun(email, None) is None, "who names no severity is told anyway"
    assert told(end, notify) == {"email": "tell"}
    assert told(end, notify, thread) == {"slack": "tell", "email": "tell"}
    assert routing.open_ones([thread]) == (), "and of nothing after the end"


def test_a_channel_hears_of_the_services_that_it_names() -> None:
    one = notice("held", Outcome.HELD)
    assert told(one, {"slack": HOOK | {"services": ["shop/api"]}}) == {}
    assert told(one, {"slack": HOOK | {"services": ["shop/api", one.service]}})
    assert told(one, {"pagerduty": PAGER | {"services": ["shop/api"]}}, *OPEN) == {}


def test_a_pager_for_critical_only() -> None:
    pager = {"pagerduty": PAGER | {"at_least": "critical"}}
    warned = notice("held", Outcome.HELD, severity="warning")
    assert told(warned, pager) == {}
    assert told(warned, pager, *OPEN) == {"pagerduty": "trigger"}, "it adds to what is open"
    assert told(notice("cooldown"), pager) == {"pagerduty": "trigger"}


@pytest.mark.parametrize("kind", ["pagerduty", "teams"])
def test_who_wants_to_hear_that_a_rollback_begins(kind: str) -> None:
    wants = {kind: ALL[kind] | {"rollback_started": True}}
    assert list(told(notice("rollback_started"), wants)) == [kind]


def test_a_resolved_incident_can_open_again() -> None:
    policy = NotifyPolicy.model_validate({"pagerduty": PAGER})
    (trigger,) = routing.messages_of(notice("cooldown"), policy, {})
    opened = routing.begun(trigger, None)
    assert opened == Thread(channel="pagerduty", open=True)
    (resolve,) = routing.messages_of(notice("resumed"), policy, {"pagerduty": opened})
    closed = routing.begun(resolve, opened)
    assert closed is not None
    assert not closed.open
    assert told(notice("cooldown"), {"pagerduty": PAGER}, closed) == {"pagerduty": "trigger"}
    assert told(notice("ended", Outcome.HEALTHY), {"pagerduty": PAGER}, closed) == {}


def test_a_test_is_told_everywhere_and_leaves_nothing_open() -> None:
    test = KINDS["held", Outcome.HELD].model_copy(update={"kind": "test", "severity": "healthy"})
    limits = {"at_least": "critical", "services": ["shop/other"]}
    notify = {
        kind: [one | limits for one in (given if isinstance(given, list) else [given])]
        for kind, given in ALL.items()
    }
    policy = NotifyPolicy.model_validate(notify)
    found = [(m.key, m.action) for m in routing.messages_of(test, policy, {})]
    assert [key for key, _ in policy.channels()] == list(dict.fromkeys(key for key, _ in found))
    assert [action for key, action in found if key == "pagerduty.0"] == ["trigger", "resolve"]


def test_only_what_needs_somebody_is_said_aloud() -> None:
    aloud = {(one.kind, one.outcome) for one in samples() if routing.aloud(one)}
    assert aloud == {
        ("cooldown", None),
        ("held", Outcome.HELD),
        ("ended", Outcome.HELD),
        ("ended", Outcome.ROLLBACK_FAILED),
        ("reminder", Outcome.ROLLBACK_FAILED),
    }


def test_samples_are_of_every_kind_and_every_end() -> None:
    kinds = set(Notice.model_fields["kind"].annotation.__args__)  # type: ignore[union-attr]
    assert {one.kind for one in samples()} == kinds - {"test"}
    assert {one.outcome for one in samples() if one.kind == "ended"} == set(Outcome)
    assert all(one.at < datetime(2026, 2, 1, tzinfo=UTC) for one in samples())


@pytest.mark.parametrize(
    ("notify", "hears"),
    [
        ({"slack": HOOK}, False),
        ({"slack": HOOK, "healthy": True}, True),
        ({"slack": HOOK | {"severity": ["healthy"]}}, True),
        ({"slack": [HOOK, HOOK | {"at_least": "healthy"}]}, True),
        ({"slack": HOOK | {"severity": ["critical"]}, "healthy": True}, False),
        ({"slack": HOOK | {"services": ["shop/other"]}, "healthy": True}, False),
        ({"pagerduty": PAGER, "healthy": True}, False),
        ({}, False),
    ],
    ids=str,
)
def test_who_hears_of_a_healthy_release(notify: dict[str, Any], hears: bool) -> None:
    policy = NotifyPolicy.model_validate(notify)
    assert routing.hears_of_healthy("shop/web", policy) is hears
    healthy = notice("ended", Outcome.HEALTHY)
    assert bool(routing.messages_of(healthy, policy, {})) is hears
