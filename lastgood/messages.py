"""Names that cross the wire: renaming one is a migration, as workflows and clients use them."""

from __future__ import annotations

from lastgood.model import ServiceRef

TASK_QUEUE = "lastgood"
"""Workflows and the short activities."""

WATCH_TASK_QUEUE = "lastgood-watch"
"""The heartbeating watches, apart from the rest so that they never hold a rollback's slot."""

GUARD = "ServiceGuard"
DEPLOYMENT = "Deployment"
ROLLBACK = "Rollback"
CHECK = "Check"
DOCTOR = "Doctor"
GROUP = "GroupRelease"
DRILL = "Drill"

# Updates of ServiceGuard.
DEPLOY = "deploy"
PREFLIGHT = "preflight"
OPERATOR_ROLLBACK = "rollback"
RESET = "reset"
PROMOTE = "promote"
HOLD = "hold"
RESUME = "resume"
APPROVE = "approve"
DENY = "deny"
CANCEL = "cancel"
FREEZE = "freeze"
UNFREEZE = "unfreeze"
ADOPT = "adopt"
ACKNOWLEDGE = "acknowledge"

# Queries.
OVERVIEW = "overview"
RELEASE = "release"
PROGRESS = "progress"
EXPLAIN = "explain"

# Signals between the guard and its children.
SUPERSEDE = "supersede"
LIMITS_RESET = "limits_reset"
INSTRUCT = "instruct"
INSTRUCTION_ANSWERED = "instruction_answered"
MEMBER_ENDED = "member_ended"
MEMBER_RESUMED = "member_resumed"
RELEASE_BEGUN = "release_begun"
ROLLBACK_STARTED = "rollback_started"
RELEASE_HELD = "release_held"
RELEASE_RESUMED = "release_resumed"
ORPHANED = "orphaned"
RELEASE_ENDED = "release_ended"

RELEASE_TAG = "lastgood:release"
"""The tag on a task definition that we registered; its value is the release's id."""

COPY_TAG = "lastgood:copy-of"
"""The tag on a digest-pinned copy of a task definition; its value is the original's ARN."""


RELEASE_MEMO = "release"
"""The memo of a release's or rollback's workflow by which it is found; its value is the id."""

SERVICE_ATTRIBUTE = "LastgoodService"
"""``CLUSTER/SERVICE``."""
OUTCOME_ATTRIBUTE = "LastgoodOutcome"
"""How it ended, as results say it; ``held`` also while a person is waited for."""
IMAGE_ATTRIBUTE = "LastgoodImage"
"""What it brings to the service."""
ACTOR_ATTRIBUTE = "LastgoodActor"
"""Who asked for it."""
SEARCH_ATTRIBUTES = (SERVICE_ATTRIBUTE, OUTCOME_ATTRIBUTE, IMAGE_ATTRIBUTE, ACTOR_ATTRIBUTE)
"""By which workflows are found in lists, all of the type Keyword. A namespace may lack them."""


def guard_id(service: ServiceRef) -> str:
    """The workflow id of a service's guard."""
    return f"service/{service.region}/{service.cluster}/{service.name}"


def deployment_id(service: ServiceRef) -> str:
    """The workflow id of a service's release: constant, a second lock beside the guard."""
    return f"release/{service.region}/{service.cluster}/{service.name}"


def group_id(region: str, group: str) -> str:
    """The workflow id of a group's release: constant, so that there is one at a time."""
    return f"group/{region}/{group}"


def rollback_id(service: ServiceRef) -> str:
    """The workflow id of a service's rollback: constant, so that there is one at a time."""
    return f"rollback/{service.region}/{service.cluster}/{service.name}"


def drill_id(service: ServiceRef) -> str:
    """The id of the schedule of a service's drills; their workflows' ids begin with it."""
    return f"drill/{service.region}/{service.cluster}/{service.name}"
