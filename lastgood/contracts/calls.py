"""One model for each call of AWS or HTTP, and one for its answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from lastgood.contracts.watching import WatchedTrigger
from lastgood.model import Model, ServiceRef
from lastgood.policy import FreezeWindow, SmokeCheck


class ServiceQuery(Model):
    """Which service to describe."""

    service: ServiceRef
    with_tags: bool = False


class ServiceDeploymentQuery(Model):
    """Which service deployment to describe."""

    service: ServiceRef
    arn: str | None = None
    """Left out: the newest."""


class StopOrder(Model):
    """A service deployment to stop, so that ECS goes back to what ran before."""

    service: ServiceRef
    arn: str


class ContinueOrder(Model):
    """A PAUSE hook to answer."""

    service: ServiceRef
    arn: str
    """Of the service deployment."""
    hook: str
    action: Literal["CONTINUE", "ROLLBACK"]


class Steered(Model):
    """What became of a service deployment that was to be stopped or continued."""

    called: bool
    """False: it was on its way already; nothing was sent."""
    status: str
    at: datetime


class TagOrder(Model):
    """Tags of a resource to set, and others to remove."""

    region: str
    arn: str
    tags: dict[str, str]
    remove: tuple[str, ...] = ()


class ImageQuery(Model):
    """An image reference whose digest is asked of its registry."""

    region: str
    image: str


class TaskDefinitionQuery(Model):
    """Which task definition to describe."""

    region: str
    task_definition: str


class TaskDefinitionState(Model):
    """A task definition as it is registered."""

    task_definition: str
    active: bool
    source: dict[str, Any]


class ServiceRevisionQuery(Model):
    """Which service revision to describe."""

    region: str
    service_revision: str


class RegisterOrder(Model):
    """A task definition to register, once."""

    region: str
    source: dict[str, Any]
    release: str
    """The tag's value by which an earlier attempt is found."""


class UpdateOrder(Model):
    """Move a service to a task definition, if it still runs what we think it runs."""

    service: ServiceRef
    task_definition: str
    expected: tuple[str, ...]
    """ARNs from which this write is right; anything else is somebody else's release."""
    once: bool = False
    """On the way forward: what ECS has undone is not sent again by a later attempt."""
    newest: str | None = None
    """With ``once``: ARN of the newest service deployment before, if there was one. Another one is
    an earlier attempt's, whose answer was lost."""


class Updated(Model):
    """The deployment that an UpdateService made, or that was there already."""

    deployment: str
    called: bool
    """False: the service was already on its way there; nothing was sent."""
    at: datetime


class ResolveOrder(Model):
    """Load balancer and target group by name, ARN or ARN's ending; or by the service's own."""

    region: str
    load_balancer: str | None = None
    target_group: str | None = None
    own: tuple[str, ...] = ()
    """ARNs of the service's target groups."""


class LoadBalancerFacts(Model):
    """What a metric or health check needs of a load balancer."""

    load_balancer: str
    """``app/NAME/ID``"""
    target_group: str
    """``targetgroup/NAME/ID``"""
    health_url: str | None
    """The target group's health check, asked through the load balancer."""
    exclusive: bool = False
    """All target groups of the load balancer are the service's: so are its own 5xx answers."""


class AlarmQuery(Model):
    """Alarms by name."""

    region: str
    names: tuple[str, ...]


class AlarmState(Model):
    """An alarm at one moment."""

    name: str
    state: Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
    since: datetime | None = None
    reason: str = ""
    by_hand: bool = False
    """Somebody set the state; no metric did."""
    actions_enabled: bool = True
    evaluation: str | None = None
    """PARTIAL_DATA, EVALUATION_ERROR or EVALUATION_FAILURE, if CloudWatch says so."""
    composite: bool = False
    """It follows other alarms, no metric."""


class AlarmMark(Model):
    """An alarm to set to ALARM."""

    region: str
    name: str
    reason: str


class AlarmChange(Model):
    """An alarm that went from one state into another."""

    at: datetime
    old: str
    new: str
    reason: str = ""
    by_hand: bool = False


class MetricProbe(Model):
    """Read a trigger's metric once: is it readable at all?"""

    region: str
    trigger: WatchedTrigger


class MetricFacts(Model):
    """What a trigger's metric is like before a release."""

    datapoints: int
    """In the last three hours, nearly."""
    above: str | None = None
    """In words, if it is above its threshold now."""


class SmokeOrder(Model):
    """One smoke check."""

    check: SmokeCheck


class ProbeAnswer(Model):
    """What one HTTP check found."""

    ok: bool
    text: str
    status: int | None = None
    milliseconds: float


class FreezeQuery(Model):
    """Whether a policy's freeze windows hold at a moment."""

    windows: tuple[FreezeWindow, ...]
    at: datetime


class FreezeAnswer(Model):
    """What the freeze windows say."""

    frozen: bool
    text: str = ""
    """Until when, and why: ``until Mon 08:00 Europe/Berlin (Weekend)``."""
    until: datetime | None = None
    """None: at no hour may a release begin; or nothing is frozen."""
