"""Preflight says what somebody else changed in the task definition since our last release."""

from __future__ import annotations

import copy

from lastgood import messages
from lastgood.contracts import DeploymentOrder, DeploymentReport, ReleaseOrder
from lastgood.model import Outcome, Revision
from tests.durable.desk import RELEASE, policy
from tests.durable.world import SERVICE, arn


async def test_changes_by_others_are_a_warning_without_values(desk):
    before = {"name": "app", "image": "app:0", "memory": 512, "environment": []}
    last = Revision(
        task_definition=arn(77),
        source={"family": "web", "containerDefinitions": [before]},
        release="r0",
    )
    running = desk.world.definitions[arn(1)]["containerDefinitions"][0]
    running["environment"] = [{"name": "TOKEN", "value": "hunter2"}]
    order = ReleaseOrder(id="r1", image="app:2", policy=policy(), actor="ci")

    report = await desk.client.execute_workflow(
        messages.DEPLOYMENT,
        DeploymentOrder(release=order, service=SERVICE, last_released=last),
        id=RELEASE,
        task_queue=messages.TASK_QUEUE,
        result_type=DeploymentReport,
    )

    assert report.outcome is Outcome.HEALTHY
    (said,) = [note for note in (await desk.progress()).notes if "somebody else" in note]
    assert said == (
        "Warning: The task definition was changed since release r0 by somebody else: "
        "app: memory 512 → none; app: environment TOKEN added."
    )


async def test_the_guard_knows_what_it_released_last(desk):
    assert (await desk.release("app:2")).outcome is Outcome.HEALTHY
    source = copy.deepcopy(desk.world.definitions[arn(2)])
    source["containerDefinitions"][0]["memory"] = 512
    desk.world.deploy(desk.world.define(source), await desk.env.get_current_time())
    await desk.skip(minutes=2)

    assert (await desk.release("app:3")).outcome is Outcome.HEALTHY

    (said,) = [note for note in (await desk.progress()).notes if "somebody else" in note]
    assert said.endswith("since release app:2 by somebody else: app: memory none → 512.")


async def test_our_own_releases_are_nobody_elses(desk):
    for image in ("app:2", "app:3"):
        assert (await desk.release(image)).outcome is Outcome.HEALTHY
    assert not [note for note in (await desk.progress()).notes if "somebody else" in note]
