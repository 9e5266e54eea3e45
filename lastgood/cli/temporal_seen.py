"""Temporal as the command line finds it: the first thing that a release needs."""

from __future__ import annotations

import os

from temporalio.api.enums.v1 import IndexedValueType, TaskQueueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError

from lastgood.cli import asking
from lastgood.contracts import Examination
from lastgood.decisions.examining import temporal
from lastgood.decisions.examining.lines import TEMPORAL, fine
from lastgood.errors import NoNamespaceError, UnreachableError
from lastgood.fleet import fleet_of
from lastgood.listing import registered
from lastgood.messages import TASK_QUEUE, WATCH_TASK_QUEUE

_KINDS = {
    TASK_QUEUE: (
        TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    ),
    WATCH_TASK_QUEUE: (TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,),
}
_TYPE = "INDEXED_VALUE_TYPE_"


async def look() -> tuple[Client | None, Examination]:
    """Connect and look; without Temporal or its namespace there is no client."""
    subject, where = "Temporal", _where()
    try:
        client = await asking.reach(worker=False)
    except NoNamespaceError as error:
        found = temporal.without_namespace(str(error))
        return None, Examination(subject=subject, where=where, lines=found)
    except UnreachableError as error:
        found = temporal.unreachable(str(error))
        return None, Examination(subject=subject, where=where, lines=found)
    lines = (
        fine(TEMPORAL, temporal.REACHABLE, "answers"),
        fine(TEMPORAL, temporal.NAMESPACE, f"{client.namespace} exists"),
        *temporal.of_queues(
            await pollers(client), await _why_nobody_begins(client), client.namespace
        ),
        *temporal.of_attributes(await _attributes(client), client.namespace),
    )
    return client, Examination(subject=subject, where=where, lines=lines)


def _where() -> str:
    """Address and namespace, as they are configured."""
    try:
        config = dict(ClientConfig.load_client_connect_config())
    except (RuntimeError, ValueError, OSError):  # said by whoever connects
        config = {}
    address = config.get("target_host") or os.environ.get("TEMPORAL_ADDRESS", "localhost:7233")
    return f"{address}, namespace {config.get('namespace', 'default')}"


async def pollers(client: Client) -> dict[str, int | None]:
    """Workers by task queue: those of whichever kind of task has the fewest."""
    return {
        queue: await _fewest(client, queue, [TaskQueueType.ValueType(kind) for kind in kinds])
        for queue, kinds in _KINDS.items()
    }


async def _fewest(client: Client, queue: str, kinds: list[TaskQueueType.ValueType]) -> int | None:
    found = []
    for kind in kinds:
        request = DescribeTaskQueueRequest(
            namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
        )
        try:
            answer = await client.workflow_service.describe_task_queue(request)
        except RPCError:
            return None
        found.append(len({one.identity for one in answer.pollers}))
    return min(found)


async def _why_nobody_begins(client: Client) -> str | None:
    try:
        return (await fleet_of(client)).why_nobody_begins()
    except RPCError:
        return None  # the queues' own lines say that Temporal does not tell


async def _attributes(client: Client) -> dict[str, str] | None:
    """The namespace's search attributes and their types; None where Temporal does not tell."""
    try:
        answer = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
    except RPCError:
        return await _told_to_all(client)
    names = {name: IndexedValueType.Name(kind) for name, kind in answer.custom_attributes.items()}
    return {
        name: "".join(part.title() for part in kind.removeprefix(_TYPE).split("_"))
        for name, kind in names.items()
    }


async def _told_to_all(client: Client) -> dict[str, str] | None:
    """Those of ours, from what is told to who is no operator."""
    try:
        return dict.fromkeys(await registered(client), temporal.KEYWORD)
    except RPCError:
        return None
