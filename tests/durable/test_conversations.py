"""One thread and one incident for each release, whoever tells of it, and whatever comes between."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from lastgood.model import Outcome
from tests.durable.desk import Desk
from tests.durable.world import Fault

BOT = {"token": "env:TOKEN", "channel": "C012345"}
PAGER = {"routing_key": "env:KEY"}
NOTIFY: dict[str, Any] = {"slack": BOT, "pagerduty": PAGER, "email": None}
BRIEF = {"enabled": False, "hold_for": "30m"}
REMIND = {"remind_every": "15m", "verify_timeout": "2m"}


def said(desk: Desk) -> list[tuple[str, str, bool]]:
    """What the bot posted: release, notice, and whether it was a reply."""
    return [(p.notice.release, p.notice.kind, p.thread.first is not None) for p in desk.aws.posts]


def events(desk: Desk) -> list[tuple[str, str]]:
    return [(action, kind) for _, action, kind in desk.aws.events]


async def given_a_failed_rollback(desk: Desk) -> None:
    """``app:2`` is bad, and so is ``app:1`` when it comes back."""
    desk.world.service_deployments = False
    desk.world.image("app:1", faults={"error-rate": Fault(timedelta(0))})
    for rollout in desk.world.rollouts:
        rollout.behaviour.faults = {}
    desk.world.bad("app:2", after=60)
    result = await desk.release("app:2", notify=NOTIFY, rollback=REMIND)
    assert result.outcome is Outcome.ROLLBACK_FAILED
    assert result.notification_failures == ()


async def test_a_release_that_goes_back_is_one_thread_and_pages_nobody(desk):
    desk.world.bad("app:2", after=60)

    result = await desk.release("app:2", notify=NOTIFY)

    assert result.outcome is Outcome.ROLLED_BACK
    assert said(desk) == [("app:2", "rollback_started", False), ("app:2", "ended", True)]
    assert desk.aws.updates == [("rollback_started", "ended")]
    assert [post.aloud for post in desk.aws.posts] == [False, False]
    assert desk.aws.events == []


async def test_a_thread_has_one_picture_of_what_fired_and_each_mail_has_it(desk):
    desk.world.bad("app:2", after=60)
    desk.aws.recorded = True
    mail = {"from": "deploys@shop.example", "to": ["oncall@shop.example"]}

    await desk.release("app:2", notify=NOTIFY | {"email": mail})

    assert desk.aws.pictures == [("1.0", "error-rate")]
    assert desk.aws.pictured_mails == ["rollback_started", "ended"]


@pytest.mark.campaign
async def test_nothing_is_pictured_that_was_not_recorded(desk):
    desk.world.bad("app:2", after=60)

    await desk.release("app:2", notify=NOTIFY)

    assert len(said(desk)) == 2
    assert desk.aws.pictures == []


async def test_a_late_first_message_keeps_the_second_one_waiting(desk):
    """Or the end would begin a thread of its own; nothing else waits for it."""
    desk.world.bad("app:2", after=60)
    topic = {"topic_arn": "arn:aws:sns:eu-west-1:123456789012:deploys"}

    async def busy() -> None:
        later = timedelta(seconds=150)
        raise ApplicationError("busy", type="ReceiverBusy", next_retry_delay=later)

    desk.aws.meanwhile["post_slack_message"] = busy
    await desk.release("app:2", notify=NOTIFY | {"sns": topic})

    told = [(to, one.kind) for to, one in desk.aws.told]
    assert told.index(("sns", "ended")) < told.index(("slack", "rollback_started"))
    assert said(desk) == [("app:2", "rollback_started", False), ("app:2", "ended", True)]


@pytest.mark.campaign
async def test_a_first_message_that_never_arrived_leaves_the_next_one_to_begin(desk):
    desk.world.bad("app:2", after=60)
    desk.aws.unreachable.add("slack")

    await desk.deploy("app:2", notify=NOTIFY, rollback=BRIEF)
    while not await desk.is_at("hold"):
        await desk.skip(seconds=30)
    await desk.skip(minutes=5)
    desk.aws.unreachable.discard("slack")
    await desk.say("deny")
    result = await desk.result("app:2")

    assert said(desk)[0] == ("app:2", "rollback_started", False)
    assert said(desk)[-1] == ("app:2", "ended", True)
    assert {one.channel for one in result.notification_failures} == {"slack"}


async def test_resumed_is_resolved_and_held_again_is_triggered_again(desk):
    desk.world.image("app:2", silent=frozenset({"error-rate"}))
    await desk.until_held("app:2", notify=NOTIFY, rollback=BRIEF)
    await desk.say("resume", reason="metrics are back")
    result = await desk.result("app:2")

    assert result.outcome is Outcome.HELD
    assert events(desk) == [
        ("trigger", "held"),
        ("resolve", "resumed"),
        ("trigger", "held"),
        ("trigger", "ended"),
    ]
    assert [kind for _, kind, _ in said(desk)] == ["held", "resumed", "held", "ended"]
    assert "ann resumed it: metrics are back" in desk.aws.posts[1].notice.summary
    assert len({post.notice.dedup for post in desk.aws.posts}) == 4
    assert {post.notice.region for post in desk.aws.posts} == {"eu-west-1"}


@pytest.mark.parametrize("verb", ["approve", pytest.param("deny", marks=pytest.mark.campaign)])
async def test_a_hold_that_a_person_ends_is_resolved(desk, verb):
    """Though nobody is told of healthy releases: who heard of the hold hears of its end."""
    desk.world.bad("app:2", after=60)
    await desk.until_held("app:2", notify=NOTIFY, rollback=BRIEF)
    await desk.say(verb)
    await desk.result("app:2")

    assert events(desk) == [("trigger", "held"), ("resolve", "ended")]
    assert said(desk)[0] == ("app:2", "held", False)
    assert said(desk)[-1] == ("app:2", "ended", True)


@pytest.mark.campaign
async def test_what_ended_undecided_is_resolved_by_the_next_good_release(desk):
    desk.world.bad("app:2", after=60)
    await desk.until_held("app:2", notify=NOTIFY, rollback=BRIEF)
    assert (await desk.result("app:2")).outcome is Outcome.HELD

    await desk.release("app:3", notify=NOTIFY)
    await desk.skip(minutes=1)

    assert desk.aws.events[-1] == ("app:2", "resolve", "recovered")
    assert said(desk)[-1] == ("app:2", "recovered", True)
    assert "app:3: The window ended clean." in desk.aws.posts[-1].notice.summary


async def test_a_failed_rollback_is_reminded_of_acknowledged_and_resolved_in_one_thread(desk):
    await given_a_failed_rollback(desk)
    await desk.skip(minutes=20)
    await desk.say("acknowledge", reason="on it")
    await desk.skip(minutes=40)
    assert events(desk) == [
        ("trigger", "ended"),
        ("trigger", "reminder"),
        ("acknowledge", "acknowledged"),
    ]

    await desk.release("app:3", notify=NOTIFY)
    await desk.skip(minutes=1)

    assert events(desk)[3:] == [("resolve", "recovered")]
    assert said(desk) == [
        ("app:2", "rollback_started", False),
        ("app:2", "ended", True),
        ("app:2", "reminder", True),
        ("app:2", "acknowledged", True),
        ("app:2", "recovered", True),
    ]
    assert {post.thread.first for post in desk.aws.posts[1:]} == {"1.0"}
    loud = [post.notice.kind for post in desk.aws.posts if post.aloud]
    assert loud == ["ended", "reminder"], "only what needs somebody is shown in the channel"


@pytest.mark.campaign
async def test_the_next_good_release_resolves_what_nobody_acknowledged(desk):
    await given_a_failed_rollback(desk)

    await desk.release("app:3", notify=NOTIFY)
    await desk.skip(hours=1)

    assert events(desk) == [("trigger", "ended"), ("resolve", "recovered")]


@pytest.mark.campaign
async def test_an_operators_rollback_is_a_thread_and_recovers_what_was_open(desk):
    desk.world.bad("app:2", after=60)
    await desk.until_held("app:2", notify=NOTIFY, rollback=BRIEF)
    await desk.result("app:2")
    before = len(desk.aws.posts)

    accepted = await desk.rollback()
    assert (await desk.result(accepted.release)).outcome is Outcome.ROLLED_BACK
    await desk.skip(minutes=1)

    own = [one for one in said(desk)[before:] if one[0] == accepted.release]
    assert own == [
        (accepted.release, "rollback_started", False),
        (accepted.release, "ended", True),
    ]
    assert desk.aws.events[-1] == ("app:2", "resolve", "recovered")


@pytest.mark.campaign
async def test_a_pager_that_is_down_does_not_keep_the_acknowledgement_waiting(desk):
    await given_a_failed_rollback(desk)

    async def slow() -> None:
        await asyncio.sleep(30)

    desk.aws.meanwhile["send_pagerduty_event"] = slow
    answer = await asyncio.wait_for(desk.say("acknowledge", reason="on it"), 10)

    assert "ann takes care" in answer


async def test_several_channels_each_with_its_severity_and_services(desk):
    desk.world.bad("app:2", after=60)
    notify = {
        "slack": [BOT | {"at_least": "critical"}, BOT | {"severity": ["healthy"]}],
        "teams": [
            {"webhook_url": "env:A"},
            {"webhook_url": "env:B", "services": ["shop/other"]},
            {"webhook_url": "env:C", "rollback_started": True},
        ],
        "email": None,
    }

    result = await desk.release("app:2", notify=notify)

    assert result.outcome is Outcome.ROLLED_BACK
    told = [(to, notice.kind) for to, notice in desk.aws.told]
    assert sorted(told) == [
        ("slack.0", "ended"),  # a warning; but it was told of the beginning
        ("slack.0", "rollback_started"),
        ("teams", "ended"),
        ("teams", "ended"),
        ("teams", "rollback_started"),
    ]
