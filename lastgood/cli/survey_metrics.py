"""The metrics that CloudWatch has of a service: an application's own, and who is busy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from lastgood.decisions.own_metrics import (
    CLUSTER_DIMENSIONS,
    SERVICE_DIMENSIONS,
    Found,
    OwnMetric,
    chosen,
    meaning_of,
    names_of,
)

PAST = timedelta(days=14)
_MOST_PAGES = 4
"""Of 500 metrics each, for one name of a dimension."""
_NOT_OWN = ("AWS/", "ECS/", "ContainerInsights")
"""Namespaces of AWS's own metrics; the load balancer's are read elsewhere."""
_DAY = 86400


def own_metrics(
    cloudwatch: Any, name: str, now: datetime, namesakes: Callable[[], list[str] | None]
) -> Found:
    """An application's metrics that name the service, sorted into what can be used and what not.

    Args:
        cloudwatch: boto3's client.
        name: CLUSTER/SERVICE.
        now: the end of the two weeks that are looked at.
        namesakes: tells which clusters have a service of that name too; asked only if it matters.
    """
    cluster, service = name.split("/")
    listed = dict.fromkeys(_listed(cloudwatch, service))
    found = [
        OwnMetric(namespace=space, name=metric, dimensions=dict(pairs))
        for space, metric, pairs in listed
    ]
    found = [one for one in found if names_of(one, cluster, service)]
    unnamed = any(not set(one.dimensions) & set(CLUSTER_DIMENSIONS) for one in found)
    known = namesakes() if unnamed else []
    looked_at = [_looked_at(cloudwatch, one, now) if meaning_of(one) else one for one in found]
    return chosen(looked_at, namesakes=known)


_Listed = tuple[str, str, tuple[tuple[str, str], ...]]


def _listed(cloudwatch: Any, service: str) -> Iterator[_Listed]:
    for dimension in SERVICE_DIMENSIONS:
        arguments: dict[str, Any] = {"Dimensions": [{"Name": dimension, "Value": service}]}
        for _ in range(_MOST_PAGES):
            answer = cloudwatch.list_metrics(**arguments)
            for one in answer.get("Metrics", []):
                if not one["Namespace"].startswith(_NOT_OWN):
                    pairs = tuple((d["Name"], d["Value"]) for d in one["Dimensions"])
                    yield one["Namespace"], one["MetricName"], pairs
            if not answer.get("NextToken"):
                break
            arguments["NextToken"] = answer["NextToken"]


def _looked_at(cloudwatch: Any, metric: OwnMetric, now: datetime) -> OwnMetric:
    """With the units and the highest value of its last two weeks."""
    answer = cloudwatch.get_metric_statistics(
        Namespace=metric.namespace,
        MetricName=metric.name,
        Dimensions=[{"Name": key, "Value": value} for key, value in metric.dimensions.items()],
        StartTime=now - PAST,
        EndTime=now,
        Period=_DAY,
        Statistics=["Maximum"],
    )
    points = answer.get("Datapoints", [])
    return metric.model_copy(
        update={
            "units": tuple(sorted({one["Unit"] for one in points if one.get("Unit")})),
            "highest": max((one["Maximum"] for one in points), default=None),
        }
    )


def requests_of(
    cloudwatch: Any, groups: Sequence[tuple[str, str]], now: datetime
) -> Iterator[float]:
    """The requests of two weeks of each (load balancer's, target group's) ARN."""
    for balancer, group in groups:
        answer = cloudwatch.get_metric_statistics(
            Namespace="AWS/ApplicationELB",
            MetricName="RequestCount",
            Dimensions=[
                {"Name": "LoadBalancer", "Value": balancer.split(":loadbalancer/", 1)[-1]},
                {"Name": "TargetGroup", "Value": group.split(":", 5)[-1]},
            ],
            StartTime=now - PAST,
            EndTime=now,
            Period=_DAY,
            Statistics=["Sum"],
        )
        yield sum(float(one["Sum"]) for one in answer.get("Datapoints", []))


def namesakes(ecs: Any, name: str) -> list[str]:
    """Other clusters of this region that have a service of the same name."""
    cluster, service = name.split("/")
    pages = ecs.get_paginator("list_clusters").paginate()
    names = [arn.rsplit("/", 1)[-1] for page in pages for arn in page.get("clusterArns", [])]
    found = []
    for other in names:
        if other == cluster:
            continue
        answer = ecs.describe_services(cluster=other, services=[service])
        if any(one.get("status") == "ACTIVE" for one in answer.get("services", [])):
            found.append(other)
    return found
