"""A release and a rollback: their orders, their progress, their reports."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from lastgood.contracts.asking import OperatorRequest, ReleaseOrder, RollbackRequest
from lastgood.contracts.memory import Freeze, LedgerEntry, Limits, Quarantined
from lastgood.contracts.telling import Notice, Thread
from lastgood.contracts.watching import Stretch, WatchedTrigger
from lastgood.model import (
    Action,
    ChannelFailure,
    Model,
    Outcome,
    ReleaseResult,
    Revision,
    ServiceRef,
    Verdict,
)
from lastgood.policy import Policy


class DeploymentOrder(Model):
    """What the guard hands to a ``Deployment``."""

    release: ReleaseOrder
    service: ServiceRef
    good: tuple[Revision, ...] = ()
    unproven: tuple[str, ...] = ()
    limits: Limits = Limits()
    quarantine: tuple[Quarantined, ...] = ()
    demoted: tuple[LedgerEntry, ...] = ()
    """Revisions that were rolled back for what they did themselves."""
    frozen: Freeze | None = None
    last_released: Revision | None = None
    """What we released last, to tell what others changed since."""
    troubled: tuple[Stretch, ...] = ()
    """When releases ran that did not become good."""
    guard_id: str | None = None
    listed: bool = False
    """It sets search attributes; what was begun by an older build goes on without."""


class Begun(Model):
    """What a release is about to do: told to the guard before the service is touched."""

    release: str
    released: Revision
    target: Revision | None = None


class Instruction(Model):
    """An operator's message to the release under way, handed on by the guard."""

    verb: str
    """``promote``, ``hold``…: a newer guard may know more of them than its release."""
    request: OperatorRequest
    rollback: RollbackRequest | None = None
    """Set for ``rollback``."""


class InstructionAnswer(Model):
    """What a release answers to an instruction."""

    id: str
    """The request's."""
    done: bool
    text: str


class Step(Model):
    """One step of the pipeline, as it went."""

    name: str
    started_at: datetime
    finished_at: datetime | None = None
    text: str = ""


class Progress(Model):
    """Where a release is; answers the query ``progress``."""

    release: str
    service: str
    what: str
    step: str
    steps: tuple[Step, ...]
    notes: tuple[str, ...]
    """What was said to people so far, oldest first."""
    from_task_definition: str | None = None
    to_task_definition: str | None = None
    rollback_target: str | None = None
    window_ends_at: datetime | None = None
    held: bool = False
    result: ReleaseResult | None = None
    """Set once the release has ended, or is held: then ``outcome`` is ``held`` for now."""
    notification_failures: tuple[ChannelFailure, ...] = ()


class Decided(Model):
    """One decision of a release: what was found, and what was to be done about it."""

    at: datetime
    finding: str
    """The finding's kind: ``trigger``, ``rollout``, ``operator``…"""
    reason: str
    do: str
    """``roll_back``, ``wait``, ``hold``, or the outcome."""
    why: str = ""
    """Why so: the limits as they stood."""


class Explanation(Model):
    """All that went into a release's outcome; answers the query ``explain``."""

    release: ReleaseOrder
    progress: Progress
    target: Revision | None = None
    """Without its JSON."""
    target_reason: str | None = None
    limits: Limits = Limits()
    """As they stood when it was asked."""
    verdicts: tuple[Verdict, ...] = ()
    """The last one of each trigger, and what fired."""
    decisions: tuple[Decided, ...] = ()
    calls: tuple[str, ...] = ()
    """What was sent to AWS, with its time, oldest first."""
    actions: tuple[Action, ...] = ()
    """What people asked of this release, oldest first."""


class Finding(Model):
    """Why a release does not simply go on; what a decision made of what was seen."""

    kind: Literal[
        "refused",
        "trigger",
        "operator",
        "rollout",
        "smoke",
        "inconclusive",
        "rolled_back_by_ecs",
        "displaced",
        "superseded",
        "lost",
        "cancelled",
        "hold",
    ]
    """``displaced``: somebody else's deployment; ``superseded``: a newer release of ours;
    ``lost``: the service is gone or scaled to 0, or its state cannot be told."""
    reason: str
    verdict: Verdict | None = None
    """The trigger's verdict, if one fired."""
    actor: str = "lastgood"
    to: str | None = None
    """The task definition that an operator named, or that ECS went back to."""


class DeploymentReport(ReleaseResult):
    """What a ``Deployment`` gives back: the result, and what the guard should remember."""

    released: Revision | None = None
    """Set once the service was moved to it."""
    target: Revision | None = None
    """The revision that was good before."""
    proven: str | None = None
    """How the released revision was proven, where it was not by its window."""
    notice: Notice | None = None
    """What people were told of the end."""
    threads: tuple[Thread, ...] = ()
    """Threads and incidents that are open, where it ended badly."""
    blamed: bool = True
    """False: it was rolled back for the sake of its group, and nothing is said against it."""


class RollbackOrder(Model):
    """What a ``Rollback`` is to bring back, from what, and how to prove that it helped."""

    service: ServiceRef
    release: str
    target: Revision
    from_task_definition: str
    also_from: tuple[str, ...] = ()
    """ARNs of what else is to be left if it runs: ours too, a rollback's target that failed."""
    from_deployment: str | None = None
    before_deployments: tuple[str, ...] = ()
    """Ids of the ECS deployments that there were before the release; ECS's own rollback returns to
    one of them."""
    before_revision: str | None = None
    """ARN of the ECS service revision that ran before the release, only if it is the very target:
    then ECS itself can be told to go back to it."""
    policy: Policy
    fired: Verdict | None = None
    """The trigger that fired; it must be good again."""
    smoke_failed: bool = False
    adopt: bool = False
    """ECS already went back by itself: wait and verify only."""
    triggers: tuple[WatchedTrigger, ...] = ()
    """The triggers, resolved."""
    released_at: datetime | None = None
    """When the release was deployed: what was normal is what was before."""
    troubled: tuple[Stretch, ...] = ()
    """When releases ran that did not become good."""
    actor: str = ""
    """Who decided: ``lastgood`` or an operator."""
    reason: str = ""
    """Why, in one sentence."""
    listed: bool = False
    """It sets search attributes; what was begun by an older build goes on without."""


class RollbackReport(Model):
    """How a rollback went."""

    run_id: str = ""
    outcome: Outcome
    reason: str
    to: str
    started_at: datetime
    called_at: datetime | None = None
    steady_at: datetime | None = None
    finished_at: datetime
    verified: bool
    evidence: tuple[Verdict, ...] = ()
    calls: tuple[str, ...] = ()
    """What was sent to ECS, in words and with its time, oldest first."""
