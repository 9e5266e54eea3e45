"""Drills: the way back is taken as a bad release takes it, and nothing is thought of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from lastgood import messages
from lastgood.contracts import DrillOrder, Explanation, Overview, ReleaseOrder
from lastgood.decisions.task_definitions import original_of
from lastgood.model import Outcome, ReleaseResult
from tests.durable.desk import QUICK, RELEASE, Desk, policy
from tests.durable.test_limits import given_a_rollback
from tests.durable.world import Fault

ALLOWED = {"allowed": True}
SHORTLY = timedelta(seconds=30)
HOUR = timedelta(hours=1)


def drill(
    ident: str = "d1", *, scheduled_at: datetime | None = None, **changes: Any
) -> ReleaseOrder:
    alarm, after = changes.pop("alarm", None), changes.pop("after", SHORTLY)
    more = {key: changes.pop(key) for key in ("image", "force") if key in changes}
    ordered = DrillOrder(after=after, alarm=alarm, scheduled_at=scheduled_at)
    return ReleaseOrder(
        id=ident,
        policy=policy(**{"drill": ALLOWED} | changes),
        actor="ann",
        drill=ordered,
        **more,
    )


async def drilled(desk: Desk, ident: str = "d1", **more: Any) -> ReleaseResult:
    await desk.order(drill(ident, **more))
    return await desk.result(ident)


async def refusal(desk: Desk, order: ReleaseOrder) -> str:
    """What the guard answers at once; or else how it ends."""
    try:
        await desk.order(order)
    except WorkflowUpdateFailedError as error:
        return str(getattr(error.cause, "message", ""))
    result = await desk.result(order.id)
    assert result.outcome is Outcome.REFUSED, result
    return result.reason


def remembered(overview: Overview) -> tuple[Any, ...]:
    """What a drill must leave as it was."""
    good = overview.last_known_good
    return (
        good.task_definition if good else None,
        [(one.status, one.revision.label, one.since) for one in overview.ledger],
        overview.quarantine,
        overview.rollbacks,
        overview.rollbacks_counted,
        overview.cooldown_until,
        overview.alerts,
    )


# --- What a drill does -------------------------------------------------------------------------


async def test_drill_releases_what_runs_by_its_digest_goes_back_and_measures(desk):
    await desk.release("app:2")

    result = await drilled(desk)

    assert (result.outcome, result.trigger) == (Outcome.ROLLED_BACK, "drill")
    assert result.drill is not None
    assert (result.drill.passed, result.drill.why_not) == (True, None)
    assert result.drill.seconds.keys() == {"detection", "rollback", "verify", "all"}
    assert 29 <= result.drill.seconds["rollback"] <= 40, "a rollout takes 30 s here"
    assert result.rollback is not None
    assert result.rollback.verified
    assert desk.images == ["app:2", "app:2", "app:2"]
    brought = desk.world.definitions[str(result.to_task_definition)]
    digest = desk.world.digest_of("app:2")
    assert brought["containerDefinitions"][0]["image"] == f"app:2@{digest}"
    assert original_of(brought) == result.from_task_definition
    assert desk.updates[-1].task_definition == result.from_task_definition
    release = desk.client.get_workflow_handle(RELEASE)
    told = await release.query(messages.EXPLAIN, result_type=Explanation)
    assert [one.why for one in told.decisions] == ["A drill: neither limited nor counted."]
    assert told.limits.rollbacks == ()


@pytest.mark.campaign
async def test_mark_comes_its_time_after_the_window_has_begun(desk):
    await desk.release("app:2")

    result = await drilled(desk, after=timedelta(minutes=4))

    assert result.drill is not None
    assert timedelta(minutes=4) <= result.drill.marked_at - result.started_at
    assert result.timings["monitor"] == pytest.approx(240, abs=5)


@pytest.mark.campaign
async def test_tag_that_was_moved_is_not_drilled_but_the_image_that_runs(desk):
    await desk.release("app:2")
    ran = desk.world.digest_of("app:2")
    desk.world.digests["app:2"] = "sha256:" + "0" * 64

    result = await drilled(desk)

    assert result.drill.passed
    (image, digest), *_ = [desk.world.resolved[one.id] for one in desk.world.rollouts]
    assert digest == ran, image


@pytest.mark.campaign
async def test_window_that_would_end_early_does_not_end_a_drill_well(desk):
    early = {"window": "10m", "interval": "10s", "consecutive_success": 1, "min_window": "1m"}
    desk.aws.proofs = {"sure": "no worse"}
    await desk.release("app:2")

    result = await drilled(desk, after=timedelta(minutes=9), monitor=early)

    assert (result.outcome, result.trigger) == (Outcome.ROLLED_BACK, "drill")
    assert result.drill.passed


async def test_trigger_that_really_fires_ends_a_drill_that_has_not_passed(desk):
    await desk.release("app:2")
    desk.world.bad("app:2", after=40, lasts=timedelta(seconds=20))

    result = await drilled(desk, after=timedelta(minutes=5))

    assert (result.outcome, result.trigger) == (Outcome.ROLLED_BACK, "error-rate")
    assert not result.drill.passed
    assert "error-rate fired" in result.drill.why_not
    assert desk.told_of(Outcome.ROLLED_BACK) == 1


async def test_way_back_that_does_not_work_is_a_failed_drill_and_told_once_as_a_warning(desk):
    def deny(*_: object) -> None:
        raise ApplicationError("ecs:UpdateService", type="AccessDenied", non_retryable=True)

    desk.world.before("update_service", 2, deny)

    result = await drilled(desk, rollback={"remind_every": "1m"})
    await desk.skip(minutes=10)

    assert result.outcome is Outcome.ROLLBACK_FAILED
    assert not result.drill.passed
    told = [one for to, one in desk.aws.told if to == "slack"]
    assert [(one.kind, one.severity) for one in told] == [("ended", "warning")]
    assert told[0].title.startswith("DRILL FAILED: ")
    overview = await desk.overview()
    assert overview.alerts == ()
    assert [(one.status, one.revision.label) for one in overview.ledger] == [
        ("candidate", "web:2"),
        ("good", "web:1"),
    ], "what is left running is not known to be good, and nothing is said against it"
    assert overview.quarantine == ()


# --- What is thought of it ---------------------------------------------------------------------


async def test_drill_leaves_the_memory_as_it_was(desk):
    await desk.release("app:2")
    before = await desk.overview()

    result = await drilled(desk)

    after = await desk.overview()
    assert remembered(after) == remembered(before)
    assert after.last_drill == after.last_passed_drill == result
    assert desk.world.tags["lastgood:good-1"].startswith("web:2 ")
    assert not {"lastgood:rollbacks-1", "lastgood:quarantine-1"} & desk.world.tags.keys()


@pytest.mark.campaign
async def test_service_that_was_never_released_has_no_good_revision_after_a_drill(desk):
    result = await drilled(desk)

    assert result.drill.passed
    overview = await desk.overview()
    assert (overview.last_known_good, overview.ledger) == (None, ())


async def test_limit_and_cooldown_of_real_releases_know_of_no_drill(desk):
    limit = {"max_rollbacks": 1, "cooldown": "1h"}
    await desk.release("app:2")
    for number in range(3):
        assert (await drilled(desk, f"d{number}", rollback=limit)).drill.passed
    desk.world.bad("app:3", after=60)

    result = await desk.release("app:3", rollback=limit)

    assert result.outcome is Outcome.ROLLED_BACK
    forward, back = desk.updates[-2:]
    assert back.at - forward.at < timedelta(seconds=62), "no cooldown"
    assert (await desk.overview()).rollbacks_counted == 1


async def test_operator_may_roll_back_after_a_drill(desk):
    await desk.release("app:2")
    await drilled(desk)

    accepted = await desk.rollback()

    assert (await desk.result(accepted.release)).outcome is Outcome.ROLLED_BACK
    assert desk.world.runs == "app:1"


@pytest.mark.campaign
async def test_time_of_a_drill_that_passed_is_normal_and_of_others_is_not(desk):
    await desk.release("app:2")
    await drilled(desk)
    desk.world.bad("app:2", after=40, lasts=timedelta(seconds=20))
    await drilled(desk, "d2", after=timedelta(minutes=5))
    bad = await desk.view("d2")

    await desk.release("app:4")

    (stretch,) = {one for order in desk.aws.watched[-1:] for one in getattr(order, "troubled", ())}
    assert stretch.begin == bad.result.started_at


async def test_release_waits_for_the_end_of_a_drill(desk):
    await desk.release("app:2")
    await desk.order(drill())

    accepted = await desk.deploy("app:3")

    assert accepted.position == 1
    assert (await desk.result("d1")).drill.passed
    assert (await desk.result("app:3")).outcome is Outcome.HEALTHY


# --- What people hear --------------------------------------------------------------------------


async def test_nobody_is_told_of_a_drill_that_passes_unless_of_all_that_is_well(desk):
    await desk.release("app:2")
    assert (await drilled(desk)).drill.passed
    assert desk.aws.told == []

    await drilled(desk, "d2", notify={"healthy": True})

    told = [one for to, one in desk.aws.told if to == "slack"]
    assert [one.kind for one in told] == ["rollback_started", "ended"]
    assert {one.severity for one in told} == {"healthy"}
    assert all(one.title.startswith("DRILL") for one in told)
    assert all(one.summary.startswith("This is a drill: nothing is wrong") for one in told)
    assert dict(told[-1].facts).keys() > {"Drill: detection", "Drill: rollback", "Drill: verify"}


# --- What a drill is refused -------------------------------------------------------------------


async def test_service_that_is_not_marked_is_not_drilled_and_the_key_is_named(desk):
    text = await refusal(desk, drill(drill={"allowed": False}))

    assert "drill.allowed" in text
    assert desk.images == []


async def test_frozen_service_is_not_drilled(desk):
    await desk.say("freeze")

    assert "has frozen shop/web" in await refusal(desk, drill())


@pytest.mark.campaign
async def test_policys_freeze_windows_hold_for_drills(desk):
    desk.aws.frozen = "until Mon 08:00"
    window = {"freeze": [{"zone": "Europe/Berlin"}]}

    assert "until Mon 08:00" in await refusal(desk, drill(deploy=window))


@pytest.mark.parametrize("held", [pytest.param(False, marks=pytest.mark.campaign), True])
async def test_drill_does_not_wait_for_a_release_nor_end_one_that_is_held(desk, held):
    await desk.deploy("app:2")
    await desk.skip(minutes=2)
    if held:
        await desk.say("hold")

    assert "app:2 is under way" in await refusal(desk, drill())
    assert desk.images == ["app:2"]


async def test_no_drill_during_a_cooldown_nor_where_a_release_would_be_held(desk):
    limit = {"max_rollbacks": 1}
    await given_a_rollback(desk, rollback=limit)
    cooling = await refusal(desk, drill())
    limited = await refusal(desk, drill(rollback=limit))
    await desk.skip(minutes=6)

    assert "shop/web is in the cooldown after its last rollback: drill it after 2" in cooling
    assert "The limit is reached: 1 rollbacks within 24h" in limited
    assert (await drilled(desk)).drill.passed


async def test_limits_that_only_the_services_tags_remember_hold_for_drills(desk):
    now = await desk.env.get_current_time()
    desk.world.tags["lastgood:rollbacks-1"] = f"{now:%Y%m%dT%H%M%SZ}+10"

    assert "in the cooldown after its last rollback" in await refusal(desk, drill())


@pytest.mark.campaign
async def test_no_drill_while_a_failed_rollback_is_open(desk):
    desk.world.image("app:1", faults={"error-rate": Fault(timedelta(0))})
    desk.world.bad("app:2", after=60)
    assert (await desk.release("app:2")).outcome is Outcome.ROLLBACK_FAILED

    assert "Nobody has acknowledged" in await refusal(desk, drill())


async def test_no_drill_where_the_way_back_leads_elsewhere(desk):
    await desk.release("app:2")
    desk.world.image("app:3", silent=frozenset({"error-rate"}))
    held = await desk.release("app:3", rollback={"hold_for": "1m"})
    assert held.outcome is Outcome.HELD

    assert "A drill goes back to what runs, and a rollback would not" in await refusal(
        desk, drill()
    )
    assert desk.images == ["app:2", "app:3"]


@pytest.mark.campaign
async def test_no_drill_of_a_service_that_is_not_well(desk):
    desk.world.image("app:2", faults={"error-rate": Fault(timedelta(hours=1))})
    await desk.release("app:2")
    await desk.skip(hours=1)

    assert "is not well: error-rate is bad" in await refusal(desk, drill())


@pytest.mark.campaign
async def test_no_drill_while_an_alarm_is_red(desk):
    desk.world.alarms["web-5xx"] = "ALARM"

    assert "Alarm web-5xx is ALARM" in await refusal(desk, drill())


@pytest.mark.parametrize("verb", ["promote", pytest.param("approve", marks=pytest.mark.campaign)])
async def test_drill_is_not_taken_for_good(desk, verb):
    await desk.release("app:2")
    await desk.order(drill(after=timedelta(minutes=5)))
    await desk.skip(minutes=2)
    if verb == "approve":
        await desk.say("hold")

    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await desk.say(verb)

    assert "is a drill: it goes back in any case" in str(refused.value.cause)
    if verb == "approve":
        await desk.say("resume")
    assert (await desk.result("d1")).drill.passed


@pytest.mark.campaign
async def test_drill_that_was_cancelled_leaves_the_same_image(desk):
    await desk.release("app:2")
    await desk.order(drill(after=timedelta(minutes=5)))
    await desk.skip(minutes=2)

    await desk.say("cancel")
    result = await desk.result("d1")

    assert result.outcome is Outcome.CANCELLED
    assert not result.drill.passed
    assert desk.world.runs == "app:2"
    assert (await desk.overview()).last_known_good.label == "web:2"


@pytest.mark.campaign
async def test_schedule_obeys_the_policy_of_a_release_that_came_after_it(desk):
    made = await desk.env.get_current_time()
    await desk.skip(seconds=10)
    await desk.release("app:2", drill={"allowed": False})

    assert "drill.allowed" in await refusal(desk, drill(scheduled_at=made))

    assert (await drilled(desk, "d2", scheduled_at=made + HOUR)).drill.passed


# --- Alarms, on a server whose time passes -----------------------------------------------------


def by_alarm(ident: str = "d1", **more: Any) -> ReleaseOrder:
    of = QUICK | {
        "triggers": [*QUICK["triggers"], {"type": "alarm", "alarm": "web-5xx"}],
        "monitor": {"window": "4s", "interval": "1s"},
    }
    drills = ALLOWED | {"alarms": ["web-5xx"]}
    return drill(ident, of=of, drill=drills, alarm="web-5xx", after=timedelta(seconds=1), **more)


async def test_alarm_is_set_seen_and_must_be_good_again(dev_desk):
    await dev_desk.order(by_alarm())
    result = await dev_desk.result("d1")

    assert (result.outcome, result.trigger) == (Outcome.ROLLED_BACK, "alarm")
    assert result.drill.passed, result.drill
    assert result.drill.alarm == "web-5xx"
    assert dev_desk.aws.count("set_alarm_state") == 1
    assert result.drill.seconds["detection"] < 3


@pytest.mark.campaign
async def test_alarm_that_cannot_be_set_or_is_not_seen_fails_the_drill_and_it_goes_back(dev_desk):
    desk = dev_desk
    desk.world.alarms_denied = True
    await desk.order(by_alarm())
    denied = await desk.result("d1")
    desk.world.alarms_denied, desk.world.alarms_deaf = False, True
    await desk.order(by_alarm("d2"))
    deaf = await desk.result("d2")

    for result, why in ((denied, "could not be set"), (deaf, "did not fire")):
        assert (result.outcome, result.trigger) == (Outcome.ROLLED_BACK, "drill")
        assert not result.drill.passed
        assert why in result.drill.why_not
    assert desk.world.runs == "app:1"
