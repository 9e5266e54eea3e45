"""The activities of ``worker.py`` under their own names, answered by a scripted ``World``.

A watch computes from the script what it would have seen, so that nothing waits in real time:

* on the time-skipping server it fails with a ``next_retry_delay`` up to the next moment at which
  something happens. While it waits for its retry nothing runs, so the server skips there;
* on a real server (``patient=True``) it sleeps and heartbeats like ours.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.ecs import undone
from lastgood import errors
from lastgood.contracts import (
    AlarmMark,
    AlarmQuery,
    AlarmState,
    ContinueOrder,
    EmailOrder,
    FreezeAnswer,
    FreezeQuery,
    ImageQuery,
    LoadBalancerFacts,
    MetricFacts,
    MetricProbe,
    Notice,
    PagerDutyOrder,
    ProbeAnswer,
    RegisterOrder,
    ResolveOrder,
    ServiceDeploymentQuery,
    ServiceNews,
    ServiceQuery,
    ServiceRevisionQuery,
    ServiceWatchOrder,
    SlackOrder,
    SlackPicture,
    SlackPost,
    SlackPosted,
    SmokeOrder,
    SnsOrder,
    Steered,
    StopOrder,
    TagOrder,
    Tally,
    TaskDefinitionQuery,
    TaskDefinitionState,
    TeamsOrder,
    Updated,
    UpdateOrder,
    WatchedTrigger,
    WatchOrder,
    WatchReport,
    WebhookOrder,
)
from lastgood.decisions import rollout
from lastgood.decisions.task_definitions import registrable
from lastgood.decisions.verdicts import conclude
from lastgood.model import (
    ContainerImage,
    Measurement,
    Reading,
    ServiceDeploymentState,
    ServiceState,
    Status,
    Verdict,
)
from tests.durable.fake_examinations import EXAMINATIONS
from tests.durable.world import Call, World

_AT_LEAST = timedelta(milliseconds=100)
_AFTERWARDS = timedelta(seconds=1)
"""A watch looks a little after a deadline, as in reality. The test server wedges where a
timer is cancelled in the millisecond in which it fires (sdk-java#3088)."""


class FakeAws:
    """Our activities, on a world."""

    def __init__(self, world: World, *, patient: bool = False) -> None:
        self.world = world
        self.patient = patient
        self.told: list[tuple[str, Notice]] = []
        self.unreachable: set[str] = set()
        """Channels that never take a message."""
        self.smoke: dict[str, list[bool]] = {}
        """Answers by image, the last one for ever; good without an entry."""
        self.watched: list[WatchOrder | ServiceWatchOrder] = []
        """The orders of all watches, once for each attempt."""
        self.resolved: list[ResolveOrder] = []
        self.exclusive = True
        """Whether the load balancer has no target groups but the service's."""
        self.proofs: dict[str, str] = {}
        """What tallies have as ``sure``."""
        self.watch_crashes = 0
        """So many attempts of watches over metrics die without an answer."""
        self.frozen: str | None = None
        """Until when, and why, if the policy's freeze windows hold."""
        self.posts: list[SlackPost] = []
        """What a Slack bot posted, in order."""
        self.updates: list[tuple[str, str]] = []
        """Which notice a thread's first message told of, and which it tells of now."""
        self.recorded = False
        """Whether verdicts have what they were decided from."""
        self.pictures: list[tuple[str, str]] = []
        """Which thread got a picture of which trigger."""
        self.pictured_mails: list[str] = []
        self.events: list[tuple[str, str, str]] = []
        """Release, action and notice of each of PagerDuty's events."""
        self.meanwhile: dict[str, Callable[[], Awaitable[None]]] = {}
        """What happens while the first call of this name is under way."""
        self._counts: dict[str, int] = {}
        self._registered: dict[tuple[str, str], str] = {}
        """By family and tag."""
        self._seen: set[str | None] = set()

    @property
    def calls(self) -> list[Any]:
        return [
            self.describe_services,
            self.describe_task_definition,
            self.describe_service_revisions,
            self.register_task_definition,
            self.update_service,
            self.describe_service_deployments,
            self.stop_service_deployment,
            self.continue_service_deployment,
            self.tag_resource,
            self.describe_images,
            self.get_metric_data,
            self.describe_alarms,
            self.set_alarm_state,
            self.describe_target_groups,
            self.smoke_test,
            self.look_up_freeze,
            self.notify_slack,
            self.notify_email_ses,
            self.notify_email_smtp,
            self.notify_sns,
            self.notify_webhook,
            self.notify_teams,
            self.post_slack_message,
            self.update_slack_message,
            self.add_slack_picture,
            self.send_pagerduty_event,
            *EXAMINATIONS,
        ]

    def count(self, name: str) -> int:
        """How often an activity of this name was called."""
        return self._counts.get(name, 0)

    @property
    def watches(self) -> list[Any]:
        return [self.watch_service, self.watch_metrics, self.watch_alarms, self.watch_health]

    def _now(self) -> datetime:
        """The server's time; on the way everything happens that should have."""
        now = datetime.now(UTC) if self.patient else activity.info().started_time
        self.world.advance(now)
        return now

    def _interfere(self, name: str, script: dict[Any, Callable[[World, datetime], None]]) -> None:
        do = script.get((name, self._counts[name]))
        if do:
            do(self.world, self._now())

    def _count(self, name: str) -> None:
        self._counts[name] = self._counts.get(name, 0) + 1
        self._interfere(name, self.world.interference)

    async def _meanwhile(self, name: str) -> None:
        if name in self.meanwhile:
            await self.meanwhile.pop(name)()

    # --- ECS -------------------------------------------------------------------------------

    @activity.defn(name="describe_services")
    async def describe_services(self, query: ServiceQuery) -> ServiceState | None:
        self._now()
        if query.with_tags:
            self._count("read_tags")
            state = self.world.state()
            return state.model_copy(update={"tags": dict(self.world.tags)}) if state else None
        self._count("describe_services")
        await self._meanwhile("describe_services")
        return self.world.state()

    @activity.defn(name="describe_task_definition")
    async def describe_task_definition(self, query: TaskDefinitionQuery) -> TaskDefinitionState:
        self._now()
        self._count("describe_task_definition")
        await self._meanwhile("describe_task_definition")
        known = {one.rsplit("/", 1)[-1]: one for one in self.world.definitions}
        name = known.get(query.task_definition.rsplit("/", 1)[-1])
        if name is None:
            text = f"ecs:DescribeTaskDefinition: no {query.task_definition}"
            raise ApplicationError(text, type="ClientException", non_retryable=True)
        return TaskDefinitionState(
            task_definition=name,
            active=name not in self.world.inactive,
            source={**self.world.definitions[name], "taskDefinitionArn": name},
        )

    @activity.defn(name="describe_service_revisions")
    async def describe_service_revisions(self, query: ServiceRevisionQuery) -> list[ContainerImage]:
        now = self._now()
        self._count("describe_service_revisions")
        await self._meanwhile("describe_service_revisions")
        ident = "/".join(query.service_revision.split("/")[-2:])
        image, digest = self.world.resolved[ident]
        known = now >= self.world.known_from.get(ident, now)
        return [ContainerImage(container="app", image=image, digest=digest if known else None)]

    @activity.defn(name="register_task_definition")
    async def register_task_definition(self, order: RegisterOrder) -> str:
        now = self._now()
        self._count("register_task_definition")
        tagged = (order.source["family"], order.release)
        if tagged in self._registered:
            return self._registered[tagged]
        name = self.world.define(registrable(order.source))
        self._registered[tagged] = name
        self.world.calls.append(Call("register_task_definition", now, name, effect=True))
        return name

    @activity.defn(name="update_service")
    async def update_service(self, order: UpdateOrder) -> Updated:
        now = self._now()
        self._count("update_service")
        await self._meanwhile("update_service")
        world, wanted = self.world, order.task_definition
        call = Call("update_service", now, wanted, effect=False)
        world.calls.append(call)
        if not world.exists:
            raise _unexpected("The service does not exist.")
        if world.primary.task_definition == wanted:
            return Updated(deployment=world.primary.id, called=False, at=now)
        if world.primary.task_definition not in order.expected:
            raise _unexpected(f"The service runs {world.runs}: somebody else changed it.")
        state = world.state()
        if state and rollout.was_undone(order, state, activity.info().attempt):
            raise undone(world.primary.task_definition)
        made = world.deploy(wanted, now)
        call.effect = True
        self._interfere("update_service", world.aftermath)
        return Updated(deployment=made.id, called=True, at=now)

    # --- Service deployments ---------------------------------------------------------------

    @activity.defn(name="describe_service_deployments")
    async def describe_service_deployments(
        self, query: ServiceDeploymentQuery
    ) -> ServiceDeploymentState | None:
        self._now()
        self._count("describe_service_deployments")
        return self._record(query.arn)

    def _record(self, arn: str | None) -> ServiceDeploymentState | None:
        record = self.world.record(arn)
        if record is None:
            return None
        told = dataclasses.asdict(record)
        told["awaiting"] = [{"id": one} for one in record.awaiting]
        return ServiceDeploymentState.model_validate(told)

    @activity.defn(name="stop_service_deployment")
    async def stop_service_deployment(self, order: StopOrder) -> Steered:
        now = self._now()
        self._count("stop_service_deployment")
        return self._steer("stop_service_deployment", order.arn, now)

    @activity.defn(name="continue_service_deployment")
    async def continue_service_deployment(self, order: ContinueOrder) -> Steered:
        now = self._now()
        self._count("continue_service_deployment")
        record = self.world.record(order.arn)
        waits = record is not None and order.hook in record.awaiting
        if record and waits and order.action == "CONTINUE":
            self.world.go_on(now)
            call = Call("continue", now, order.hook, effect=True)
            self.world.calls.append(call)
            return Steered(called=True, status=record.status, at=now)
        return self._steer("continue_service_deployment", order.arn if waits else None, now)

    def _steer(self, name: str, arn: str | None, now: datetime) -> Steered:
        """Let the world go back, if it goes forward."""
        record, wanted = self.world.record(arn), self.world.rollouts[-1].task_definition
        call = Call(name, now, wanted, effect=False)
        self.world.calls.append(call)
        if arn is None or record is None or record.status != "IN_PROGRESS":
            return Steered(called=False, status=record.status if record else "", at=now)
        self.world.go_back(now, "Service deployment rolled back because it was asked for.")
        call.effect = True
        self._interfere(name, self.world.aftermath)
        return Steered(called=True, status="IN_PROGRESS", at=now)

    @activity.defn(name="tag_resource")
    async def tag_resource(self, order: TagOrder) -> None:
        self._now()
        self._count("tag_resource")
        if self.world.tags_denied:
            text = "ecs:TagResource: not authorized"
            raise ApplicationError(text, type="AccessDeniedException", non_retryable=True)
        for key in order.remove:
            self.world.tags.pop(key, None)
        self.world.tags.update(order.tags)

    @activity.defn(name="describe_images")
    async def describe_images(self, query: ImageQuery) -> str | None:
        self._now()
        self._count("describe_images")
        if query.image in self.world.expired:
            text = f"ecr:DescribeImages: no {query.image}"
            raise ApplicationError(text, type="ImageNotFoundException", non_retryable=True)
        return self.world.digest_of(query.image) if self.world.registry_answers else None

    # --- What preflight reads --------------------------------------------------------------

    @activity.defn(name="get_metric_data")
    async def get_metric_data(self, probe: MetricProbe) -> MetricFacts:
        self._now()
        self._count("get_metric_data")
        above = "error-rate is bad" if self.world.fires("error-rate", self._now()) else None
        return MetricFacts(datapoints=self.world.datapoints, above=above)

    @activity.defn(name="describe_alarms")
    async def describe_alarms(self, query: AlarmQuery) -> list[AlarmState]:
        self._now()
        self._count("describe_alarms")
        known = [(name, self.world.alarms.get(name)) for name in query.names]
        return [AlarmState.model_validate({"name": n, "state": s}) for n, s in known if s]

    @activity.defn(name="set_alarm_state")
    async def set_alarm_state(self, mark: AlarmMark) -> datetime:
        self._count("set_alarm_state")
        if self.world.alarms_denied:
            raise ApplicationError("not authorized", type="AccessDenied", non_retryable=True)
        now = self.world.set_by_hand[mark.name] = self._now()
        return now

    @activity.defn(name="describe_target_groups")
    async def describe_target_groups(self, order: ResolveOrder) -> LoadBalancerFacts:
        self.resolved.append(order)
        return LoadBalancerFacts(
            exclusive=self.exclusive,
            load_balancer="app/web/1",
            target_group="targetgroup/web/1",
            health_url="http://192.0.2.1/health",
        )

    @activity.defn(name="smoke_test")
    async def smoke_test(self, order: SmokeOrder) -> ProbeAnswer:
        self._now()
        self._count("smoke_test")
        answers = self.smoke.get(self.world.runs, [True])
        good = answers.pop(0) if len(answers) > 1 else answers[0]
        text = f"GET {order.check.url} answered {200 if good else 500}"
        return ProbeAnswer(ok=good, text=text, status=200 if good else 500, milliseconds=7)

    @activity.defn(name="look_up_freeze")
    async def look_up_freeze(self, query: FreezeQuery) -> FreezeAnswer:
        now = self._now()
        self._count("look_up_freeze")
        if self.frozen is None:
            return FreezeAnswer(frozen=False)
        return FreezeAnswer(frozen=True, text=self.frozen, until=now + timedelta(hours=1))

    # --- Watches ---------------------------------------------------------------------------

    @activity.defn(name="watch_service")
    async def watch_service(self, order: ServiceWatchOrder) -> ServiceNews:
        self.watched.append(order)

        def look(now: datetime) -> ServiceNews | None:
            state = self.world.state()
            if state and rollout.ours(order, state):
                self._seen.add(order.deployment)
            seen = order.deployment in self._seen
            followed = rollout.follows(order, state)
            going = self._record(followed) if followed else None
            news = rollout.assess(order, state, going, seen=seen, now=now)
            return news or (rollout.at_the_end(order, None, now) if now >= order.until else None)

        return await self._until(order.until, look, self.world.next_event)

    @activity.defn(name="watch_metrics")
    async def watch_metrics(self, order: WatchOrder) -> WatchReport:
        if self.watch_crashes:
            self.watched.append(order)
            self.watch_crashes -= 1
            raise ApplicationError("the worker died", next_retry_delay=timedelta(seconds=40))
        return await self._watch(order)

    @activity.defn(name="watch_alarms")
    async def watch_alarms(self, order: WatchOrder) -> WatchReport:
        return await self._watch(order)

    @activity.defn(name="watch_health")
    async def watch_health(self, order: WatchOrder) -> WatchReport:
        return await self._watch(order)

    async def _watch(self, order: WatchOrder) -> WatchReport:
        self.watched.append(order)
        try:
            return await self._until(
                order.until,
                lambda now: self._look(order, now),
                lambda now: self._next_look(order, now),
            )
        except asyncio.CancelledError:
            return WatchReport()

    def _look(self, order: WatchOrder, now: datetime) -> WatchReport | None:
        tallies = tuple(self._tally(one, order, now) for one in order.triggers)
        if order.goal == "recovery":
            if not self.patient and activity.info().attempt == 1:
                return None  # not in the same moment as the watch over the service begins
            done = now >= order.until or all(tally.recovered for tally in tallies)
            return WatchReport(tallies=tallies) if done else None
        fired = next((tally.failing for tally in tallies if tally.failing), None)
        if fired and (order.not_before is None or now >= order.not_before):
            return WatchReport(fired=fired, tallies=tallies)
        if now < order.until:
            return None
        verdicts = tuple(tally.conclusion for tally in tallies if tally.conclusion)
        return WatchReport(tallies=tallies, verdicts=verdicts)

    def _tally(self, watched: WatchedTrigger, order: WatchOrder, now: datetime) -> Tally:
        kind = watched.trigger.type
        fires, silent = self.world.fires(kind, now), self.world.silent(kind)
        reading = Reading.UNHEALTHY if fires else Reading.HEALTHY
        text = f"{kind} is {'bad' if fires else 'good'}"
        tally = Tally(key=watched.key, latest=text, reading=reading, measured_at=now, healthy=100)
        tally = tally.model_copy(
            update={"streak": int((now - order.covers_from) / order.interval), **self.proofs}
        )
        if silent:
            tally = tally.model_copy(update={"healthy": 0, "no_data": 100, "latest": "no data"})
        if fires:
            measurement = Measurement(at=now, reading=reading, text=text, value=0.4)
            verdict = Verdict(
                trigger=kind,
                status=Status.FAIL,
                reason=f"{kind} was bad",
                at=now,
                value=0.4,
                threshold=0.05,
                evidence=(measurement,),
                record="recorded" if self.recorded else None,
            )
            return tally.model_copy(update={"failing": verdict, "conclusion": verdict})
        concluded = conclude(tally, kind, 100, now)
        return tally.model_copy(update={"recovered": not silent, "conclusion": concluded})

    def _next_look(self, order: WatchOrder, now: datetime) -> datetime | None:
        """When a trigger may fire next.

        No watch wakes up without need, nor together with another: the time-skipping server stops
        skipping for good where a workflow ends while an activity of its runs (sdk-java#1138).
        """
        kinds = {one.trigger.type for one in order.triggers}
        if order.goal == "recovery" and activity.info().attempt == 1:
            return now + _AFTERWARDS
        waits = order.not_before and order.not_before > now
        if waits and any(self.world.fires(kind, now) for kind in kinds):
            return order.not_before + _AFTERWARDS
        return self.world.next_fault(kinds, now)

    async def _until(
        self,
        end: datetime,
        look: Callable[[datetime], Any],
        next_look: Callable[[datetime], datetime | None],
    ) -> Any:
        """Look now and at each moment at which something happens, until there is an answer."""
        while True:
            now = self._now()
            found = look(now)
            if found is not None:
                return found
            last = end + _AFTERWARDS if end > now else now
            after = min(last, next_look(now) or last)
            if not self.patient:
                raise ApplicationError(
                    "not yet",
                    next_retry_delay=max(after - now, _AT_LEAST),
                    category=ApplicationErrorCategory.BENIGN,
                )
            activity.heartbeat()
            await asyncio.sleep(min(0.2, (after - now).total_seconds()))

    # --- Telling people --------------------------------------------------------------------

    def _tell(self, channel: str, notice: Notice) -> None:
        if channel in self.unreachable:
            raise ApplicationError(f"{channel} answered 500", type="ReceiverBusy")
        self.told.append((channel, notice))

    @activity.defn(name="notify_slack")
    async def notify_slack(self, order: SlackOrder) -> None:
        await self._meanwhile("notify_slack")
        self._tell("slack", order.notice)

    @activity.defn(name="notify_email_ses")
    async def notify_email_ses(self, order: EmailOrder) -> str:
        self._tell("email", order.notice)
        self.pictured_mails += [order.notice.kind] if order.picture else []
        return "id"

    @activity.defn(name="notify_email_smtp")
    async def notify_email_smtp(self, order: EmailOrder) -> str:
        self._tell("email", order.notice)
        return "id"

    @activity.defn(name="notify_sns")
    async def notify_sns(self, order: SnsOrder) -> str:
        self._tell("sns", order.notice)
        return "id"

    @activity.defn(name="notify_webhook")
    async def notify_webhook(self, order: WebhookOrder) -> None:
        self._tell("webhook", order.notice)

    @activity.defn(name="notify_teams")
    async def notify_teams(self, order: TeamsOrder) -> None:
        self._tell("teams", order.notice)

    @activity.defn(name="post_slack_message")
    async def post_slack_message(self, order: SlackPost) -> SlackPosted:
        await self._meanwhile("post_slack_message")
        self._tell(order.thread.channel, order.notice)
        self.posts.append(order)
        ts = f"{len(self.posts)}.0"
        return SlackPosted(place="C012345", ts=ts, first=order.thread.first or ts)

    @activity.defn(name="update_slack_message")
    async def update_slack_message(self, order: SlackPost) -> None:
        assert order.thread.notice is not None
        self.updates.append((order.thread.notice.kind, order.notice.kind))

    @activity.defn(name="add_slack_picture")
    async def add_slack_picture(self, order: SlackPicture) -> bool:
        assert order.picture.verdict.record
        self.pictures.append((str(order.thread.first), order.picture.trigger.type))
        return True

    @activity.defn(name="send_pagerduty_event")
    async def send_pagerduty_event(self, order: PagerDutyOrder) -> None:
        await self._meanwhile("send_pagerduty_event")
        self.events.append((order.notice.release, order.action, order.notice.kind))


def _unexpected(text: str) -> ApplicationError:
    return ApplicationError(text, type=errors.UNEXPECTED_STATE, non_retryable=True)
