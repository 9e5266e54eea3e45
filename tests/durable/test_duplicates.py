"""A thousand duplicates of a message have one effect, and the guard goes on."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from temporalio.client import WorkflowUpdateFailedError

from lastgood import messages
from lastgood.contracts import Instruction, OperatorRequest, RollbackRequest
from lastgood.model import Outcome
from tests.durable.desk import GUARD, RELEASE, Desk
from tests.durable.steps import R, back, failed, frozen, held, idle, window
from tests.durable.world import SERVICE

MANY = 1000
SOME = 100
"""Where the same code was tried a thousand times by another test."""
IN_FLIGHT = 8
"""The server allows ten updates of one workflow at a time."""


async def many(ask: Callable[[int], Awaitable[object]], times: int = MANY) -> Counter[str]:
    """What they were answered, in words, with how often."""
    answers: Counter[str] = Counter()
    numbers = iter(range(times))

    async def asker() -> None:
        for number in numbers:
            try:
                answers[str(await ask(number))] += 1
            except WorkflowUpdateFailedError as refused:
                answers[f"refused: {refused.cause}"] += 1

    await asyncio.gather(*(asker() for _ in range(IN_FLIGHT)))
    return answers


async def given_a_window(desk: Desk) -> None:
    await desk.deploy("app:2")
    await desk.skip(minutes=2)


async def nothing_broke(desk: Desk, release: str = "app:2") -> None:
    run = (await desk.view(release)).result
    assert (await desk.release("app:9")).outcome is Outcome.HEALTHY
    for workflow_id, run_id in ((GUARD, None), (RELEASE, run.run_id if run else None)):
        assert "WORKFLOW_TASK_FAILED" not in await desk.events(workflow_id, run_id)


@pytest.mark.parametrize(
    ("verb", "times", "outcome", "images"),
    [
        ("rollback", MANY, Outcome.ROLLED_BACK, ["app:2", "app:1"]),
        ("promote", SOME, Outcome.HEALTHY, ["app:2"]),
    ],
)
async def test_same_request_again_and_again_has_one_effect_and_one_answer(
    desk, verb, times, outcome, images
):
    await given_a_window(desk)

    async def ask(_: int) -> object:
        if verb == "rollback":
            return await desk.rollback(id="one")
        return await desk.say(verb, id="one")

    answers = await many(ask, times)

    assert [*answers.values()] == [times]
    assert "refused" not in str(answers)
    assert (await desk.result("app:2")).outcome is outcome
    assert desk.images == images
    assert [one.verb for one in (await desk.overview()).actions] == [verb]
    await nothing_broke(desk)


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("step", "verb"),
    [
        (window, "cancel"),
        (held, "resume"),
        (held, "approve"),
        (held, "deny"),
        (idle, "adopt"),
        (back, "reset"),
        (frozen, "unfreeze"),
        (failed, "acknowledge"),
    ],
)
async def test_each_other_verb_again_and_again_is_one_with_one_answer_also_after_the_end(
    desk, step, verb
):
    await step(desk)

    async def ask(_: int) -> object:
        return await desk.say(verb, id="one")

    answers = await many(ask, SOME)
    moved = desk.updates
    if step in (window, held):
        await desk.result(R)
        moved = desk.updates
        answers += await many(ask, 1)  # it has ended, and still is answered the same

    assert len(answers) == 1
    assert "refused" not in str(answers)
    assert desk.updates == moved
    assert [one.verb for one in (await desk.overview()).actions].count(verb) == 1
    await nothing_broke(desk, R if step not in (idle, frozen) else "app:9")


@pytest.mark.campaign
@pytest.mark.parametrize("same", [True, False], ids=["same id", "different ids"])
async def test_freeze_again_and_again_is_one_freeze(desk, same):
    async def ask(number: int) -> object:
        return await desk.say("freeze", id="one" if same else f"no {number}")

    answers = await many(ask, SOME)

    done = sum(n for text, n in answers.items() if not text.startswith("refused"))
    assert done == (SOME if same else 1)
    assert sum(answers.values()) == SOME
    assert [one.verb for one in (await desk.overview()).actions] == ["freeze"]
    await desk.say("unfreeze")
    await desk.release("app:2")
    await nothing_broke(desk)


@pytest.mark.parametrize(
    ("verb", "times", "outcome", "images"),
    [
        ("rollback", MANY, Outcome.ROLLED_BACK, ["app:2", "app:1"]),
        ("hold", SOME, None, ["app:2"]),
    ],
)
async def test_many_requests_of_one_kind_are_one_done_and_the_others_refused(
    desk, verb, times, outcome, images
):
    await given_a_window(desk)

    async def ask(number: int) -> object:
        if verb == "rollback":
            return await desk.rollback(id=f"no {number}", release="app:2")
        return await desk.say(verb, id=f"no {number}", release="app:2")

    answers = await many(ask, times)

    assert sum(n for text, n in answers.items() if not text.startswith("refused")) == 1
    assert sum(answers.values()) == times
    if outcome:
        assert (await desk.result("app:2")).outcome is outcome
    else:
        assert (await desk.progress()).held
    assert desk.images == images
    assert [one.verb for one in (await desk.overview()).actions] == [verb]
    await nothing_broke(desk)


async def test_thousand_instructions_straight_to_the_release_are_one(desk):
    await given_a_window(desk)
    release = desk.client.get_workflow_handle(RELEASE)
    request = OperatorRequest(id="one", actor="ann", reason="slow")
    rollback = RollbackRequest(id="one", actor="ann", reason="slow", service=SERVICE)
    order = Instruction(verb="rollback", request=request, rollback=rollback)

    for _ in range(MANY // 50):
        await asyncio.gather(*(release.signal(messages.INSTRUCT, order) for _ in range(50)))
    result = await desk.result("app:2")

    assert result.outcome is Outcome.ROLLED_BACK
    assert desk.images == ["app:2", "app:1"]
    assert len((await desk.overview()).rollbacks) == 1
    assert desk.told_of(Outcome.ROLLED_BACK) == 1
    await nothing_broke(desk)


async def test_same_release_again_and_again_is_one_release(desk):
    async def ask(_: int) -> object:
        return (await desk.deploy("app:2", id="sha-1")).release

    answers = await many(ask, SOME)
    await desk.result("sha-1")

    assert answers == {"sha-1": SOME}
    assert desk.images == ["app:2"]
    assert [one.release for one in (await desk.overview()).results] == ["sha-1"]
