"""Which of an application's metrics say how a service does, and in which unit.

The rule. A metric is used only where there is no doubt: its name says what it is (``ErrorRate``,
``Latency``, ``Requests``), its unit or its values say how to read it, its dimensions name this
service and no other, and there is just one such metric. Whatever leaves a doubt is mentioned with
it, and a person decides. A metric by path, by task or by host is no metric of the service.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from lastgood.model import Model
from lastgood.policy_triggers import Metric

SERVICE_DIMENSIONS = (
    *("Service", "ServiceName", "service", "service.name", "service_name", "serviceName"),
    *("Application", "application", "App", "app"),
)
"""Names of dimensions whose value may be a service's name."""
CLUSTER_DIMENSIONS = ("ClusterName", "Cluster", "cluster")

Meaning = Literal["rate", "time", "requests", "errors"]
_NAMES: dict[Meaning, tuple[str, ...]] = {
    "rate": ("errorrate", "errorratio", "errorpercent", "errorpercentage", "failurerate"),
    "time": (
        *("responsetime", "responselatency", "latency", "requestlatency", "requestduration"),
        *("responsetimems", "latencyms", "requestdurationms", "responsetimeseconds"),
    ),
    "requests": ("requests", "requestcount", "httprequests", "httprequestcount", "totalrequests"),
    "errors": (
        *("failedrequests", "requesterrors", "servererrors", "http5xx", "http5xxcount", "5xx"),
        *("5xxcount", "5xxerrors"),
    ),
}
_UNITS = {"Percent": "percent", "Milliseconds": "ms", "Seconds": "s"}


class OwnMetric(Model):
    """A metric as CloudWatch lists it, with what two weeks of it say."""

    namespace: str
    name: str
    dimensions: dict[str, str]
    units: tuple[str, ...] = ()
    """Of its datapoints."""
    highest: float | None = None
    """None where there is no datapoint, or none could be read."""

    @property
    def label(self) -> str:
        """``Shop/Production ErrorRate {Service: web}``."""
        inner = ", ".join(f"{name}: {value}" for name, value in self.dimensions.items())
        return f"{self.namespace} {self.name} {{{inner}}}"


class Found(NamedTuple):
    """What can be used, by its meaning, and why the rest is not."""

    used: dict[Meaning, Metric]
    others: tuple[tuple[OwnMetric, str], ...]


def meaning_of(metric: OwnMetric) -> Meaning | None:
    """What a metric's name says that it is; None if that is not plain."""
    plain = re.sub(r"[^a-z0-9]", "", metric.name.lower())
    return next((kind for kind, names in _NAMES.items() if plain in names), None)


def names_of(metric: OwnMetric, cluster: str, service: str) -> bool:
    """Whether its dimensions name this service, and no other cluster."""
    here = metric.dimensions
    if service not in (here.get(name) for name in SERVICE_DIMENSIONS):
        return False
    return all(here.get(name, cluster) == cluster for name in CLUSTER_DIMENSIONS)


def chosen(metrics: Iterable[OwnMetric], *, namesakes: Sequence[str] | None) -> Found:
    """Which metrics can be used.

    Args:
        metrics: all that name the service.
        namesakes: clusters that have a service of the same name too; None if that is not known.
    """
    used: dict[Meaning, Metric] = {}
    others: list[tuple[OwnMetric, str]] = []
    by_meaning: dict[Meaning | None, list[OwnMetric]] = {}
    for one in metrics:
        by_meaning.setdefault(meaning_of(one), []).append(one)
    for kind, some in by_meaning.items():
        whole = [one for one in some if _is_whole(one)]
        for one in some:
            why = _why_not(kind, one, whole, namesakes)
            unit = _unit_of(kind, one) if kind and not why else None
            if kind and not why and unit != "unclear":
                used[kind] = _metric(kind, one, unit)
            else:
                others.append((one, why or _UNCLEAR[kind or "rate"]))
    return Found(used, tuple(others))


_UNCLEAR = {
    "rate": "its unit does not say whether it is a ratio or a percentage",
    "time": "its unit is not known",
    "requests": "",
    "errors": "",
}


def _why_not(
    kind: Meaning | None,
    one: OwnMetric,
    whole: Sequence[OwnMetric],
    namesakes: Sequence[str] | None,
) -> str:
    """Why a metric is not used; empty if nothing speaks against it."""
    if kind is None:
        return "its name does not say what is good"
    if one not in whole:
        return f"it is split up by {', '.join(_further(one))}"
    if len(whole) > 1:
        return "there are several like it"
    if one.highest is None:
        return "it has no datapoint of the last two weeks"
    if any(name in one.dimensions for name in CLUSTER_DIMENSIONS):
        return ""
    if namesakes is None:
        return "whether another cluster has a service of this name is not known"
    if namesakes:
        return f"it may be that of {', '.join(namesakes)}: it does not name the cluster"
    return ""


def _is_whole(metric: OwnMetric) -> bool:
    return not _further(metric)


def _further(metric: OwnMetric) -> list[str]:
    """Dimensions beyond service and cluster."""
    known = (*SERVICE_DIMENSIONS, *CLUSTER_DIMENSIONS)
    return [name for name in metric.dimensions if name not in known]


def _unit_of(kind: Meaning, metric: OwnMetric) -> str | None:
    """A unit as the policy has it; None where none is needed; ``unclear`` in doubt."""
    if kind in ("requests", "errors"):
        return None
    name, highest = metric.name.lower(), metric.highest or 0.0
    units = {_UNITS.get(unit) for unit in metric.units} - {None}
    if kind == "time":
        by_name = "ms" if name.endswith("ms") else "s" if name.endswith("seconds") else None
        units &= {"ms", "s"}
        found = units or {by_name}
        return (found.pop() if len(found) == 1 else None) or "unclear"
    if "percent" in units or "percent" in name or highest > 1:
        return "percent"
    return "ratio" if "ratio" in name else "unclear"


def _metric(kind: Meaning, one: OwnMetric, unit: str | None) -> Metric:
    counts = {"statistic": "Sum"} if kind in ("requests", "errors") else {}
    known = {"unit": unit} if unit else {}
    return Metric.model_validate(
        {
            "namespace": one.namespace,
            "name": one.name,
            "dimensions": one.dimensions,
            **counts,
            **known,
        }
    )
