"""No release begins while the service is frozen, by a person or by the policy's windows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lastgood import messages
from lastgood.contracts import DeploymentOrder, DeploymentReport, Freeze, ReleaseOrder
from lastgood.model import Outcome
from tests.durable.desk import RELEASE, Desk, policy
from tests.durable.world import LONG_AGO, SERVICE

WINDOW = {"days": ["fri"], "from": "16:00", "zone": "Europe/Berlin", "reason": "Weekend"}
FREEZES = {"deploy": {"freeze": [WINDOW]}}
UNTIL = "until Mon 08:00 Europe/Berlin (Weekend)"


def an_order(**more: Any) -> ReleaseOrder:
    return ReleaseOrder(
        **({"id": "r1", "image": "app:2", "policy": policy(**FREEZES), "actor": "ci"} | more)
    )


async def released(desk: Desk, order: ReleaseOrder, frozen: Freeze | None) -> DeploymentReport:
    """Without a guard: what becomes of a release that is handed a freeze."""
    handed = DeploymentOrder(release=order, service=SERVICE, frozen=frozen)
    return await desk.client.execute_workflow(
        messages.DEPLOYMENT,
        handed,
        id=RELEASE,
        task_queue=messages.TASK_QUEUE,
        result_type=DeploymentReport,
    )


async def test_release_in_a_freeze_window_is_refused_before_anything_is_read(desk):
    desk.aws.frozen = UNTIL

    result = await desk.release("app:2", **FREEZES)

    assert result.outcome is Outcome.REFUSED
    assert result.reason == (
        f"The policy freezes shop/web {UNTIL}. Release then, or with --force --reason."
    )
    assert desk.aws.count("describe_services") == 0
    assert desk.images == []


async def test_forced_release_begins_in_a_freeze_window(desk):
    desk.aws.frozen = UNTIL

    await desk.order(an_order(force=True, reason="the fix"))

    assert (await desk.result("r1")).outcome is Outcome.HEALTHY


async def test_release_outside_of_the_windows_begins(desk):
    assert (await desk.release("app:2", **FREEZES)).outcome is Outcome.HEALTHY
    assert desk.aws.count("look_up_freeze") == 1


async def test_policy_without_windows_asks_nobody(desk):
    assert (await desk.release("app:2")).outcome is Outcome.HEALTHY
    assert desk.aws.count("look_up_freeze") == 0


FOR_GOOD = Freeze(at=LONG_AGO, actor="ann", reason="Black Friday.")


@pytest.mark.parametrize(
    ("frozen", "said"),
    [
        (FOR_GOOD, "ann has frozen shop/web: Black Friday. Release after `lastgood unfreeze shop/"),
        (
            FOR_GOOD.model_copy(update={"until": datetime(2999, 1, 31, 8, tzinfo=UTC)}),
            "ann has frozen shop/web until 2999-01-31 08:00 UTC: Black Friday. Release after",
        ),
    ],
)
async def test_release_is_refused_while_a_person_has_frozen_the_service(desk, frozen, said):
    report = await released(desk, an_order(), frozen)

    assert report.outcome is Outcome.REFUSED
    assert report.reason.startswith(said)
    assert desk.images == []


async def test_freeze_of_a_person_that_is_over_or_forced_refuses_nothing(desk):
    over = FOR_GOOD.model_copy(update={"until": LONG_AGO})
    forced = an_order(force=True, reason="the fix", image="app:3", id="r2")

    assert (await released(desk, an_order(), over)).outcome is Outcome.HEALTHY
    assert (await released(desk, forced, FOR_GOOD)).outcome is Outcome.HEALTHY
