"""Traffic: requests that keep coming, so that a release shows what it is worth."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable

from sandbox.cloud.load_balancer.http import Message, exchange
from sandbox.cloud.load_balancer.statistics import Timeline

Send = Callable[[Message], Awaitable[object]]
_MOST_IN_FLIGHT = 300


def request() -> Message:
    """Return the request that is sent again and again."""
    return Message("GET / HTTP/1.1", [("Host", "sandbox"), ("User-Agent", "sandbox-traffic")], b"")


class Rates:
    """Requests per second, overall and for each load balancer or service by name."""

    def __init__(self, overall: float) -> None:
        self.overall = overall
        self.named: dict[str, float] = {}

    def of(self, name: str) -> float:
        """Return the rate that applies to a name."""
        return self.named.get(name, self.overall)


class Source:
    """Sends requests to one place, evenly spread over time."""

    def __init__(self, name: str, rates: Rates, send: Send) -> None:
        self._name = name
        self._rates = rates
        self._send = send
        self._tasks: set[asyncio.Task[object]] = set()
        self.running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; call it in the event loop."""
        self.running = asyncio.create_task(self._run())

    def stop(self) -> None:
        """Send no more; call it in the event loop."""
        if self.running is not None:
            self.running.cancel()

    async def _run(self) -> None:
        due = time.monotonic()
        while True:
            rate = self._rates.of(self._name)
            now = time.monotonic()
            if rate <= 0:
                due = now
                await asyncio.sleep(0.1)
                continue
            due = max(due + 1 / rate, now - 0.5)  # catch up a little after a pause, not for ever
            if due > now:
                await asyncio.sleep(min(due - now, 0.5))
            still = self._rates.of(self._name) > 0
            if still and len(self._tasks) < _MOST_IN_FLIGHT:
                task: asyncio.Task[object] = asyncio.ensure_future(self._one())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _one(self) -> object:
        return await self._send(request())


class Direct:
    """Sends requests straight to the tasks of a service that has no load balancer."""

    def __init__(self, service: str, timeline: Timeline) -> None:
        self._service = service
        self._timeline = timeline
        self._turn = itertools.count()
        self.tasks: tuple[tuple[int, str], ...] = ()
        """Port and version of each running task."""

    async def send(self, message: Message) -> object:
        """Send one request to the next task."""
        tasks = self.tasks
        if not tasks:
            return None
        port, version = tasks[next(self._turn) % len(tasks)]
        try:
            async with asyncio.timeout(30):
                answer = await exchange("127.0.0.1", port, message.encode(Connection="close"))
        except (OSError, TimeoutError):
            answer = None
        failed = answer is None or answer.status >= 500
        self._timeline.note(self._service, time.time(), version, failed=failed)
        return answer
