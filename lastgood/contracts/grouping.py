"""The release of a group: its order, where its members stand, its result."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from lastgood.contracts.asking import OperatorRequest, ReleaseOrder, RollbackRequest
from lastgood.model import Model, ReleaseResult, RollbackRecord, ServiceRef


class GroupOrder(Model):
    """One request to release services that belong together."""

    id: str
    group: str
    region: str
    order: Literal["in-order", "at-once"]
    members: tuple[ReleaseOrder, ...]
    """In the order in which they are released; each with an id of its own."""
    what: str
    actor: str
    listed: bool = False
    """It sets search attributes; what was begun by an older build goes on without."""


class Member(Model):
    """Where one service of a group stands."""

    service: ServiceRef
    release: str
    asked: bool = False
    """Its guard is being asked, or was asked, to release it."""
    held: ReleaseResult | None = None
    """It waits for a person, with this."""
    result: ReleaseResult | None = None
    """How its release ended."""
    undoing: RollbackRecord | None = None
    """An operator's rollback that began after its release had ended, when that was noticed."""
    leaving: bool = False
    """It is being taken back for another's sake."""
    back: ReleaseResult | None = None
    """What became of that; or of an operator's rollback after its release had ended."""


class GroupState(Model):
    """Where a group's release stands: what is decided from."""

    group: str
    order: Literal["in-order", "at-once"]
    members: tuple[Member, ...]
    wrong: str | None = None
    """The release of the member that went wrong first."""


class GroupResult(ReleaseResult):
    """How a group's release ended: one verdict, and each member's."""

    members: tuple[ReleaseResult, ...] = ()


class GroupProgress(Model):
    """Where a group's release is; answers its query ``progress``."""

    release: str
    group: str
    members: tuple[Member, ...]
    notes: tuple[str, ...]
    """What happened so far, oldest first."""
    started_at: datetime
    result: GroupResult | None = None
    """Set once it has ended, or waits for a person: then ``outcome`` is ``held`` for now."""


class TakeBackOrder(Model):
    """What a guard is asked for when its service must not keep a group's release."""

    service: ServiceRef
    request: RollbackRequest


class CancelOrder(Model):
    """A queued release that must not begin any more."""

    service: ServiceRef
    request: OperatorRequest


class StandingQuery(Model):
    """Which release a guard is asked about, and what to wait for."""

    service: ServiceRef
    release: str
    until: Literal["now", "ended", "undone", "back"] = "now"
    """``ended``: the release has. ``undone``: and a rollback has begun after that. ``back``: and
    that has ended, or the service runs what somebody else brought."""
    interval: timedelta = timedelta(seconds=10)


class MemberStanding(Model):
    """Where a release stands, and what came after it, as its guard tells."""

    state: Literal["unknown", "queued", "running", "ended"]
    result: ReleaseResult | None = None
    undone: ReleaseResult | None = None
    """The rollback of what it brought, after its end."""
    undoing: RollbackRecord | None = None
    """A rollback that goes on: the release's own, or one that began after its end."""
    replaced_by: str | None = None
    """A newer release of the same service, under way or ended."""
