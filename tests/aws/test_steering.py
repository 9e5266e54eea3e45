"""Service deployments: read, stopped and continued, at most once each, whatever gets lost."""

import dataclasses
from collections.abc import Callable
from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError

from activities.clients import AwsClients
from activities.ecs import EcsActivities
from activities.steering import SteeringActivities
from lastgood.contracts import (
    ContinueOrder,
    ServiceDeploymentQuery,
    ServiceQuery,
    Steered,
    StopOrder,
)
from lastgood.errors import NOT_FOUND, OUTCOME_UNKNOWN
from lastgood.model import ServiceDeploymentState, ServiceState
from sandbox import Sandbox
from sandbox.scenarios.stack import Stack
from sandbox.scenarios.strategy import blue_green, canary, linear, pause
from tests.aws.conftest import Attempt, now, ref

pytestmark = pytest.mark.usefixtures("calm")
Make = Callable[..., Stack]
SHIFTED = "POST_PRODUCTION_TRAFFIC_SHIFT"


@pytest.fixture(scope="module")
def steering(clients: AwsClients) -> SteeringActivities:
    return SteeringActivities(clients)


async def newest(steering: SteeringActivities, stack: Stack) -> ServiceDeploymentState:
    query = ServiceDeploymentQuery(service=ref(stack))
    found = await Attempt().run(steering.describe_service_deployments, query)
    assert found
    return found


async def service(clients: AwsClients, stack: Stack, **more: bool) -> ServiceState:
    query = ServiceQuery(service=ref(stack), **more)
    found = await Attempt().run(EcsActivities(clients).describe_services, query)
    assert found
    return found


async def stop(steering: SteeringActivities, stack: Stack, arn: str, attempt: int = 1) -> Steered:
    tried = Attempt()
    tried.info = dataclasses.replace(tried.info, attempt=attempt)
    return await tried.run(steering.stop_service_deployment, StopOrder(service=ref(stack), arn=arn))


# --- Reading -----------------------------------------------------------------------------------


async def test_the_newest_service_deployment_and_one_by_its_arn(
    steering: SteeringActivities, clients: AwsClients, make: Make
) -> None:
    stack = make()
    before = (await service(clients, stack)).service_revision
    stack.deploy("shop:2.0-unhealthy")
    found = await newest(steering, stack)
    assert (found.status, found.sources) == ("IN_PROGRESS", (before,))
    assert found.target != before
    assert (await service(clients, stack)).service_deployment == found.arn
    query = ServiceDeploymentQuery(service=ref(stack), arn=found.arn)
    assert await Attempt().run(steering.describe_service_deployments, query) == found


async def test_what_a_service_says_of_its_strategy(clients: AwsClients, make: Make) -> None:
    hooks = (pause("POST_SCALE_UP", SHIFTED, minutes=30),)
    stack = make(load_balancer=True, strategy=blue_green(bake_minutes=7, hooks=hooks))
    state = await service(clients, stack, with_tags=True)
    assert (state.strategy, state.bake, state.shift) == (
        "BLUE_GREEN",
        timedelta(minutes=7),
        timedelta(0),
    )
    [hook] = state.hooks
    assert (hook.stages, hook.pauses) == (("POST_SCALE_UP", SHIFTED), True)
    assert (hook.timeout, hook.on_timeout) == (timedelta(minutes=30), "ROLLBACK")
    assert state.target_groups == (stack.target_group_arn,)
    assert state.alternate_target_groups == (stack.alternate_target_group_arn,)


@pytest.mark.parametrize(
    ("strategy", "minutes"),
    [
        (linear(percent=30, step_minutes=2), 6),
        (linear(percent=50, step_minutes=3), 3),
        (canary(canary_minutes=4), 4),
    ],
)
async def test_how_long_the_steps_of_a_shift_last(
    clients: AwsClients, make: Make, strategy: object, minutes: int
) -> None:
    stack = make(load_balancer=True, strategy=strategy)
    assert (await service(clients, stack)).shift == timedelta(minutes=minutes)


@pytest.mark.parametrize("action", ["ListServiceDeployments", "DescribeServiceDeployments"])
async def test_an_endpoint_that_knows_no_service_deployments(
    steering: SteeringActivities, make: Make, calm: Sandbox, action: str
) -> None:
    stack = make()
    calm.unsupported(action)
    query = ServiceDeploymentQuery(service=ref(stack))
    assert await Attempt().run(steering.describe_service_deployments, query) is None


# --- Stopping ----------------------------------------------------------------------------------


async def test_a_deployment_is_stopped_once_and_ecs_goes_back(
    steering: SteeringActivities, make: Make, calm: Sandbox
) -> None:
    stack = make()
    before = stack.describe()["deployments"][0]["id"]
    stack.deploy("shop:2.0-unhealthy")
    arn = (await newest(steering, stack)).arn
    assert (await stop(steering, stack, arn)).called
    again = await stop(steering, stack, arn)
    assert not again.called
    assert again.status.startswith("ROLLBACK_")
    assert calm.effects("StopServiceDeployment") == [f"rollback to {before}"]
    assert len(calm.requests("StopServiceDeployment")) == 1
    stack.wait_until_steady()
    assert (await newest(steering, stack)).status == "ROLLBACK_SUCCESSFUL"


async def test_a_stop_whose_answer_is_lost_counts_as_sent(
    steering: SteeringActivities, make: Make, calm: Sandbox
) -> None:
    stack = make()
    stack.deploy("shop:2.0-unhealthy")
    arn = (await newest(steering, stack)).arn
    calm.lose_answer("StopServiceDeployment")
    with pytest.raises(ApplicationError) as caught:
        await stop(steering, stack, arn)
    assert (caught.value.type, caught.value.non_retryable) == (OUTCOME_UNKNOWN, False)
    assert (await stop(steering, stack, arn, attempt=2)).called
    assert len(calm.effects("StopServiceDeployment")) == 1


async def test_a_finished_deployment_is_not_stopped(
    steering: SteeringActivities, make: Make, calm: Sandbox
) -> None:
    stack = make()
    arn = (await newest(steering, stack)).arn
    for attempt in (1, 2):
        answer = await stop(steering, stack, arn, attempt)
        assert (answer.called, answer.status) == (False, "SUCCESSFUL")
    assert calm.requests("StopServiceDeployment") == []


async def test_an_endpoint_that_cannot_stop_says_so_for_good(
    steering: SteeringActivities, make: Make, calm: Sandbox
) -> None:
    stack = make()
    stack.deploy("shop:2.0-unhealthy")
    calm.unsupported("StopServiceDeployment")
    with pytest.raises(ApplicationError) as caught:
        await stop(steering, stack, (await newest(steering, stack)).arn)
    assert caught.value.non_retryable


async def test_a_deployment_that_nobody_knows(steering: SteeringActivities, make: Make) -> None:
    stack = make()
    arn = (await newest(steering, stack)).arn
    with pytest.raises(ApplicationError) as caught:
        await stop(steering, stack, arn[:-4] + "xxxx")
    assert caught.value.type == NOT_FOUND


async def test_an_attempt_that_was_given_up_does_not_stop_anything(
    steering: SteeringActivities, make: Make, calm: Sandbox
) -> None:
    stack = make()
    stack.deploy("shop:2.0-unhealthy")
    order = StopOrder(service=ref(stack), arn=(await newest(steering, stack)).arn)
    old = Attempt(limit=20)
    old.info = dataclasses.replace(old.info, started_time=now() - timedelta(seconds=21))
    with pytest.raises(ApplicationError, match="too old to write"):
        await old.run(steering.stop_service_deployment, order)
    assert calm.requests("StopServiceDeployment") == []


# --- Continuing --------------------------------------------------------------------------------


async def paused(steering: SteeringActivities, make: Make) -> tuple[Stack, ContinueOrder]:
    """A blue/green deployment that waits at a hook."""
    stack = make(load_balancer=True, strategy=blue_green(hooks=(pause("POST_SCALE_UP"),)))
    stack.deploy("shop:2.0")
    stack.wait_until(lambda _: bool(stack.service_deployment().get("lifecycleHookDetails")))
    found = await newest(steering, stack)
    [hook] = found.awaiting
    assert (found.stage, hook.on_timeout) == ("POST_SCALE_UP", "ROLLBACK")
    assert hook.expires_at
    assert hook.expires_at > now()
    order = ContinueOrder(service=ref(stack), arn=found.arn, hook=hook.id, action="CONTINUE")
    return stack, order


@pytest.mark.parametrize("action", ["CONTINUE", "ROLLBACK"])
async def test_a_hook_is_answered_once(
    steering: SteeringActivities, make: Make, calm: Sandbox, action: str
) -> None:
    _, order = await paused(steering, make)
    order = ContinueOrder.model_validate({**order.model_dump(), "action": action})
    assert (await Attempt().run(steering.continue_service_deployment, order)).called
    again = await Attempt().run(steering.continue_service_deployment, order)
    assert not again.called
    assert len(calm.effects("ContinueServiceDeployment")) == 1
    assert len(calm.requests("ContinueServiceDeployment")) == 1
