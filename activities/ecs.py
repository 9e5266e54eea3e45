"""Amazon ECS: one kind of call each, named in AWS's own words."""

from __future__ import annotations

import time
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.ecs_answers import parse_service
from activities.ecs_calls import EcsCalls, still_in_time
from activities.watch import GRACE, beating, now, pause
from lastgood import errors
from lastgood.contracts import (
    RegisterOrder,
    ServiceGlance,
    ServiceNews,
    ServiceQuery,
    ServiceRevisionQuery,
    ServiceWatchOrder,
    TaskDefinitionQuery,
    TaskDefinitionState,
    Updated,
    UpdateOrder,
)
from lastgood.decisions import rollout
from lastgood.decisions.targets import images_of
from lastgood.decisions.task_definitions import registrable
from lastgood.messages import RELEASE_TAG
from lastgood.model import ContainerImage, ServiceDeploymentState, ServiceState

_MOST_TAGS = 50


class EcsActivities(EcsCalls):
    """Calls to ECS through injected clients."""

    @activity.defn
    async def describe_services(self, query: ServiceQuery) -> ServiceState | None:
        """Read a service; None if ECS does not know it."""
        return await self._describe(query.service, **_include(query))

    @activity.defn
    async def describe_task_definition(self, query: TaskDefinitionQuery) -> TaskDefinitionState:
        """Read a task definition with its tags."""
        answer = await self._call(
            query.region,
            "describe_task_definition",
            taskDefinition=query.task_definition,
            include=["TAGS"],
        )
        raw = answer["taskDefinition"]
        source = {k: v for k, v in raw.items() if not k.endswith("At")}
        if answer.get("tags"):
            source["tags"] = answer["tags"]
        return TaskDefinitionState(
            task_definition=raw["taskDefinitionArn"],
            active=raw.get("status", "ACTIVE") == "ACTIVE",
            source=source,
        )

    @activity.defn
    async def describe_service_revisions(self, query: ServiceRevisionQuery) -> list[ContainerImage]:
        """Read the images of a service revision, with the digests that ECS resolved."""
        answer = await self._call(
            query.region,
            "describe_service_revisions",
            serviceRevisionArns=[query.service_revision],
        )
        return [
            ContainerImage(
                container=image.get("containerName", ""),
                image=image.get("image", ""),
                digest=image.get("imageDigest"),
            )
            for revision in answer.get("serviceRevisions", [])
            for image in revision.get("containerImages", [])
        ]

    @activity.defn
    async def register_task_definition(self, order: RegisterOrder) -> str:
        """Register a task definition. Idempotent: looks for an earlier attempt's tag first.

        The same tag with other images is no earlier attempt: a release id that was used before,
        by whoever remembers nothing of it any more.

        Returns:
            Its ARN.
        """
        source = registrable(order.source)
        found = await self._find_registered(order, source)
        if found:
            return found
        # CloudFormation's own tags (aws:…) come with what it made, and cannot be set by others.
        kept = [tag for tag in source.pop("tags", []) if not _reserved(str(tag.get("key", "")))]
        tags = [*kept[: _MOST_TAGS - 1], {"key": RELEASE_TAG, "value": order.release[:256]}]
        answer = await self._call(order.region, "register_task_definition", **source, tags=tags)
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    async def _find_registered(self, order: RegisterOrder, source: dict[str, Any]) -> str | None:
        listed = await self._call(
            order.region,
            "list_task_definitions",
            familyPrefix=source["family"],
            status="ACTIVE",
            sort="DESC",
            maxResults=5,
        )
        for arn in listed.get("taskDefinitionArns", []):
            answer = await self._call(
                order.region, "describe_task_definition", taskDefinition=arn, include=["TAGS"]
            )
            tags = {tag.get("key"): tag.get("value") for tag in answer.get("tags", [])}
            same = images_of(answer["taskDefinition"]) == images_of(source)
            if same and tags.get(RELEASE_TAG) == order.release[:256]:
                return str(arn)
        return None

    @activity.defn
    async def update_service(self, order: UpdateOrder) -> Updated:
        """Move a service to a task definition. Idempotent: reads, compares, then writes once.

        ``desiredCount`` and ``forceNewDeployment`` are never sent: the first would undo auto
        scaling, the second would make a second deployment of a repeated call.

        Raises:
            ApplicationError: UNEXPECTED_STATE if the service runs neither what was expected nor
                the wanted revision; UNDONE if ECS has gone back from that already;
                ROLLOUT_INVISIBLE if no deployment shows for the write.
        """
        state = await self._describe(order.service)
        if state is None or state.status != "ACTIVE":
            raise _unexpected(f"{order.service} does not exist or is being deleted.")
        primary = state.primary
        if primary and primary.task_definition == order.task_definition:
            return Updated(deployment=primary.id, called=False, at=now())
        if primary is None or primary.task_definition not in order.expected:
            there = primary.task_definition if primary else "nothing"
            raise _unexpected(f"{order.service} runs {there}: somebody else changed it.")
        if rollout.was_undone(order, state, activity.info().attempt):
            raise undone(primary.task_definition)
        still_in_time()
        answer = await self._call(
            order.service.region,
            "update_service",
            cluster=order.service.cluster,
            service=order.service.name,
            taskDefinition=order.task_definition,
        )
        after = parse_service(answer["service"]).primary
        if after is None or after.task_definition != order.task_definition:
            raise ApplicationError(
                "This endpoint accepted UpdateService but shows no deployment for it: it does not "
                "simulate ECS rollouts (moto's own server does not).",
                type=errors.ROLLOUT_INVISIBLE,
                non_retryable=True,
            )
        return Updated(deployment=after.id, called=True, at=now())

    @activity.defn
    async def watch_service(self, order: ServiceWatchOrder) -> ServiceNews:
        """Follow our deployment until something decides it, or ``until`` has come."""
        details = activity.info().heartbeat_details
        seen = bool(details) and ServiceGlance.model_validate(details[0]).seen
        too_late = max(order.until, now()) + GRACE
        doubted: ServiceNews | None = None
        async with beating() as heart:
            heart.beat(_glance("not looked yet", None, seen, readable=False))
            while True:
                started, moment, readable = time.monotonic(), now(), True
                try:
                    state = await self._describe(order.service)
                    going = await self._way(order, state)
                except ApplicationError as error:
                    # The watch is not the service: what cannot be read decides nothing.
                    readable = False
                    text = f"ECS cannot be read: {error.message}"
                    heart.beat(_glance(text, None, seen, readable=False))
                else:
                    seen = seen or bool(state and rollout.ours(order, state))
                    heart.beat(_glance(rollout.in_words(order, state), state, seen))
                    news = rollout.assess(order, state, going, seen=seen, now=moment)
                    doubted = rollout.doubt(order, news, doubted)
                    if news and not doubted:
                        return news
                last = moment >= order.until
                undecided = doubted is not None or not readable
                if last and (moment >= too_late or not undecided):
                    return rollout.at_the_end(order, heart.details, moment)
                rest = order.interval.total_seconds() - (time.monotonic() - started)
                left = (order.until - now()).total_seconds()
                await pause(rest if last else min(rest, max(left, 0.0)))

    async def _way(
        self, order: ServiceWatchOrder, state: ServiceState | None
    ) -> ServiceDeploymentState | None:
        """The service deployment that matters too; what may not be read is not needed."""
        arn = rollout.follows(order, state)
        try:
            return await self._describe_deployment(order.service, arn) if arn else None
        except ApplicationError as error:
            if error.non_retryable:
                return None
            raise


def _glance(
    text: str, state: ServiceState | None, seen: bool, *, readable: bool = True
) -> ServiceGlance:
    return ServiceGlance(
        text=text,
        running=state.running if state else 0,
        desired=state.desired if state else 0,
        pending=state.pending if state else 0,
        failed=sum(one.failed for one in state.deployments) if state else 0,
        seen=seen,
        readable=readable,
    )


def _include(query: ServiceQuery) -> dict[str, list[str]]:
    return {"include": ["TAGS"]} if query.with_tags else {}


def _reserved(key: str) -> bool:
    return key == RELEASE_TAG or key.lower().startswith("aws:")


def undone(there: str) -> ApplicationError:
    """ECS has gone back from what an earlier attempt sent."""
    label = there.rsplit("/", 1)[-1]
    text = f"ECS rolled the service back to {label} before the deployment could be followed."
    return ApplicationError(text, type=errors.UNDONE, non_retryable=True)


def _unexpected(text: str) -> ApplicationError:
    return ApplicationError(text, type=errors.UNEXPECTED_STATE, non_retryable=True)
