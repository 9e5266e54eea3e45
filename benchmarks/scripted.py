"""The activities of ``worker.py`` under their own names, for releases that always go well.

``at_once``: every activity answers immediately, watches too. Else a watch ends when its window
does, on the server's clock: it fails with a ``next_retry_delay`` up to its end, and while it waits
for that retry nothing runs, so that a time-skipping server skips there. A retry adds no event.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from benchmarks.shop import (
    ARN,
    BALANCER,
    DIGEST,
    GROUP,
    REVISION,
    SOURCE,
    rolling_out,
    steady,
)
from lastgood.contracts import (
    ImageQuery,
    LoadBalancerFacts,
    MetricFacts,
    MetricProbe,
    ProbeAnswer,
    RegisterOrder,
    ResolveOrder,
    ServiceDeploymentQuery,
    ServiceNews,
    ServiceQuery,
    ServiceRevisionQuery,
    ServiceWatchOrder,
    SmokeOrder,
    Tally,
    TaskDefinitionQuery,
    TaskDefinitionState,
    Updated,
    UpdateOrder,
    WatchedTrigger,
    WatchOrder,
    WatchReport,
)
from lastgood.decisions.verdicts import conclude
from lastgood.model import ContainerImage, Reading, ServiceDeploymentState, ServiceState

_ROLLOUT = timedelta(seconds=60)


class ScriptedAws:
    """Answers as AWS would for a service of three tasks behind a load balancer."""

    def __init__(self, *, at_once: bool) -> None:
        self._at_once = at_once

    @property
    def calls(self) -> list[Callable[..., Any]]:
        """The activities of the task queue ``lastgood``."""
        return [
            self.describe_services,
            self.describe_task_definition,
            self.describe_service_deployments,
            self.describe_service_revisions,
            self.describe_images,
            self.register_task_definition,
            self.update_service,
            self.get_metric_data,
            self.describe_target_groups,
            self.smoke_test,
        ]

    @property
    def watches(self) -> list[Callable[..., Any]]:
        """The activities of the task queue ``lastgood-watch``."""
        return [self.watch_service, self.watch_metrics, self.watch_health]

    @activity.defn
    async def describe_services(self, _: ServiceQuery) -> ServiceState:
        """A steady service."""
        return steady()

    @activity.defn
    async def describe_task_definition(self, _: TaskDefinitionQuery) -> TaskDefinitionState:
        """The revision that runs before the release."""
        return TaskDefinitionState(task_definition=f"{ARN}:7", active=True, source=SOURCE)

    @activity.defn
    async def describe_service_deployments(
        self, _: ServiceDeploymentQuery
    ) -> ServiceDeploymentState:
        """The release's."""
        return rolling_out()

    @activity.defn
    async def describe_service_revisions(self, query: ServiceRevisionQuery) -> list[ContainerImage]:
        """One image, with the digest that ECS resolved."""
        image = "shop:1.0" if query.service_revision == REVISION else "shop:2.0"
        return [ContainerImage(container="app", image=image, digest=DIGEST)]

    @activity.defn
    async def describe_images(self, _: ImageQuery) -> str | None:
        """Its tag still means the same."""
        return DIGEST

    @activity.defn
    async def register_task_definition(self, _: RegisterOrder) -> str:
        """The next revision."""
        return f"{ARN}:8"

    @activity.defn
    async def update_service(self, _: UpdateOrder) -> Updated:
        """A new deployment."""
        now = activity.info().started_time
        return Updated(deployment="ecs-svc/2222222222222222222", called=True, at=now)

    @activity.defn
    async def get_metric_data(self, _: MetricProbe) -> MetricFacts:
        """There is data."""
        return MetricFacts(datapoints=180)

    @activity.defn
    async def describe_target_groups(self, _: ResolveOrder) -> LoadBalancerFacts:
        """The service's own load balancer."""
        return LoadBalancerFacts(
            load_balancer=BALANCER,
            target_group=GROUP,
            health_url="http://shop.example/health",
        )

    @activity.defn
    async def smoke_test(self, order: SmokeOrder) -> ProbeAnswer:
        """A good answer."""
        text = f"GET {order.check.url} answered 200 in 12 ms"
        return ProbeAnswer(ok=True, text=text, status=200, milliseconds=12)

    @activity.defn
    async def watch_service(self, order: ServiceWatchOrder) -> ServiceNews:
        """Complete after a minute; quiet until the window's end."""
        kind = "complete" if order.goal == "rollout" else "quiet"
        lasts = _ROLLOUT if kind == "complete" else order.until - self._began()
        self._let_pass(lasts)
        text = "3 of 3 tasks run."
        return ServiceNews.model_validate(
            {"kind": kind, "reason": text, "at": activity.info().started_time, "desired": 3}
        )

    @activity.defn
    async def watch_metrics(self, order: WatchOrder) -> WatchReport:
        """Good until the end."""
        return self._watch(order)

    @activity.defn
    async def watch_health(self, order: WatchOrder) -> WatchReport:
        """Good until the end."""
        return self._watch(order)

    def _watch(self, order: WatchOrder) -> WatchReport:
        self._let_pass(order.until - self._began())
        return report_on(order)

    def _began(self) -> Any:
        return activity.info().scheduled_time

    def _let_pass(self, time: timedelta) -> None:
        """Answer in the attempt that begins so long after the first one."""
        if not self._at_once and activity.info().attempt == 1:
            raise ApplicationError(
                "Not over yet.", next_retry_delay=time, category=ApplicationErrorCategory.BENIGN
            )


def report_on(order: WatchOrder) -> WatchReport:
    """What a watch reports of a window in which all was well."""
    tallies = tuple(_tally(one, order) for one in order.triggers)
    verdicts = tuple(tally.conclusion for tally in tallies if tally.conclusion)
    return WatchReport(verdicts=verdicts, tallies=tallies)


def _tally(watched: WatchedTrigger, order: WatchOrder) -> Tally:
    polls = max(1, round((order.until - order.covers_from) / order.interval))
    tally = Tally(
        key=watched.key,
        latest=f"{watched.trigger.type} 0.4 % (threshold 5.0 %)",
        reading=Reading.HEALTHY,
        value=0.004,
        measured_at=order.until,
        healthy=polls,
        streak=polls,
    )
    verdict = conclude(tally, watched.trigger.type, polls, order.until)
    return tally.model_copy(update={"conclusion": verdict})
