"""The worker: settings → clients → Worker. No logic; it needs nothing but its environment."""

from __future__ import annotations

import asyncio
import logging
import os
import pkgutil
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
from pythonjsonlogger.json import JsonFormatter
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)
from temporalio.service import RPCError
from temporalio.worker import Worker, WorkerDeploymentConfig
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

import workflows
from activities.calendar import CalendarActivities
from activities.channels import ChannelActivities
from activities.clients import AwsClients
from activities.cloudwatch import CloudWatchActivities
from activities.ecr import EcrActivities
from activities.ecs import EcsActivities
from activities.guards import GuardActivities
from activities.health import HealthActivities
from activities.http import HttpActivities, Prober, check_transport
from activities.incidents import IncidentActivities
from activities.load_balancer import LoadBalancerActivities
from activities.metric_findings import MetricFindingActivities
from activities.notifications import NotificationActivities
from activities.permissions import PermissionActivities
from activities.pictures import plot
from activities.posting import Poster
from activities.slack import SlackActivities
from activities.steering import SteeringActivities
from activities.surroundings import SurroundingsActivities
from activities.tagging import TaggingActivities
from lastgood.connection import connect
from lastgood.decisions import attributes
from lastgood.errors import LastgoodError
from lastgood.fleet import fleet_of
from lastgood.listing import registered
from lastgood.messages import TASK_QUEUE, WATCH_TASK_QUEUE
from lastgood.settings import Settings, load
from workflows.check import Check
from workflows.deployment import Deployment
from workflows.doctor import Doctor
from workflows.group_release import GroupRelease
from workflows.rollback import Rollback
from workflows.scheduled_drill import ScheduledDrillRun
from workflows.service_guard import ServiceGuard
from workflows.versioned_guard import VersionedServiceGuard

log = logging.getLogger("lastgood.worker")
_DEFINING = (ServiceGuard, Deployment, Rollback, GroupRelease, Check, Doctor, ScheduledDrillRun)
_MARGIN = 10.0
"""Seconds that a worker may take beyond what its activities are given to end."""

_LEAST_CACHED = 100
"""Workflows that are remembered: one that is forgotten while it works is asked again after 10 s."""


def set_up_logging(settings: Settings) -> None:
    """One line per event on stderr, as JSON unless asked otherwise."""
    handler = logging.StreamHandler(sys.stderr)
    fields = "%(asctime)s %(levelname)s %(name)s %(message)s"
    if settings.log_format == "json":
        handler.setFormatter(JsonFormatter(fields))
    else:
        handler.setFormatter(logging.Formatter(fields))
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    for chatty in ("botocore", "boto3", "urllib3", "httpx", "httpcore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def make_runtime(settings: Settings) -> Runtime:
    """Temporal's core, with its log in ours, and a Prometheus endpoint if one was asked for."""
    logs = LoggingConfig(
        filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
        forwarding=LogForwardingConfig(logger=logging.getLogger("temporalio.core")),
    )
    if settings.metrics_address is None:
        return Runtime(telemetry=TelemetryConfig(logging=logs))
    metrics = PrometheusConfig(bind_address=settings.metrics_address)
    return Runtime(telemetry=TelemetryConfig(logging=logs, metrics=metrics))


def versioning(settings: Settings) -> WorkerDeploymentConfig | None:
    """With a build id: releases stay with the build that began them, see docs/upgrading.md."""
    if settings.build_id is None:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(settings.deployment_name, settings.build_id),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )


def workflow_runner() -> SandboxedWorkflowRunner:
    """Temporal's workflow sandbox around each workflow; what they share is imported once.

    Whatever is not passed through is imported anew for every run. The parts of our workflows hold
    no state and read no clock (tests/house sees to it), and passing them through takes three
    quarters of that time away.
    """
    defining = {one.__module__ for one in _DEFINING}
    parts = (f"workflows.{one.name}" for one in pkgutil.iter_modules(workflows.__path__))
    shared = (name for name in parts if name not in defining)
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*shared)
    return SandboxedWorkflowRunner(restrictions=restrictions)


def make_workers(
    client: Client, settings: Settings, http: httpx.AsyncClient, prober: Prober
) -> list[Worker]:
    """One worker for workflows and calls, one for watches, which must not hold their slots."""
    aws = AwsClients()
    ecs, cloudwatch, health = (
        EcsActivities(aws),
        CloudWatchActivities(aws),
        HealthActivities(prober),
    )
    balancers, steering = LoadBalancerActivities(aws), SteeringActivities(aws)
    poster = Poster(http, os.environ, ui_url=settings.ui_url)
    notifications = NotificationActivities(aws, poster, draw=plot)
    slack = SlackActivities(poster, settings.slack_api, plot)
    pagerduty = IncidentActivities(poster, settings.pagerduty_api)
    guards, around = GuardActivities(), SurroundingsActivities(settings.ui_url)
    shutdown = timedelta(seconds=settings.shutdown_timeout)
    deployment = versioning(settings)
    guard = VersionedServiceGuard if deployment else ServiceGuard
    calls = Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[guard, Deployment, Rollback, GroupRelease, Check, Doctor, ScheduledDrillRun],
        activities=[
            ecs.describe_services,
            ecs.describe_task_definition,
            ecs.describe_service_revisions,
            ecs.register_task_definition,
            ecs.update_service,
            steering.describe_service_deployments,
            steering.stop_service_deployment,
            steering.continue_service_deployment,
            TaggingActivities(aws).tag_resource,
            EcrActivities(aws).describe_images,
            cloudwatch.get_metric_data,
            cloudwatch.describe_alarms,
            cloudwatch.set_alarm_state,
            balancers.describe_target_groups,
            HttpActivities(prober).smoke_test,
            CalendarActivities().look_up_freeze,
            notifications.notify_slack,
            notifications.notify_email_ses,
            notifications.notify_email_smtp,
            notifications.notify_sns,
            notifications.notify_webhook,
            notifications.notify_teams,
            slack.post_slack_message,
            slack.update_slack_message,
            slack.add_slack_picture,
            pagerduty.send_pagerduty_event,
            PermissionActivities(aws).try_permissions,
            MetricFindingActivities(aws).find_metric,
            ChannelActivities(http, os.environ).look_at_channel,
            guards.ask_for_preflight,
            guards.ask_to_release,
            guards.ask_to_roll_back,
            guards.ask_to_cancel,
            guards.read_standing,
            around.list_search_attributes,
        ],
        workflow_runner=workflow_runner(),
        deployment_config=deployment,
        graceful_shutdown_timeout=shutdown,
        max_cached_workflows=max(_LEAST_CACHED, 2 * settings.max_watches),
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=5),
    )
    watches = Worker(
        client,
        task_queue=WATCH_TASK_QUEUE,
        activities=[
            ecs.watch_service,
            cloudwatch.watch_metrics,
            cloudwatch.watch_alarms,
            health.watch_health,
            guards.watch_standing,
        ],
        deployment_config=deployment,
        graceful_shutdown_timeout=shutdown,
        max_concurrent_activities=settings.max_watches,
        max_heartbeat_throttle_interval=timedelta(seconds=5),
    )
    return [calls, watches]


async def say_what_comes_here(client: Client, settings: Settings) -> None:
    """Log whether new releases come to this worker; a build that is not current waits in vain."""
    deployment = versioning(settings)
    try:
        fleet = await fleet_of(client)
    except RPCError as error:
        log.warning("Temporal does not say who gets new releases: %s", error.message)
        return
    gets, text = fleet.place_of(deployment.version if deployment else None)
    log.log(logging.INFO if gets else logging.WARNING, "%s", text)


async def say_what_is_missing(client: Client) -> None:
    """Log which search attributes the namespace lacks; releases go on without them."""
    try:
        missing = attributes.missing(await registered(client))
    except RPCError as error:
        log.warning("Temporal does not say which search attributes it has: %s", error.message)
        return
    if missing:
        remedy = attributes.remedy(missing, client.namespace)
        log.warning("Releases are not found by %s. Add them: %s", ", ".join(missing), remedy)


async def work(workers: Sequence[Worker], stop: asyncio.Event, patience: float) -> None:
    """Let workers work until `stop` is set, or one of them fails; then end all at once.

    A worker that does not come to its end is left behind, so that a process which was told to end
    ends: the SDK's own shutdown waits without a limit, for an activity that cannot be interrupted
    or, where its poll loop had failed, for an answer that never comes.

    Args:
        workers: to run side by side.
        stop: set from outside, and by this function once a worker has failed.
        patience: seconds until a worker that is still ending is left behind.
    """
    runs = [asyncio.create_task(one.run()) for one in workers]
    for one in runs:
        one.add_done_callback(lambda _: stop.set())
    await stop.wait()
    log.info("Stopping: what runs is ended or handed over")
    ends = [asyncio.create_task(one.shutdown()) for one in workers]
    _, late = await asyncio.wait(runs, timeout=patience)
    if late:
        log.warning("%d of %d workers did not end within %g s", len(late), len(runs), patience)
    for one in (*late, *ends):
        one.cancel()
    for ended in await asyncio.gather(*runs, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended


async def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT, then end gracefully."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.set_default_executor(ThreadPoolExecutor(max_workers=64, thread_name_prefix="aws"))
    client = await connect(make_runtime(settings))
    async with httpx.AsyncClient(follow_redirects=False) as http:
        workers = make_workers(client, settings, http, Prober(check_transport()))
        working = asyncio.create_task(work(workers, stop, settings.shutdown_timeout + _MARGIN))
        log.info("Working on %s in namespace %s", TASK_QUEUE, client.namespace)
        await say_what_comes_here(client, settings)
        await say_what_is_missing(client)
        await working
    log.info("Stopped")


def main() -> int:
    """Run; the exit code is 0 after a graceful end, 1 if it could not start, 2 for bad settings."""
    try:
        settings = load(os.environ)
    except LastgoodError as error:
        print(error, file=sys.stderr)  # noqa: T201 - before logging is set up
        return 2
    set_up_logging(settings)
    try:
        asyncio.run(run(settings))
    except LastgoodError as error:
        log.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # The interpreter can abort at its end after a Temporal client was connected (sdk-python#300).
    os._exit(code)
