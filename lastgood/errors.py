"""What can go wrong, as one tree.

::

    LastgoodError
    ├── PolicyError            the policy file cannot be used: line, key, remedy
    ├── UsageError             the command line cannot be used
    ├── SettingsError          the process's environment cannot be used
    └── UnreachableError      Temporal, its namespace or its workers cannot be reached
        └── NoNamespaceError   Temporal answers, and does not know the namespace

Failures of activities cross Temporal as ``ApplicationError`` whose ``type`` is AWS's own error
code, or one of the codes below; ``activities/failures.py`` is the one place that maps them.
"""

from __future__ import annotations


class LastgoodError(Exception):
    """Anything that we say to a person instead of showing a traceback."""


class PolicyError(LastgoodError):
    """Raised when a policy cannot be used; the message names line, key and remedy."""


class UsageError(LastgoodError):
    """Raised when arguments of the command line contradict each other."""


class SettingsError(LastgoodError):
    """Raised when an environment variable cannot be used; the message names it."""


class UnreachableError(LastgoodError):
    """Raised when Temporal, the namespace or a worker cannot be reached."""


class NoNamespaceError(UnreachableError):
    """Raised when Temporal answers, and does not know the namespace."""


OUTCOME_UNKNOWN = "OutcomeUnknown"
"""The call may or may not have been carried out: read before deciding."""

NOT_FOUND = "NotFound"
"""What was asked for is not there."""

UNEXPECTED_STATE = "UnexpectedState"
"""The service is not in the state in which this write would be right."""

UNDONE = "Undone"
"""An earlier attempt's write, whose answer was lost, was carried out, and ECS has gone back."""

ROLLOUT_INVISIBLE = "RolloutInvisible"
"""The endpoint accepted a write and shows no deployment for it."""

BLOCKED_ADDRESS = "BlockedAddress"
"""A URL leads to a link-local or metadata address."""

MISSING_SECRET = "MissingSecret"  # noqa: S105 - the name of an error
"""A policy names an environment variable that the worker does not have."""

REFUSED = "Refused"
"""A guard does not do what was asked of it, and says why."""
