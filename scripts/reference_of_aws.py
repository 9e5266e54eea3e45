"""Pages of the reference about AWS: which metrics are read, and what it takes to be allowed to."""

from __future__ import annotations

from lastgood.decisions import permissions
from lastgood.decisions.past_metrics import Balanced, Series, wanted_of
from lastgood.policy import Policy

_USES = {
    "RequestCount": "how many requests: `error-rate`, `regression`, `min_requests`",
    "HTTPCode_Target_5XX_Count": "requests that the service failed",
    "TargetConnectionErrorCount": "requests that no task took",
    "HTTPCode_ELB_5XX_Count": "requests that the load balancer failed by itself; only where "
    "all of its target groups are the service's",
    "TargetResponseTime": "`response-time`, and the slow requests of `regression`",
}


def metrics_page(head: str) -> str:
    """What of CloudWatch decides, and what a worker publishes about itself."""
    lines = [
        head,
        "# Metrics\n",
        "## What is read from CloudWatch\n",
        "By one paged `GetMetricData` a look, for all triggers of a release together; raw series, "
        "joined on their time stamps. A trigger with a `metric` of its own reads that instead.\n",
        "| metric | by | statistic | what for |",
        "|---|---|---|---|",
    ]
    found: dict[tuple[str, str], list[str]] = {}
    for one in _of_a_load_balancer():
        by = ", ".join(f"`{name}`" for name, _ in one.dimensions)
        found.setdefault((f"`{one.namespace}` `{one.name}`", by), []).append(_statistic(one))
    for (name, by), statistics in found.items():
        told = ", ".join(dict.fromkeys(statistics))
        lines.append(f"| {name} | {by} | {told} | {_USES[name.split('`')[3]]} |")
    lines += [
        "",
        "`backtest` and `policy suggest` read the same, in minutes. `alarms` writes them into "
        "alarms ([alarms](../alarms.md)).\n",
        "## What a worker publishes\n",
        "With `LASTGOOD_METRICS_ADDRESS=HOST:PORT`, the metrics of Temporal's SDK, for Prometheus, "
        "at `/metrics`: what to alert on is in [operations](../operations.md#running-lastgood), "
        "all of them are in Temporal's SDK metrics reference. Labels: `namespace`, `task_queue` "
        "(`lastgood`, `lastgood-watch`), `workflow_type`, `activity_type`.",
    ]
    return "\n".join(lines)


def _of_a_load_balancer() -> list[Series]:
    balanced = Balanced(
        load_balancer="app/web/1", target_groups=("targetgroup/web/1",), exclusive=True
    )
    return wanted_of(Policy(service="shop/web"), balanced).series


def _statistic(one: Series) -> str:
    return (
        "counts up to a limit (`TC`)" if one.statistic.startswith(("TC", "PR")) else one.statistic
    )


def permissions_page(head: str) -> str:
    """The one table of permissions, by role."""
    parts = [
        head,
        "# Permissions\n",
        "What each role may do in AWS. `lastgood iam` writes them as policies for your services, "
        "with ARNs and conditions; a test compares them with the calls in the code.\n",
    ]
    for role, grants in permissions.GRANTS.items():
        parts += [f"## {role}\n", "| actions | on | why |", "|---|---|---|"]
        for one in grants:
            actions = ", ".join(f"`{action}`" for action in one.actions)
            on = ", ".join((one.on, *one.also))
            without = "" if one.needed else " All works without it, but says less."
            parts.append(f"| {actions} | {on} | {one.note}{without} |")
        parts.append("")
    return "\n".join(parts)
