"""Listeners: real sockets that pass requests on to healthy targets."""

import asyncio
import contextlib
import itertools
import socket
import time
from dataclasses import dataclass, field

from sandbox.cloud.load_balancer.http import Message, exchange, plain_answer, read_message
from sandbox.cloud.load_balancer.rules import Rule
from sandbox.cloud.load_balancer.statistics import Statistics, Timeline
from sandbox.cloud.load_balancer.targets import Target, TargetGroup

_REASONS = {502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}


def bind(port: int) -> socket.socket:
    """Return a socket listening on that port of loopback, or on a free one if it cannot."""
    try:
        return socket.create_server(("127.0.0.1", port), backlog=512)
    except (OSError, OverflowError):
        return socket.create_server(("127.0.0.1", 0), backlog=512)


@dataclass
class Listener:
    """One listener of a load balancer."""

    arn: str
    balancer: str
    name: str
    socket: socket.socket
    rules: list[Rule] = field(default_factory=list)
    idle_timeout: float = 60.0
    quiet: bool = False
    server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port it can be reached at."""
        return int(self.socket.getsockname()[1])

    @property
    def url(self) -> str:
        """Where it can be reached."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def groups(self) -> list[TargetGroup]:
        """All target groups that its rules forward to."""
        return [group for rule in self.rules for group, _ in rule.groups]

    def choose(self, request: Message) -> TargetGroup | None:
        """Return the target group for a request, by the first rule that is for it."""
        rule = next((rule for rule in self.rules if rule.matches(request)), None)
        return rule.choose() if rule else None


class Proxy:
    """Forwards requests, and counts them."""

    def __init__(self, statistics: Statistics, timeline: Timeline) -> None:
        self._statistics = statistics
        self._timeline = timeline
        self._ids = itertools.count(1)

    async def serve(self, listener: Listener) -> None:
        """Begin to accept connections."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
                await self._connection(listener, reader, writer)
            writer.close()

        listener.server = await asyncio.start_server(handle, sock=listener.socket)

    async def _connection(
        self, listener: Listener, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        keep = True
        while keep:
            async with asyncio.timeout(listener.idle_timeout):
                request = await read_message(reader)
            if request is None:
                return
            answer = await self.forward(listener, request)
            wish = request.header("connection").lower()
            keep = wish != "close" and (request.start.endswith("/1.1") or wish == "keep-alive")
            writer.write(answer.encode(Connection="keep-alive" if keep else "close"))
            await writer.drain()

    async def forward(self, listener: Listener, request: Message) -> Message:
        """Answer a request as a load balancer does."""
        group = listener.choose(request)
        target = group.pick() if group else None
        if group is None or target is None:
            return self._refuse(listener, group, 503, chose=False)
        target.in_flight += 1
        try:
            async with asyncio.timeout(listener.idle_timeout):
                answer = await self._ask(target, request)
        except TimeoutError:
            return self._refuse(listener, group, 504, chose=True)
        except OSError:
            return self._refuse(listener, group, 502, chose=True, connected=False)
        finally:
            target.in_flight -= 1
        if answer is None:
            return self._refuse(listener, group, 502, chose=True)
        now = time.time()
        self._statistics.target_answered(
            now, listener.balancer, group.arn, answer.status, answer.seconds
        )
        version = answer.header("x-app-version") or target.version
        self._timeline.note(target.service, now, version, failed=answer.status >= 500)
        return answer

    async def _ask(self, target: Target, request: Message) -> Message | None:
        trace = f"Root=1-{int(time.time()):08x}-{next(self._ids):024x}"
        data = request.encode(
            X_Forwarded_For="127.0.0.1",
            X_Forwarded_Proto="http",
            X_Amzn_Trace_Id=trace,
            Connection="close",
        )
        return await exchange(
            target.host, target.port, data, head=request.start.startswith("HEAD ")
        )

    def _refuse(
        self,
        listener: Listener,
        group: TargetGroup | None,
        status: int,
        *,
        chose: bool,
        connected: bool = True,
    ) -> Message:
        now = time.time()
        arn = group.arn if group else None
        self._statistics.balancer_answered(
            now, listener.balancer, arn, status, chose=chose, connected=connected
        )
        if group is not None and group.service:
            self._timeline.note(group.service, now, "", failed=True)
        return plain_answer(status, _REASONS[status])
