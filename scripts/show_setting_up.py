"""Runs what docs/setting-up.md shows against a sandbox, and writes the page's outputs anew.

    python -m scripts.show_setting_up

The service has the two weeks of scripts/draw_backtest.py, moved so that they end now.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox import Sandbox
from sandbox.scenarios.stack import Stack, make_stack
from scripts.draw_backtest import BEGIN, BOUNDS, MINUTES, minutes

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "setting-up.md"
SHOWN = re.compile(r"(?<=```\n)((?:\$ [^\n]*\n)+)(.*?)(?=```)", re.DOTALL)
"""Commands and what they printed."""
ACCOUNT = "123456789012"
IMAGE = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/shop/web:1.0"
_RUN = "import sys; from lastgood.cli.main import run; sys.exit(run())"
_A_CALL = 1000


def make(aws: Sandbox) -> Stack:
    """A service as one finds it: with roles, an image of ECR, an alarm, two weeks of traffic."""
    stack = make_stack(aws.client, cluster="shop", service="web", image=IMAGE, desired=1)
    give_roles(aws.client("ecs"), stack)
    stack.wait_until_steady()
    cloudwatch = aws.client("cloudwatch")
    named = {"LoadBalancer": str(stack.load_balancer), "TargetGroup": str(stack.target_group)}
    dimensions = [{"Name": key, "Value": value} for key, value in named.items()]
    put_alarm(cloudwatch, dimensions)
    own = [{"Name": "Service", "Value": "web"}]
    placed = {"MetricName": "OrdersPlaced", "Dimensions": own, "Value": 3.0}
    cloudwatch.put_metric_data(Namespace="Shop/Orders", MetricData=[placed])
    data = list(past(dimensions, int(time.time()) // 60 * 60 - 120))
    for first in range(0, len(data), _A_CALL):
        part = data[first : first + _A_CALL]
        cloudwatch.put_metric_data(Namespace="AWS/ApplicationELB", MetricData=part)
    return stack


def give_roles(ecs: Any, stack: Stack) -> None:
    """The same task definition, with roles."""
    raw = ecs.describe_task_definition(taskDefinition=stack.task_definition)["taskDefinition"]
    kept = ("family", "networkMode", "containerDefinitions", "requiresCompatibilities")
    made = ecs.register_task_definition(
        **{key: raw[key] for key in kept},
        cpu="256",
        memory="512",
        taskRoleArn=f"arn:aws:iam::{ACCOUNT}:role/web-task",
        executionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/web-execution",
    )
    arn = made["taskDefinition"]["taskDefinitionArn"]
    ecs.update_service(cluster=stack.cluster, service=stack.service, taskDefinition=arn)


def put_alarm(cloudwatch: Any, dimensions: list[dict[str, str]]) -> None:
    """An alarm that somebody made long ago."""
    cloudwatch.put_metric_alarm(
        AlarmName="web-5xx",
        Namespace="AWS/ApplicationELB",
        MetricName="HTTPCode_Target_5XX_Count",
        Dimensions=dimensions,
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=3,
        Threshold=100,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
        AlarmActions=[f"arn:aws:sns:us-east-1:{ACCOUNT}:oncall"],
    )


def past(dimensions: list[dict[str, str]], end: int) -> Iterator[dict[str, Any]]:
    """Two weeks of a load balancer's minutes, as it would have published them."""
    _, *lines = minutes()
    for line in lines:
        at, requests, errors, _, *upto = map(float, line.split(","))
        moment = datetime.fromtimestamp(at - BEGIN - 60 * MINUTES + end, UTC)
        one = {"Dimensions": dimensions, "Timestamp": moment}
        yield {**one, "MetricName": "RequestCount", "Value": requests}
        if errors:
            yield {**one, "MetricName": "HTTPCode_Target_5XX_Count", "Value": errors}
        counts = [n - before for before, n in zip([0.0, *upto], upto, strict=False)]
        some = [(0.9 * bound / 1000, n) for bound, n in zip(BOUNDS, counts, strict=True) if n > 0]
        if some:
            values, weights = map(list, zip(*some, strict=True))
            yield {**one, "MetricName": "TargetResponseTime", "Values": values, "Counts": weights}


def said_by(command: str, folder: Path, environment: dict[str, str]) -> str:
    """What a command of the page prints, on stdout."""
    program, *arguments = shlex.split(command)
    start = [sys.executable, "-c", _RUN] if program == "lastgood" else [program]
    return subprocess.run(
        [*start, *arguments],
        cwd=folder,
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT), "TZ": "UTC"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def main() -> int:
    """Write the page anew."""
    with Sandbox(traffic=0) as aws, tempfile.TemporaryDirectory() as name:
        make(aws)

        def shown(found: re.Match[str]) -> str:
            commands = [line.removeprefix("$ ") for line in found[1].splitlines()]
            printed = "".join(said_by(one, Path(name), aws.env) for one in commands)
            return found[1] + printed

        PAGE.write_text(SHOWN.sub(shown, PAGE.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
