"""How quickly time-consuming things go here; on AWS they take minutes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Durations in seconds."""

    tick: float = 0.1
    """The scheduler looks at everything this often."""
    start: float = 0.3
    """A task is RUNNING at the earliest this long after it was created."""
    drain: float = 0.5
    """A target drains at least this long before its task is told to stop."""
    drain_limit: float = 5.0
    """A target drains at most this long, even when requests are still in flight."""
    stop: float = 6.0
    """SIGKILL follows SIGTERM after this time."""
    probe: float = 0.2
    """Time between two health checks of one target, whatever the target group says."""
    bake: float = 3.0
    """How long deployment alarms are watched after the rollout without a `bakeTimeInMinutes`;
    AWS decides this itself."""
    minute: float = 60.0
    """How long a minute of bake times, of the waits between steps and of hooks' time-outs is."""
    history: float = 60.0
    """How far back stale answers can reach."""
