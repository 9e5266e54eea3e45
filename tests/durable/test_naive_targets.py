"""What is gone back to is right where a naive choice is wrong: number minus one, or the family."""

from __future__ import annotations

import pytest

from lastgood.contracts import ReleaseOrder
from lastgood.model import Outcome, ReleaseResult
from tests.durable.desk import Desk, policy
from tests.durable.world import arn


def defined(desk: Desk, number: int, family: str, image: str) -> str:
    """A task definition that somebody registered."""
    name = arn(number, family)
    source = {"family": family, "containerDefinitions": [{"name": "app", "image": image}]}
    desk.world.definitions[name] = source
    return name


async def release(desk: Desk, task_definition: str, ident: str) -> ReleaseResult:
    """Release a task definition that was registered elsewhere."""
    order = ReleaseOrder(id=ident, task_definition=task_definition, policy=policy(), actor="ci")
    await desk.order(order)
    return await desk.result(ident)


async def test_three_bad_releases_in_a_row_all_go_back_to_the_same(desk):
    good = await desk.release("app:2")
    for number in (3, 4, 5):
        desk.world.define(desk.world.definitions[arn(1)])  # registered, and never deployed
        desk.world.bad(f"app:{number}", after=40)
        bad = await desk.release(f"app:{number}")

        assert bad.outcome is Outcome.ROLLED_BACK
        assert bad.rollback.to == good.to_task_definition == arn(2)
        assert desk.world.primary.task_definition == arn(2)
    assert desk.images == ["app:2", "app:3", "app:2", "app:4", "app:2", "app:5", "app:2"]


@pytest.mark.campaign
async def test_two_families_are_told_apart_though_their_numbers_are_the_same(desk):
    other = defined(desk, 1, "api", "app:2")
    assert (await release(desk, other, "r1")).outcome is Outcome.HEALTHY
    desk.world.bad("app:3", after=40)
    bad = await release(desk, defined(desk, 2, "web", "app:3"), "r2")
    assert (bad.outcome, bad.rollback.to) == (Outcome.ROLLED_BACK, other)
    desk.world.bad("app:4", after=40)
    worse = await release(desk, defined(desk, 2, "api", "app:4"), "r3")
    assert (worse.outcome, worse.rollback.to) == (Outcome.ROLLED_BACK, other)

    accepted = await desk.rollback(to=arn(1))
    back = await desk.result(accepted.release)

    assert (back.outcome, desk.world.primary.task_definition) == (Outcome.ROLLED_BACK, arn(1))
