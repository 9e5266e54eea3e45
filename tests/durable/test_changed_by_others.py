"""Preflight says what somebody else changed in the task definition since our last release."""

from __future__ import annotations

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
