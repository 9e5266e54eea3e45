"""``lastgood policy suggest``: triggers proposed from a service's own past."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from lastgood import policy_file
from lastgood.cli import backtest_files
from lastgood.cli.backtest_report import day
from lastgood.cli.options import (
    Checked,
    checked_service,
    configured_region,
    output_option,
    region_option,
)
from lastgood.cli.output import print_json, print_text, say
from lastgood.cli.policy_lines import comment_lines, proposal_lines, trigger_lines
from lastgood.decisions.advice import warnings_of
from lastgood.decisions.metrics import threshold_of
from lastgood.decisions.recording import Recording
from lastgood.decisions.sliding import TooShortError
from lastgood.decisions.suggesting import Proposal, Suggestion, suggest
from lastgood.errors import UsageError
from lastgood.policy import Policy, format_duration
from lastgood.policy_triggers import ErrorRateTrigger, MetricTrigger, RegressionTrigger
from lastgood.values import Long


@click.command(name="suggest")
@click.option("--policy", "path", metavar="FILE", help="The policy of the service.")
@click.option(
    "--service", metavar="CLUSTER/SERVICE", type=checked_service, help="Who has no policy yet."
)
@region_option
@click.option(
    "--since",
    type=Checked[timedelta]("duration", Long),
    metavar="DURATION",
    help="Read its metrics from CloudWatch, so far back: 14d.",
)
@click.option(
    "--metrics",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.csv",
    help="Its metrics as a file, as for lastgood backtest.",
)
@output_option
def suggest_triggers(
    path: str | None,
    service: str | None,
    region: str | None,
    since: timedelta | None,
    metrics: Path | None,
    output: str,
) -> int:
    """Propose thresholds, durations and minimum requests from a service's own past.

    \b
    Examples:
      lastgood policy suggest --policy lastgood.yaml --since 14d
      lastgood policy suggest --service shop/web --metrics web.csv > lastgood.yaml

    Prints a policy file with triggers, each with the false alarms it would have caused and the
    smallest regression it would still see. Warnings go to stderr.

    \b
    Exit codes:
      0   it was proposed     1   AWS could not be asked     2   wrong usage, policy or file
    """
    if (path is None) == (service is None):
        raise click.UsageError("Say which service: --policy FILE, or --service CLUSTER/SERVICE")
    if (since is None) == (metrics is None):
        raise click.UsageError("Say which past: --since 14d, or --metrics FILE.csv")
    policy = policy_file.load(path) if path else Policy(service=str(service), region=region)
    if metrics is not None:
        recording, name = backtest_files.load(metrics), metrics.name
    else:
        policy = policy.model_copy(
            update={"region": region or policy.region or configured_region()}
        )
        recording, name = _read(policy, since or timedelta(0)), policy.service
    try:
        found = suggest(policy, recording)
    except TooShortError as error:
        raise UsageError(f"{name}: {error}") from None
    warnings = [*warnings_of(policy), *found.warnings]
    text = as_yaml(policy, found, recording, name)
    if output == "json":
        print_json(as_json(policy, found, recording, warnings, text))
        return 0
    print_text(text)
    for warning in warnings:
        say(f"warning: {warning}")
    return 0


def _read(policy: Policy, since: timedelta) -> Recording:
    from lastgood.cli import past  # here, because boto3 takes long to import

    return past.read(policy, since, datetime.now(UTC), past.clients(policy.region))


def as_json(
    policy: Policy, found: Suggestion, recording: Recording, warnings: list[str], text: list[str]
) -> dict[str, Any]:
    """The proposal for programs."""
    return {
        "service": policy.service,
        "from": day(recording.rows[0].at),
        "to": day(recording.end),
        "usual": {
            "requests_per_minute": found.usual.requests,
            "error_rate": found.usual.error_rate,
            "response_time_ms": found.usual.time,
            "hours": found.usual.hours,
        },
        "triggers": [_proposal_as_json(one) for one in found.triggers],
        "warnings": warnings,
        "yaml": "\n".join(text) + "\n",
    }


def _proposal_as_json(one: Proposal) -> dict[str, Any]:
    trigger = one.trigger
    data: dict[str, Any] = {"type": trigger.type}
    if isinstance(trigger, MetricTrigger):
        data["threshold"] = threshold_of(trigger)
        data["duration"] = trigger.duration.total_seconds()
    if isinstance(trigger, ErrorRateTrigger):
        data["min_requests"] = trigger.min_requests
    if isinstance(trigger, RegressionTrigger):
        data["false_alarm"] = trigger.false_alarm
        data["dry_run"] = trigger.dry_run
    return {
        **data,
        "fired": one.fired,
        "windows": one.releases,
        "false_alarms_per_week": round(one.per_week, 3),
        "smallest": one.smallest,
        "sees": one.sees,
        "seconds_needed": None if one.takes is None else round(one.takes, 1),
        "why": list(one.why),
    }


# --- As a policy file --------------------------------------------------------------------------


def as_yaml(policy: Policy, found: Suggestion, recording: Recording, name: str) -> list[str]:
    """A policy file with the triggers proposed, and the others as they were."""
    lines = [
        *comment_lines(
            f"Proposed from {name}: {found.usual.hours} hours with data, "
            f"{day(recording.rows[0].at)} to {day(recording.end)}.",
            "",
        ),
        f"service: {policy.service}",
    ]
    if policy.region:
        lines.append(f"region: {policy.region}")
    if "window" in policy.monitor.model_fields_set:
        lines += ["monitor:", f"  window: {format_duration(policy.monitor.window)}"]
    lines.append("triggers:")
    proposed = {type(one.trigger) for one in found.triggers}
    for one in found.triggers:
        lines += proposal_lines(one)
    for trigger in policy.triggers:
        if type(trigger) not in proposed:
            lines += ["  # as it was: nothing is proposed for it", *trigger_lines(trigger)]
    return lines
