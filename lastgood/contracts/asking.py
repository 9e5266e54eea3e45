"""What is asked of a guard, and what it answers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

from lastgood.model import Model, ReleaseResult, ServiceRef
from lastgood.policy import Policy


class DrillOrder(Model):
    """That a release is a drill: what runs, once more, and marked bad on purpose."""

    after: timedelta
    """How long after its monitor window has begun."""
    alarm: str | None = None
    """The alarm that is set to ALARM. Left out: a verdict of the drill's own."""
    scheduled_at: datetime | None = None
    """When the schedule was made, or changed last, that begins it; None: a person did."""


class ReleaseOrder(Model):
    """One request to run a new image (or a whole task definition)."""

    id: str
    image: str | None = None
    task_definition: str | None = None
    """ARN or family:revision of a registered task definition to release as it is."""
    task_definition_source: dict[str, Any] | None = None
    """A task definition's JSON, to be registered and released."""
    policy: Policy
    actor: str
    ci_url: str | None = None
    force: bool = False
    """Release in spite of a quarantine or a freeze."""
    reason: str | None = None
    """Why it is forced."""
    group: str | None = None
    """Workflow id of the group's release that this one is part of; it is told of the end."""
    drill: DrillOrder | None = None
    """Set for a drill, which names nothing to release: a build that knows no drills refuses it."""

    @property
    def forced(self) -> str | None:
        """Why it is forced; None if it is not."""
        return (self.reason or "no reason given") if self.force else None

    @property
    def what(self) -> str:
        """What is released, in a few words."""
        if self.drill:
            return "DRILL: what runs, once more"
        if self.image:
            return self.image
        return self.task_definition or "a task definition from a file"


class Accepted(Model):
    """The guard's answer to ``deploy``."""

    release: str
    workflow_id: str
    position: int
    """0: it runs now or has ended; n: n releases are before it."""
    already_known: bool = False


class RollbackRequest(Model):
    """An operator's rollback."""

    actor: str
    reason: str
    to: str | None = None
    """Task definition: ARN or family:revision. Left out: last known good."""
    policy: Policy | None = None
    """How to verify and whom to tell. Left out: as the last release's policy says."""
    service: ServiceRef
    id: str = ""
    """The same for each delivery of one request; empty: each delivery is one of its own."""
    release: str | None = None
    """Only this release is to be rolled back: refused if the service has gone on to another."""
    group: str | None = None
    """Workflow id of the group's release for whose sake it goes back: its image is not blamed."""


class RollbackAccepted(Model):
    """The guard's answer to ``rollback``."""

    release: str
    """The release that is rolled back, or the id of the rollback itself."""
    during_release: bool
    text: str


class OperatorRequest(Model):
    """What an operator asks for; the verb is the update's name."""

    id: str = ""
    """The same for each delivery of one request; empty: each delivery is one of its own."""
    actor: str
    reason: str
    release: str | None = None
    """Which release it is about. Left out: the one under way."""


class FreezeRequest(OperatorRequest):
    """No release may begin, for a while or until somebody unfreezes."""

    lasts: timedelta | None = None


class Answer(Model):
    """What a guard answers an operator whose request it carried out."""

    text: str
    release: str | None = None


class ReleaseView(Model):
    """Where a release stands, as the guard knows it."""

    release: str
    state: Literal["unknown", "queued", "running", "ended"]
    position: int = 0
    workflow_id: str | None = None
    run_id: str | None = None
    result: ReleaseResult | None = None


class ScheduledDrill(Model):
    """What a schedule's workflow is handed: a drill of one service."""

    policy: Policy
    drill: DrillOrder
    actor: str
