"""What `doctor` asks to be examined, what is read for it, and what it says of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from lastgood.contracts.memory import Quarantined
from lastgood.model import Model, Revision, ServiceRef
from lastgood.policy import Policy, SmtpServer


class Standing(StrEnum):
    """How one thing that a release will need stands. Not examined is never fine."""

    FINE = "fine"
    WARNING = "warning"
    """A release can be made; something about it will be worse than it could be."""
    UNKNOWN = "unknown"
    """It was not, or cannot be, examined."""
    BROKEN = "broken"
    """A release would be refused, blind, or unable to go back; or people would not hear of it."""


class Line(Model):
    """One thing that was examined."""

    area: str
    """``temporal``, ``service``, ``permissions``, ``triggers``, ``smoke``, ``notify``, ``target``,
    ``second net`` or ``guard``."""
    what: str
    standing: Standing
    found: str
    """What was found, in words."""
    remedy: str | None = None
    """What to do. Set for every line that is not fine."""
    excused: bool = False
    """Unknown, and no harmless call could tell: it is said, and does not count against the rest."""


class Examination(Model):
    """All that was examined of one service, or of Temporal."""

    subject: str
    """CLUSTER/SERVICE, or ``Temporal``."""
    where: str
    """The region, or address and namespace."""
    lines: tuple[Line, ...]


class DoctorOrder(Model):
    """One service to examine, with the worker's eyes."""

    policy: Policy
    good: tuple[Revision, ...] = ()
    """What the service's guard remembers, newest first."""
    unproven: tuple[str, ...] = ()
    quarantine: tuple[Quarantined, ...] = ()
    send_test: bool = False
    """Really tell everybody whom the policy names, that this is a test."""


class PermissionOrder(Model):
    """Actions to try without effect, and what their calls must name."""

    service: ServiceRef
    actions: tuple[str, ...]
    """In AWS's words: ``ecs:UpdateService``."""
    service_arn: str | None = None
    task_definition: str | None = None
    """ARN of what runs."""
    roles: tuple[str, ...] = ()
    """ARNs that the task definition passes to its tasks."""
    service_deployment: str | None = None
    service_revision: str | None = None
    image: str | None = None
    target_group: str | None = None
    alarm: str | None = None
    topics: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()

    @property
    def family(self) -> str | None:
        """The family of what runs."""
        arn = self.task_definition
        return arn.rsplit("/", 1)[-1].partition(":")[0] if arn else None


class Tried(Model):
    """What AWS answered to a call without effect."""

    action: str
    resource: str = ""
    """What it was tried on, where there is more than one."""
    code: str | None = None
    """AWS's error code; None: it was carried out."""
    text: str = ""


class PermissionFacts(Model):
    """What the worker's credentials may do, as far as calls without effect can tell."""

    caller: str | None = None
    """ARN of who the worker is for AWS."""
    stranger: Tried | None = None
    """Why it is not known who the worker is, if it is not."""
    tried: tuple[Tried, ...] = ()


class MetricFindings(Model):
    """What there is of a trigger's metric."""

    datapoints: int
    """In the last hour."""
    newest: datetime | None = None
    """The newest of the last hour; of a metric of one's own, of the last two weeks."""
    largest: float | None = None
    """Of a metric of one's own in two weeks, as it is published."""
    units: tuple[str, ...] = ()
    """Of a metric of one's own: the units in which it is published."""


class ChannelQuery(Model):
    """A channel whose secrets and receiver are looked at; nothing is sent to it."""

    channel: str
    """``slack``, ``email`` …: its place in the policy below ``notify``."""
    secrets: tuple[str, ...] = ()
    """Names of environment variables."""
    address: str | None = None
    """The variable, among these, that holds the receiver's URL."""
    smtp: SmtpServer | None = None


class ChannelFacts(Model):
    """What was found of a channel."""

    missing: tuple[str, ...] = ()
    """Variables that the worker's environment does not have."""
    receiver: str | None = None
    """The host that answered."""
    trouble: str | None = None
    """Why the receiver cannot be reached, without its address."""
