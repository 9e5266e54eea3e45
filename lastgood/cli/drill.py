"""``lastgood drill``: prove that the way back works, before it is needed."""

from __future__ import annotations

import os
import zoneinfo
from datetime import timedelta
from pathlib import Path

import click

from lastgood import messages
from lastgood.cli import (
    actor,
    asking,
    completion,
    drill_report,
    drill_schedule,
    github_job,
    showing,
)
from lastgood.cli.following import Follower
from lastgood.cli.options import (
    Checked,
    checked_service,
    duration_option,
    load_any_policy,
    no_wait_option,
    output_option,
    policy_option,
    region_option,
    service_ref,
)
from lastgood.cli.output import print_json, print_text, say
from lastgood.contracts import Accepted, DrillOrder, ReleaseOrder, ScheduledDrill
from lastgood.decisions import drills
from lastgood.errors import UsageError
from lastgood.group_policy import GroupPolicy
from lastgood.model import ServiceRef
from lastgood.policy import Policy
from lastgood.values import Zone

AFTER = timedelta(seconds=10)
"""Into its window a release is marked bad; into half of a window that is short."""


@click.command()
@click.argument(
    "service",
    metavar="CLUSTER/SERVICE",
    type=checked_service,
    required=False,
    shell_complete=completion.services,
)
@policy_option
@duration_option(
    "--after",
    "after",
    "How long into its monitor window the release is marked bad. Without it: 10s.",
)
@click.option(
    "--alarm",
    metavar="NAME",
    help="Set this alarm to ALARM, instead of marking the release bad directly: so that the whole "
    "way from the alarm on is proved. One of the policy's drill.alarms.",
)
@click.option("--release", metavar="ID", help="The drill's id, as that of deploy.")
@click.option(
    "--report",
    "report",
    metavar="FILE",
    shell_complete=completion.files,
    help="Write all that happened, with its times: FILE.html is the page of `lastgood report`, "
    "FILE.json for programs, any other name text.",
)
@click.option(
    "--schedule",
    metavar="CRON|list|run|remove",
    help='Let Temporal begin a drill again and again: "0 9 * * 1" is every Monday at nine. Or '
    "list the schedules, run one now, remove one.",
)
@click.option(
    "--time-zone",
    type=Checked[str]("time zone", Zone),
    metavar="ZONE",
    help="Of the schedule, such as Europe/Berlin. Without it: UTC.",
)
@region_option
@no_wait_option
@output_option
def drill(
    service: str | None,
    path: str,
    after: timedelta | None,
    alarm: str | None,
    release: str | None,
    report: str | None,
    schedule: str | None,
    time_zone: str | None,
    region: str | None,
    no_wait: bool,
    output: str,
) -> int:
    """Prove that the way back works: release what runs, mark it bad, roll it back, verify.

    \b
    Example:
      lastgood drill staging/web --policy lastgood.yaml
      lastgood drill staging/web --schedule "0 9 * * 1" --time-zone Europe/Berlin

    Only where the policy says drill: {allowed: true}. The image stays what it is, and nothing is
    remembered against it. Neither cooldown nor limit count a drill.

    \b
    Exit codes:
      0   passed: rolled back, and proved     12  the rollback failed
      10  rolled back, but not as ordered     15  refused
      others: as those of deploy
    """
    if time_zone and schedule in (None, *drill_schedule.WORDS):
        raise UsageError("--time-zone goes with --schedule CRON")
    if time_zone and time_zone not in zoneinfo.available_timezones():
        raise UsageError(f"--time-zone: nobody knows {time_zone}; write one such as Europe/Berlin")
    if schedule and (release or report or no_wait):
        raise UsageError("--release, --report and --no-wait are about one drill, not a schedule")
    if schedule in drill_schedule.WORDS:
        if after or alarm:
            raise UsageError(f"--after and --alarm do not go with --schedule {schedule}")
        return _about_schedules(schedule, service, region, path, output)
    policy = _policy_of(path, _named(service), region)
    ordered = DrillOrder(after=after or min(AFTER, policy.monitor.window / 2), alarm=alarm)
    if schedule:
        return _schedule(policy, ordered, schedule, time_zone, output)
    order = ReleaseOrder(
        id=_ident(release, policy.service),
        policy=policy,
        actor=actor.actor(os.environ),
        ci_url=actor.ci_url(os.environ),
        drill=ordered,
    )
    if report:
        drill_report.check(report, no_wait=no_wait)
    work = _drill(order, report, no_wait=no_wait, output=output)
    return asking.run(work, lambda: _detached(order))


def _named(service: str | None) -> str:
    if service is None:
        raise UsageError("Say which service is drilled: lastgood drill CLUSTER/SERVICE")
    return service


def _about_schedules(
    word: str, service: str | None, region: str | None, path: str, output: str
) -> int:
    if word == "list":
        ref = _ref(service, region, path) if service else None
        return asking.run(drill_schedule.show(ref, output), lambda: "Stopped.")
    change = drill_schedule.run if word == "run" else drill_schedule.remove
    ref = _ref(_named(service), region, path)
    return asking.run(change(ref, output), lambda: "Stopped.")


def _schedule(policy: Policy, ordered: DrillOrder, cron: str, zone: str | None, output: str) -> int:
    why = drills.not_allowed(policy, ordered)
    if why:
        raise UsageError(why)
    scheduled = ScheduledDrill(
        policy=policy, drill=ordered, actor=f"schedule of {actor.actor(os.environ)}"
    )
    return asking.run(drill_schedule.save(scheduled, cron, zone, output), lambda: "Stopped.")


def _policy_of(path: str, service: str, region: str | None) -> Policy:
    """The service's policy: the file's, or that of a group's member.

    Raises:
        UsageError: if the file is about another service, or about one in another region.
    """
    found = load_any_policy(path)
    policies = found.members() if isinstance(found, GroupPolicy) else (found,)
    named = [one for one in policies if one.service == service]
    for policy in named:
        if region in (None, policy.region):
            return policy
    if named:
        where = " and ".join(str(one.region) for one in named)
        raise UsageError(f"--region {region}: {path} is about {service} in {where}: leave it out")
    others = ", ".join(one.service for one in policies)
    raise UsageError(f"{path} is the policy of {others}, not of {service}: name its file: --policy")


def _ref(service: str, region: str | None, path: str) -> ServiceRef:
    if region is None and Path(path).exists():
        return _policy_of(path, service, None).ref()
    return service_ref(service, region)


def _ident(given: str | None, service: str) -> str:
    ident = actor.release_id(given, f"drill {service}", os.environ)
    return ident if given else f"drill-{ident}"[:64]


def _detached(order: ReleaseOrder) -> str:
    service = order.policy.service
    return (
        f"Detached: drill {order.id}, if it was accepted, goes on. To follow it again:\n"
        f"  lastgood follow {service} --release {order.id}"
    )


async def _drill(order: ReleaseOrder, report: str | None, *, no_wait: bool, output: str) -> int:
    service = order.policy.ref()
    client = await asking.reach()
    try:
        accepted = await asking.tell_guard(client, service, messages.DEPLOY, order, Accepted)
    except asking.RefusedError as error:
        return showing.end(showing.refused(order, str(error)), output)
    job = github_job.Job()
    about = github_job.of_service(service, order.id, order.what)
    job.begun(about, order.id, client.namespace, accepted.workflow_id)
    say(f"DRILL {order.id} of {service} in {service.region}: what runs, once more; then back")
    if no_wait:
        _show_accepted(accepted, str(service), output)
        return 0
    result = await showing.until_end(Follower(client, service, order.id))
    told = await showing.explained(client, service, result.release)
    code = showing.end(result, output, job=job, told=told, namespace=client.namespace)
    if report:
        await drill_report.write(client, service, result, report)
    return code


def _show_accepted(accepted: Accepted, service: str, output: str) -> None:
    if output == "json":
        shown = accepted.model_dump(mode="json", include={"release", "workflow_id", "position"})
        print_json({**shown, "service": service})
        return
    follow = f"  lastgood follow {service} --release {accepted.release}"
    print_text([f"ACCEPTED: drill {accepted.release} of {service}", follow])
