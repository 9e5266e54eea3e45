"""What the query ``explain`` answers of a release that runs, and of one that has ended."""

from __future__ import annotations

from lastgood import messages
from lastgood.contracts import Explanation
from lastgood.model import Outcome, Status
from tests.durable.desk import RELEASE, Desk
from tests.durable.world import arn


async def explained(desk: Desk, run_id: str | None = None) -> Explanation:
    handle = desk.client.get_workflow_handle(RELEASE, run_id=run_id)
    found: Explanation = await handle.query(messages.EXPLAIN, result_type=Explanation)
    return found


async def test_release_that_runs_says_where_it_is_and_what_it_would_go_back_to(desk):
    await desk.deploy("app:2")
    await desk.skip(minutes=2)
    await desk.say("hold", reason="odd")
    await desk.skip(seconds=5)

    told = await explained(desk)

    assert (told.release.id, told.progress.step, told.progress.held) == ("app:2", "hold", True)
    assert told.target.task_definition == arn(1)
    assert told.target.source == {}
    assert told.target_reason == "web:1 runs steadily before this release."
    assert [(one.actor, one.verb, one.reason) for one in told.actions] == [("ann", "hold", "odd")]
    assert [(one.finding, one.do) for one in told.decisions] == [("hold", "hold")]


async def test_release_that_was_rolled_back_says_what_fired_what_was_decided_and_done(desk):
    desk.world.bad("app:2", after=60)
    desk.world.bad("app:3", after=60)
    await desk.release("app:2")
    result = await desk.release("app:3")

    told = await explained(desk, result.run_id)

    assert told.progress.result.outcome is Outcome.ROLLED_BACK
    fired = next(one for one in told.verdicts if one.trigger == "error-rate")
    assert (fired.status, fired.value, fired.threshold) == (Status.FAIL, 0.4, 0.05)
    assert [(one.finding, one.do) for one in told.decisions] == [
        ("trigger", "wait"),
        ("trigger", "roll_back"),
    ]
    assert "The cooldown after the last rollback lasts" in told.decisions[0].why
    assert told.decisions[1].why == "The limits allow it."
    assert len(told.limits.rollbacks) == 2
    words = [call.split("UTC  ")[1].split(":")[0] for call in told.calls]
    assert words[:2] == ["RegisterTaskDefinition", "UpdateService"]
    assert [call[:19] for call in told.calls] == sorted(call[:19] for call in told.calls)


async def test_refused_release_says_why(desk):
    desk.world.exists = False
    result = await desk.release("app:2")

    told = await explained(desk, result.run_id)

    assert told.target is None
    assert told.calls == ()
    assert [(one.finding, one.do) for one in told.decisions] == [("refused", "refused")]
    assert "does not exist" in told.decisions[0].reason


async def test_two_triggers_of_one_type_are_told_apart(desk):
    desk.world.alarms["web-slow"] = "OK"
    alarms = [{"type": "alarm", "alarm": name} for name in ("web-5xx", "web-slow")]

    result = await desk.release("app:2", triggers=alarms)
    told = await explained(desk, result.run_id)

    assert [(one.trigger, one.key) for one in told.verdicts] == [
        ("alarm", "0 alarm"),
        ("alarm", "1 alarm"),
    ]
