"""Every message about the service at every step: what is answered, and that it becomes so."""

from __future__ import annotations

import pytest

from tests.durable.desk import Desk
from tests.durable.steps import (
    R,
    ask,
    back,
    failed,
    good,
    held,
    idle,
    queued,
    rolling_back,
    rollout,
    window,
)
from tests.durable.world import arn

FROZEN = "done: shop/web is frozen until unfrozen. Rollbacks may still happen."
NOT_FROZEN = "shop/web is not frozen: releases may begin."
RESET = "done: Cooldown and rollback limit of shop/web are reset."
NOTHING_COUNTS = "No rollback of shop/web counts now: there is nothing to reset."
NOBODY_TOLD = "Nobody is being told of a failed rollback of shop/web: nothing to acknowledge."
ADOPTED = "done: web:{revision} is the last known good revision of shop/web now."


def busy(release: str) -> str:
    return f"{release} is under way: adopt what runs when it has ended."


async def waiting(desk: Desk) -> None:
    """The release waits for another, which is in its window."""
    await queued(desk)
    await desk.skip(minutes=2)


@pytest.mark.parametrize(
    ("step", "reset", "adopt", "acknowledge"),
    [
        (idle, NOTHING_COUNTS, ADOPTED.format(revision=1), NOBODY_TOLD),
        (waiting, NOTHING_COUNTS, busy("app:2"), NOBODY_TOLD),
        (rollout, NOTHING_COUNTS, busy(R), NOBODY_TOLD),
        (window, NOTHING_COUNTS, busy(R), NOBODY_TOLD),
        (held, NOTHING_COUNTS, busy(R), NOBODY_TOLD),
        (rolling_back, RESET, busy(R), NOBODY_TOLD),
        (good, NOTHING_COUNTS, ADOPTED.format(revision=2), NOBODY_TOLD),
        (back, RESET, ADOPTED.format(revision=1), NOBODY_TOLD),
        (failed, RESET, ADOPTED.format(revision=1),
         f"done: Nobody is told of {R} any more: ann takes care."),
    ],
)  # fmt: skip
async def test_message_about_the_service_is_done_or_refused_with_a_reason(
    desk, step, reset, adopt, acknowledge
):
    await step(desk)
    before = len((await desk.overview()).actions) if step is not idle else 0
    moved = list(desk.images)
    asked = {
        "unfreeze": NOT_FROZEN,
        "freeze": FROZEN,
        "reset": reset,
        "adopt": adopt,
        "acknowledge": acknowledge,
    }

    answers = {verb: await ask(desk, verb) for verb in asked}

    assert answers == asked
    assert (await ask(desk, "freeze")).startswith("shop/web is frozen already by ann (because).")
    assert await ask(desk, "unfreeze") == "done: Releases of shop/web may begin again."
    overview = await desk.overview()
    done = [verb for verb, answer in answers.items() if answer.startswith("done")]
    noted = [one.verb for one in overview.actions][: len(overview.actions) - before]
    assert sorted(noted) == sorted([*done, "unfreeze"])
    assert desk.images == moved, "none of them touches the service"
    if adopt.startswith("done"):
        assert overview.last_known_good.task_definition == desk.world.primary.task_definition
    assert (reset != RESET) or overview.rollbacks_counted == 0


async def test_adopt_asks_that_what_runs_is_steady(desk):
    desk.world.stranger_deploys(await desk.env.get_current_time())
    desk.world.primary.state, desk.world.primary.running = "IN_PROGRESS", 0

    answer = await ask(desk, "adopt")

    assert answer.startswith("shop/web cannot be adopted:"), answer
    assert desk.world.primary.task_definition != arn(1)
