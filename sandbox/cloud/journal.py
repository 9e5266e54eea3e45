"""The list of the AWS calls that were made, and what each brought about."""

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Call:
    """One call; `effects` are things like `deployment ecs-svc/…` or `desiredCount 3`."""

    number: int
    service: str
    action: str
    at: float
    about: str = ""
    status: int = 0
    answered: bool = True
    fault: str | None = None
    effects: list[str] = field(default_factory=list)


class Journal:
    """The last 20,000 calls."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque(maxlen=20_000)
        self._lock = threading.Lock()
        self._count = 0
        self._current = threading.local()

    def begin(self, service: str, action: str, about: str) -> Call:
        """Note a call that begins; effects noted by this thread from now on are its."""
        with self._lock:
            self._count += 1
            call = Call(self._count, service, action, time.time(), about)
            self._calls.append(call)
        self._current.call = call
        return call

    def effect(self, text: str) -> None:
        """Note what the current call brought about."""
        call = getattr(self._current, "call", None)
        if call is not None:
            call.effects.append(text)

    def list(self, action: str | None = None) -> "list[dict[str, Any]]":
        """Return the calls, all or those of one action, oldest first."""
        with self._lock:
            return [vars(call).copy() for call in self._calls if action in (None, call.action)]

    def clear(self) -> None:
        """Forget all calls."""
        with self._lock:
            self._calls.clear()
