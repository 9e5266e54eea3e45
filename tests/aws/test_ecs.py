"""Our calls to ECS: each changes at most one thing, however often its answer is lost."""

import asyncio
import dataclasses
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from moto.server import DomainDispatcherApplication, create_backend_app
from temporalio.exceptions import ApplicationError
from werkzeug.serving import make_server

from activities import ecs as module
from activities.clients import AwsClients
from activities.ecs import EcsActivities
from activities.ecs_answers import parse_service
from lastgood.contracts import (
    RegisterOrder,
    ServiceNews,
    ServiceQuery,
    ServiceWatchOrder,
    TaskDefinitionQuery,
    Updated,
    UpdateOrder,
)
from lastgood.decisions.task_definitions import with_image
from lastgood.errors import OUTCOME_UNKNOWN, ROLLOUT_INVISIBLE, UNEXPECTED_STATE
from lastgood.messages import RELEASE_TAG
from lastgood.model import ServiceRef
from sandbox import Sandbox
from sandbox.scenarios.stack import Stack
from tests.aws.conftest import REGION, Attempt, clients_at, now, ref, unique

pytestmark = pytest.mark.usefixtures("calm")
Make = Callable[..., Stack]


@pytest.fixture(scope="module")
def ecs(clients: AwsClients) -> EcsActivities:
    return EcsActivities(clients)


async def update(ecs: EcsActivities, stack: Stack, arn: str, *expected: str) -> Updated:
    order = UpdateOrder(
        service=ref(stack),
        task_definition=arn,
        expected=expected or (stack.task_definition,),
    )
    return await Attempt().run(ecs.update_service, order)


def primary(stack: Stack) -> dict[str, Any]:
    found: dict[str, Any] = stack.describe()["deployments"][0]
    return found


# --- Reading -----------------------------------------------------------------------------------


async def test_describe_services(ecs: EcsActivities, make: Make) -> None:
    stack = make(load_balancer=True, circuit_breaker=True)
    state = await Attempt().run(ecs.describe_services, ServiceQuery(service=ref(stack)))
    assert state
    assert (state.status, state.desired, state.running, state.pending) == ("ACTIVE", 1, 1, 0)
    assert (state.controller, state.scheduling, state.strategy) == ("ECS", "REPLICA", "ROLLING")
    assert state.target_groups == (stack.target_group_arn,)
    assert state.circuit_breaker
    assert state.primary
    assert state.primary.task_definition == stack.task_definition
    assert state.primary.id.startswith("ecs-svc/")
    assert state.primary.rollout_state == "COMPLETED"


async def test_a_service_that_does_not_exist(ecs: EcsActivities, make: Make) -> None:
    there = ref(make())
    nobody = there.model_copy(update={"name": "nobody"})
    assert await Attempt().run(ecs.describe_services, ServiceQuery(service=nobody)) is None
    nowhere = there.model_copy(update={"cluster": "nowhere"})
    with pytest.raises(ApplicationError) as caught:
        await Attempt().run(ecs.describe_services, ServiceQuery(service=nowhere))
    assert caught.value.type == "ClusterNotFoundException"
    assert caught.value.non_retryable


@pytest.mark.parametrize(
    ("fault", "kind", "final"),
    [
        (lambda cloud: cloud.throttle("DescribeServices"), "ThrottlingException", False),
        (lambda cloud: cloud.fail("DescribeServices"), "ServerException", False),
        (lambda cloud: cloud.deny("DescribeServices", times=1), "AccessDeniedException", True),
        (lambda cloud: cloud.lose_answer("DescribeServices"), OUTCOME_UNKNOWN, False),
    ],
)
async def test_what_fails_is_told_apart_and_asked_once(
    ecs: EcsActivities,
    make: Make,
    calm: Sandbox,
    fault: Callable[[Sandbox], None],
    kind: str,
    final: bool,
) -> None:
    query = ServiceQuery(service=ref(make(wait=False)))
    calm.forget_requests()
    fault(calm)
    with pytest.raises(ApplicationError) as caught:
        await Attempt().run(ecs.describe_services, query)
    assert (caught.value.type, caught.value.non_retryable) == (kind, final)
    assert caught.value.message.startswith("ecs:DescribeServices: ")
    assert len(calm.requests("DescribeServices")) == 1  # Temporal retries, boto3 does not


async def test_a_late_answer_keeps_the_worker_free(
    ecs: EcsActivities, make: Make, calm: Sandbox
) -> None:
    query = ServiceQuery(service=ref(make(wait=False)))
    calm.delay("DescribeServices", 1.0, times=1)
    call = asyncio.create_task(Attempt().run(ecs.describe_services, query))
    turns = 0
    while not call.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert turns > 5
    assert await call


# --- Registering -------------------------------------------------------------------------------


async def read(ecs: EcsActivities, arn: str) -> dict[str, Any]:
    query = TaskDefinitionQuery(region=REGION, task_definition=arn)
    state = await Attempt().run(ecs.describe_task_definition, query)
    assert state.task_definition == arn
    return state.source


async def test_a_task_definition_that_differs_only_in_its_image(
    ecs: EcsActivities, make: Make, plain_client: Callable[[str], Any]
) -> None:
    stack = make(environment={"COLOUR": "blue"})
    before = await read(ecs, stack.task_definition)
    source = with_image(before, "app", "shop:2.0")
    order = RegisterOrder(region=REGION, source=source, release="r1")
    arn = await Attempt().run(ecs.register_task_definition, order)
    after = await read(ecs, arn)
    assert after.pop("tags") == [{"key": RELEASE_TAG, "value": "r1"}]
    assert after["containerDefinitions"][0]["image"] == "shop:2.0"
    differs = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    assert differs == {"taskDefinitionArn", "revision", "containerDefinitions"}
    assert with_image(after, "app", "shop:1.0") == with_image(before, "app", "shop:1.0")


async def test_registered_twice_is_one_revision(
    ecs: EcsActivities, make: Make, calm: Sandbox
) -> None:
    stack = make(wait=False)
    source = with_image(await read(ecs, stack.task_definition), "app", "shop:2.0")
    order = RegisterOrder(region=REGION, source=source, release="r1")
    calm.lose_answer("RegisterTaskDefinition")
    with pytest.raises(ApplicationError) as caught:
        await Attempt().run(ecs.register_task_definition, order)
    assert caught.value.type == OUTCOME_UNKNOWN
    arns = {await Attempt().run(ecs.register_task_definition, order) for _ in range(3)}
    assert arns == {stack.task_definition.rsplit(":", 1)[0] + ":2"}
    assert len(calm.requests("RegisterTaskDefinition")) == 2  # the stack's own, and one
    other = order.model_copy(update={"release": "r2"})
    assert (await Attempt().run(ecs.register_task_definition, other)).endswith(":3")


async def test_an_id_that_is_used_again_for_another_image_is_another_revision(
    ecs: EcsActivities, make: Make, calm: Sandbox
) -> None:
    stack = make(wait=False)
    before = await read(ecs, stack.task_definition)
    arns = []
    for image in ("shop:2.0", "shop:3.0"):
        source = with_image(before, "app", image)
        order = RegisterOrder(region=REGION, source=source, release="r1")
        arns.append(await Attempt().run(ecs.register_task_definition, order))
    assert len(set(arns)) == 2
    assert (await read(ecs, arns[1]))["containerDefinitions"][0]["image"] == "shop:3.0"


async def test_tags_are_kept_but_not_those_of_cloudformation(
    ecs: EcsActivities, make: Make, calm: Sandbox
) -> None:
    stack = make(wait=False)
    source = await read(ecs, stack.task_definition)
    source["tags"] = [
        {"key": "team", "value": "shop"},
        {"key": "aws:cloudformation:stack-name", "value": "shop"},
        {"key": RELEASE_TAG, "value": "an older release"},
    ]
    order = RegisterOrder(region=REGION, source=source, release="r1")
    arn = await Attempt().run(ecs.register_task_definition, order)
    tags = {tag["key"]: tag["value"] for tag in (await read(ecs, arn))["tags"]}
    assert tags == {"team": "shop", RELEASE_TAG: "r1"}


async def test_an_inactive_task_definition(
    ecs: EcsActivities, make: Make, plain_client: Callable[[str], Any]
) -> None:
    stack = make()
    arn = stack.register("shop:2.0")
    plain_client("ecs").deregister_task_definition(taskDefinition=arn)
    query = TaskDefinitionQuery(region=REGION, task_definition=arn)
    assert not (await Attempt().run(ecs.describe_task_definition, query)).active
    with pytest.raises(ApplicationError) as caught:
        await update(ecs, stack, arn)
    assert caught.value.non_retryable
    assert primary(stack)["taskDefinition"] == stack.task_definition


# --- Updating ----------------------------------------------------------------------------------


async def test_an_update_is_one_new_deployment(
    ecs: EcsActivities, make: Make, calm: Sandbox
) -> None:
    stack = make()
    arn = stack.register("shop:2.0")
    before = primary(stack)["id"]
    made = await update(ecs, stack, arn)
    assert made.called
    assert made.deployment == primary(stack)["id"] != before
    assert calm.effects("UpdateService") == [f"deployment {made.deployment}"]
    again = await update(ecs, stack, arn)
    assert (again.called, again.deployment) == (False, made.deployment)
    assert len(calm.requests("UpdateService")) == 1


async def test_an_update_whose_answer_is_lost_is_adopted(
    ecs: EcsActivities, make: Make, calm: Sandbox
) -> None:
    stack = make()
    arn = stack.register("shop:2.0")
    calm.lose_answer("UpdateService")
    with pytest.raises(ApplicationError, match="no usable answer") as caught:
        await update(ecs, stack, arn)
    assert (caught.value.type, caught.value.non_retryable) == (OUTCOME_UNKNOWN, False)
    adopted = await update(ecs, stack, arn)
    assert not adopted.called
    assert calm.effects("UpdateService") == [f"deployment {adopted.deployment}"]
    assert primary(stack)["id"] == adopted.deployment


async def test_an_update_sends_nothing_but_the_revision(
    ecs: EcsActivities, clients: AwsClients, make: Make
) -> None:
    stack = make()
    sent: list[dict[str, Any]] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        sent.append(params)

    events = clients("ecs", REGION).meta.events
    events.register("provide-client-params.ecs.UpdateService", note)
    try:
        arn = stack.register("shop:2.0")
        await update(ecs, stack, arn)
    finally:
        events.unregister("provide-client-params.ecs.UpdateService", note)
    where = {"cluster": stack.cluster, "service": stack.service}
    assert sent == [{**where, "taskDefinition": arn}]


async def test_somebody_elses_release_is_not_touched(
    ecs: EcsActivities, make: Make, calm: Sandbox
) -> None:
    stack = make()
    arn = stack.register("shop:2.0")
    stranger = stack.deploy("shop:3.0")
    calm.forget_requests()
    with pytest.raises(ApplicationError, match="somebody else") as caught:
        await update(ecs, stack, arn)
    assert (caught.value.type, caught.value.non_retryable) == (UNEXPECTED_STATE, True)
    assert calm.requests("UpdateService") == []
    assert primary(stack)["id"] == stranger


async def test_a_deleted_service_is_not_updated(
    ecs: EcsActivities, make: Make, calm: Sandbox
) -> None:
    stack = make()
    arn = stack.register("shop:2.0")
    stack.delete()
    with pytest.raises(ApplicationError, match="does not exist") as caught:
        await update(ecs, stack, arn)
    assert caught.value.type == UNEXPECTED_STATE


async def test_an_attempt_that_was_given_up_does_not_write(
    ecs: EcsActivities, make: Make, calm: Sandbox
) -> None:
    stack = make()
    order = UpdateOrder(
        service=ref(stack),
        task_definition=stack.register("shop:2.0"),
        expected=(stack.task_definition,),
    )
    old = Attempt(limit=20)
    old.info = dataclasses.replace(old.info, started_time=now() - timedelta(seconds=21))
    with pytest.raises(ApplicationError, match="too old to write"):
        await old.run(ecs.update_service, order)
    assert calm.requests("UpdateService") == []


@pytest.mark.parametrize(
    ("fault", "kind", "final"),
    [
        ("throttle", "ThrottlingException", False),
        ("fail", "ServerException", False),
        ("deny", "AccessDeniedException", True),
    ],
)
async def test_an_update_that_was_refused(
    ecs: EcsActivities, make: Make, calm: Sandbox, fault: str, kind: str, final: bool
) -> None:
    stack = make()
    arn = stack.register("shop:2.0")
    getattr(calm, fault)("UpdateService")
    with pytest.raises(ApplicationError) as caught:
        await update(ecs, stack, arn)
    assert (caught.value.type, caught.value.non_retryable) == (kind, final)
    assert calm.effects("UpdateService") == []
    calm.clear_faults()
    assert (await update(ecs, stack, arn)).called


# --- Following ---------------------------------------------------------------------------------


def following(stack: Stack, deployment: str, arn: str, **keys: Any) -> ServiceWatchOrder:
    return ServiceWatchOrder.model_validate(
        {
            "service": ref(stack),
            "task_definition": arn,
            "deployment": deployment,
            "wrong": (stack.task_definition,),
            "previous_deployments": (keys.pop("before"),),
            "deployed_at": now(),
            "until": now() + timedelta(seconds=30),
            "interval": timedelta(milliseconds=100),
            "goal": "rollout",
            **keys,
        }
    )


async def deployed(ecs: EcsActivities, stack: Stack, image: str, **keys: Any) -> ServiceWatchOrder:
    before, arn = primary(stack)["id"], stack.register(image)
    made = await update(ecs, stack, arn)
    return following(stack, made.deployment, arn, before=before, **keys)


async def test_a_rollout_is_followed_until_complete(ecs: EcsActivities, make: Make) -> None:
    order = await deployed(ecs, make(), "shop:2.0")
    follow = Attempt()
    news = await follow.run(ecs.watch_service, order)
    assert (news.kind, news.deployment) == ("complete", order.deployment)
    assert news.reason == "1 of 1 tasks run."
    assert "tasks running" in follow.heartbeats[-1]["text"]


async def test_answers_from_the_past_are_not_complete(
    ecs: EcsActivities, make: Make, calm: Sandbox
) -> None:
    """DescribeServices shows the old deployment, steady: ECS's own waiter calls that success."""
    stack = make()
    calm.stale(3600)
    before, arn = primary(stack)["id"], stack.register("shop:2.0")
    made = await update(ecs, stack, arn)
    assert made.called
    order = following(stack, made.deployment, arn, before=before)
    follow = Attempt()
    looks = 0

    def count() -> None:
        nonlocal looks
        looks += 1
        if looks == 8:
            calm.clear_faults()

    follow.after = count
    news = await follow.run(ecs.watch_service, order)
    assert looks >= 8
    assert (news.kind, news.deployment) == ("complete", made.deployment)


async def test_one_answer_from_the_past_later_on_displaces_nothing(
    ecs: EcsActivities, make: Make, calm: Sandbox
) -> None:
    stack = make()
    order = await deployed(ecs, stack, "shop:2.0")
    stack.wait_until_steady()
    seen = {"text": "", "running": 1, "desired": 1, "pending": 0, "failed": 0, "seen": True}
    calm.stale(3600, times=1)  # the service did not exist then, or ran the old revision
    news = await Attempt(seen).run(
        ecs.watch_service,
        order.model_copy(update={"goal": "window", "until": now() + timedelta(seconds=1)}),
    )
    assert news.kind == "quiet"


async def test_somebody_else_is_believed_when_seen_twice(
    ecs: EcsActivities, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.rollout, "CONFIRMED_AFTER", timedelta(milliseconds=300))
    stack = make()
    order = await deployed(ecs, stack, "shop:2.0", goal="window")
    stranger = stack.deploy("shop:3.0")
    seen = {"text": "", "running": 1, "desired": 1, "pending": 0, "failed": 0, "seen": True}
    news = await Attempt(seen).run(ecs.watch_service, order)
    assert (news.kind, news.deployment) == ("superseded", stranger)


async def test_a_rollout_that_never_completes_is_stuck(ecs: EcsActivities, make: Make) -> None:
    # Never healthy, but still within its grace period: nothing has failed yet.
    stack = make(load_balancer=True, grace_seconds=300)
    order = await deployed(ecs, stack, "shop:2.0-unhealthy")
    ends = order.model_copy(update={"until": now() + timedelta(seconds=1)})
    news = await Attempt().run(ecs.watch_service, ends)
    assert news.kind == "stuck", news.reason
    assert "Not complete after" in news.reason


async def test_tasks_that_fail_in_a_row_are_a_failed_rollout(
    ecs: EcsActivities, make: Make
) -> None:
    order = await deployed(ecs, make(), "shop:2.0-crash")
    news = await Attempt().run(ecs.watch_service, order)
    assert (news.kind, news.deployment) == ("failed", order.deployment)
    assert "in a row failed" in news.reason


async def test_what_cannot_be_read_is_neither_stuck_nor_fine(
    ecs: EcsActivities, make: Make, calm: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE", timedelta(milliseconds=500))
    order = await deployed(ecs, make(), "shop:2.0")
    for goal in ("rollout", "window"):
        calm.deny("DescribeServices")
        ends = {"goal": goal, "until": now() + timedelta(milliseconds=500)}
        news = await Attempt().run(ecs.watch_service, order.model_copy(update=ends))
        assert news.kind == "unreadable"
        assert "AccessDenied" in news.reason


async def test_the_last_look_is_tried_again(ecs: EcsActivities, make: Make, calm: Sandbox) -> None:
    stack = make()
    order = await deployed(ecs, stack, "shop:2.0")
    stack.wait_until_steady()
    calm.throttle("DescribeServices", times=5)
    news = await Attempt().run(ecs.watch_service, order.model_copy(update={"until": now()}))
    assert news.kind == "complete"


async def test_a_watch_hands_over_when_its_worker_stops(ecs: EcsActivities, make: Make) -> None:
    stack = make()
    order = await deployed(ecs, stack, "shop:2.0", goal="window")
    follow = Attempt()
    running = asyncio.create_task(follow.run(ecs.watch_service, order))
    visible = asyncio.Event()
    follow.after = lambda: visible.set() if follow.heartbeats[-1]["seen"] else None
    await visible.wait()
    follow.worker_shutdown()
    with pytest.raises(ApplicationError) as caught:
        await running
    assert (caught.value.type, caught.value.non_retryable) == ("WorkerShutdown", False)
    # The next attempt knows that our deployment was visible: its absence means something.
    fresh = Attempt(follow.heartbeats[-1])
    ends = order.model_copy(update={"until": now()})
    await fresh.run(ecs.watch_service, ends)
    assert all(beat["seen"] for beat in fresh.heartbeats)


async def test_a_service_deleted_meanwhile_is_gone(
    ecs: EcsActivities, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.rollout, "CONFIRMED_AFTER", timedelta(milliseconds=100))
    stack = make()
    order = await deployed(ecs, stack, "shop:2.0", goal="window")
    stack.delete()
    news: ServiceNews = await Attempt().run(ecs.watch_service, order)
    assert news.kind == "gone"


# --- An emulator without rollouts --------------------------------------------------------------


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    app = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


async def test_an_emulator_that_shows_no_rollout_ends_in_a_clear_message(moto: str) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    clients = clients_at({**keys, "AWS_ENDPOINT_URL": moto})
    client = boto3.client(
        "ecs", REGION, endpoint_url=moto, aws_access_key_id="x", aws_secret_access_key="x"
    )  # patient: moto wakes slowly
    name = unique("web")
    definition = {
        "family": name,
        "containerDefinitions": [{"name": "app", "image": "shop:1", "memory": 64}],
    }
    client.create_cluster(clusterName=name)
    old, new = (
        client.register_task_definition(**definition)["taskDefinition"]["taskDefinitionArn"]
        for _ in range(2)
    )
    client.create_service(cluster=name, serviceName=name, taskDefinition=old, desiredCount=1)
    order = UpdateOrder(
        service=ServiceRef(region=REGION, cluster=name, name=name),
        task_definition=new,
        expected=(old,),
    )
    with pytest.raises(ApplicationError, match="does not simulate ECS rollouts") as caught:
        await Attempt().run(EcsActivities(clients).update_service, order)
    assert (caught.value.type, caught.value.non_retryable) == (ROLLOUT_INVISIBLE, True)
    client.close()
    clients("ecs", REGION).close()


def test_the_clients_ask_once_and_not_for_ever() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        client = AwsClients(boto3.Session("x", "y"))("ecs", REGION)
    config = client.meta.config
    assert config.retries["total_max_attempts"] == 1
    assert config.connect_timeout + config.read_timeout < 10
    assert client.meta.endpoint_url == "http://127.0.0.1:9"
    client.close()


@pytest.mark.parametrize(
    ("revisions", "runs"),
    [
        ([("a", 2)], "a"),
        ([("a", 2), ("b", 0)], "a"),  # the old one drains
        ([("a", 1), ("b", 2)], None),  # mid-rollout: the first may be the other one
        ([("a", 0)], "a"),
        ([], None),
    ],
)
def test_the_revision_that_runs_is_told_only_where_there_is_one(
    revisions: list[tuple[str, int]], runs: str | None
) -> None:
    told = [{"arn": arn, "requestedTaskCount": wanted} for arn, wanted in revisions]

    state = parse_service({"serviceArn": "web", "currentServiceRevisions": told})

    assert state.service_revision == runs
