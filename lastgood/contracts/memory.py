"""What a guard remembers of its service, and says of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from lastgood.contracts.asking import ReleaseOrder
from lastgood.contracts.telling import Notice, Thread
from lastgood.model import Action, Model, ReleaseResult, Revision, RollbackRecord, ServiceRef
from lastgood.policy import Policy
from lastgood.policy_notify import NotifyPolicy


class Limits(Model):
    """Rollbacks so far, and from when on they count."""

    rollbacks: tuple[RollbackRecord, ...] = ()
    counted_from: datetime | None = None
    """Set by an operator's reset; rollbacks before it no longer count."""


class LedgerEntry(Model):
    """One revision that we know of, and what we think of it."""

    status: Literal["candidate", "good", "demoted"]
    """``candidate``: released, not proven. ``good``: proven. ``demoted``: was rolled back, or
    left for good by an operator."""
    revision: Revision
    since: datetime
    why: str
    """How it was proven, or what was wrong with it."""
    blamed: bool = True
    """False: it was demoted for the sake of its group, and nothing is said against it."""


class Quarantined(Model):
    """An image that was rolled back: it is not released again by mistake."""

    image: str
    """As the task definition named it."""
    digest: str | None = None
    """``sha256:…`` where ECS told it."""
    release: str | None
    at: datetime
    reason: str


class Freeze(Model):
    """No release may begin."""

    at: datetime
    actor: str
    reason: str
    until: datetime | None = None
    """None: until somebody unfreezes."""


class Alert(Model):
    """A failure that people are told of at intervals until somebody acknowledges it."""

    release: str
    notice: Notice
    notify: NotifyPolicy
    every: timedelta
    next_at: datetime
    told: int = 1


class Incident(Model):
    """What was opened about a release that ended badly: it is told of what comes after."""

    release: str
    notice: Notice
    """How the release ended."""
    notify: NotifyPolicy
    threads: tuple[Thread, ...]


class Answered(Model):
    """A request that was carried out: delivered again, it gets the same answer."""

    id: str
    answer: str
    """As JSON."""


class GuardState(Model):
    """All that a guard remembers; handed over at continue-as-new."""

    service: ServiceRef
    restored: bool = False
    """What the service's tags remember has been read."""
    service_arn: str | None = None
    foreign_tags: int = 0
    """How many tags of the service are not ours."""
    mirrored: dict[str, str] = {}
    """Our tags as they were read or written last."""
    mirror_problem: str | None = None
    """Why the memory could not be kept in the service's tags, if so."""
    queue: tuple[ReleaseOrder, ...] = ()
    ledger: tuple[LedgerEntry, ...] = ()
    """Revisions, the newest opinion first."""
    quarantine: tuple[Quarantined, ...] = ()
    """Newest first."""
    limits: Limits = Limits()
    frozen: Freeze | None = None
    alerts: tuple[Alert, ...] = ()
    """Not acknowledged yet."""
    incidents: tuple[Incident, ...] = ()
    """Threads and incidents of releases that ended badly, until the service is good again."""
    results: tuple[ReleaseResult, ...] = ()
    """Ended releases and rollbacks, newest first."""
    actions: tuple[Action, ...] = ()
    """Operators' actions, newest first."""
    answered: tuple[Answered, ...] = ()
    """Newest first."""
    policy: Policy | None = None
    """The policy of the newest release."""
    last_drill: ReleaseResult | None = None
    """The newest drill that moved the service."""
    last_passed_drill: ReleaseResult | None = None
    listed: bool = False
    """It sets search attributes; what was begun by an older build goes on without."""

    @property
    def good(self) -> tuple[Revision, ...]:
        """Revisions known to be good, newest first."""
        return tuple(one.revision for one in self.ledger if one.status == "good")

    @property
    def unproven(self) -> tuple[str, ...]:
        """ARNs that we released and that did not turn out good, newest first."""
        return tuple(one.revision.task_definition for one in self.ledger if one.status != "good")


class CurrentRelease(Model):
    """The release that is under way."""

    release: str
    what: str
    workflow_id: str
    run_id: str | None
    actor: str
    since: datetime


class Overview(Model):
    """What the guard says of its service."""

    service: str
    current: CurrentRelease | None
    queued: tuple[str, ...]
    last_known_good: Revision | None
    rollbacks_counted: int
    max_rollbacks: int
    cooldown_until: datetime | None
    results: tuple[ReleaseResult, ...]
    rollbacks: tuple[RollbackRecord, ...]
    actions: tuple[Action, ...]
    ledger: tuple[LedgerEntry, ...] = ()
    """Without the task definitions' JSON."""
    quarantine: tuple[Quarantined, ...] = ()
    frozen: Freeze | None = None
    alerts: tuple[str, ...] = ()
    """Releases whose failure nobody has acknowledged yet."""
    mirror_problem: str | None = None
    drillable: bool = False
    """The policy of the newest release allows drills."""
    last_drill: ReleaseResult | None = None
    last_passed_drill: ReleaseResult | None = None
