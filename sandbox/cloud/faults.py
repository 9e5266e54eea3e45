"""Faults on request: answers that are late, refused, lost or old."""

import threading
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Kind = Literal["delay", "throttle", "error", "lose_answer", "deny", "unsupported", "stale"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass
class Fault:
    """One fault of an action (`*` is every action); `times` None is until it is cleared."""

    kind: Kind
    action: str
    times: int | None = None
    seconds: float = 0.0
    skip: int = 0
    used: int = field(default=0)

    def describe(self) -> dict[str, Any]:
        """Return it as the control API shows it."""
        return vars(self).copy()


class Faults:
    """The faults that are set; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Set a fault."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._faults.clear()

    def list(self) -> "list[dict[str, Any]]":
        """Return all faults."""
        with self._lock:
            return [fault.describe() for fault in self._faults]

    def take(self, kind: Kind, action: str) -> Fault | None:
        """Return the fault of that kind that hits this call, and count it."""
        with self._lock:
            for fault in self._faults:
                if fault.kind == kind and fault.action in ("*", action) and self._hits(fault):
                    return fault
        return None

    @staticmethod
    def _hits(fault: Fault) -> bool:
        if fault.times is not None and fault.used >= fault.times + fault.skip:
            return False
        fault.used += 1
        return fault.used > fault.skip
