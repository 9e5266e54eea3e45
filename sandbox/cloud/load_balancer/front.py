"""The data plane: one event loop for listeners, health checks and traffic."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any

from sandbox.cloud.load_balancer.http import Message, exchange
from sandbox.cloud.load_balancer.proxy import Listener, Proxy, bind
from sandbox.cloud.load_balancer.rules import Rule, RuleView
from sandbox.cloud.load_balancer.statistics import Statistics, Timeline
from sandbox.cloud.load_balancer.targets import HealthCheck, Target, TargetGroup
from sandbox.cloud.load_balancer.traffic import Direct, Rates, Source

_PROBE = Message("GET / HTTP/1.1", [("User-Agent", "ELB-HealthChecker/2.0")], b"")


@dataclass(frozen=True)
class ListenerView:
    """A listener as the control plane has it, its rules in the order of their priority.

    Nobody but testers uses a `quiet` one: it gets no traffic of the sandbox's own.
    """

    arn: str
    balancer: str
    name: str
    port: int
    rules: tuple[RuleView, ...]
    idle_timeout: float
    quiet: bool = False

    @property
    def groups(self) -> set[str]:
        """The ARNs of all target groups that its rules forward to."""
        return {arn for rule in self.rules for arn, _ in rule.groups}


@dataclass(frozen=True)
class GroupView:
    """A target group as the control plane has it."""

    arn: str
    check: HealthCheck
    in_use: bool


class Front:
    """Listeners, target groups and traffic sources. Methods are called from other threads."""

    def __init__(self, rates: Rates, probe_interval: float) -> None:
        self.rates = rates
        self.statistics = Statistics()
        self.timeline = Timeline()
        self.listeners: dict[str, Listener] = {}
        self.groups: dict[str, TargetGroup] = {}
        self._direct: dict[str, Direct] = {}
        self._sources: dict[str, Source] = {}
        self._interval = probe_interval
        self._proxy = Proxy(self.statistics, self.timeline)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="data plane", daemon=True)
        self._background: set[asyncio.Future[Any]] = set()

    def start(self) -> None:
        """Start the event loop."""
        self._thread.start()
        self._submit(self._probe_all())

    def stop(self) -> None:
        """Close all sockets and end the event loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=3)

    def group(self, arn: str) -> TargetGroup:
        """Return a target group, which is made on first use."""
        return self.groups.setdefault(arn, TargetGroup(arn))

    def sync(
        self, listeners: Iterable[ListenerView], groups: Iterable[GroupView]
    ) -> dict[str, int]:
        """Make the sockets what the control plane says; return the ports of new listeners."""
        for group_view in groups:
            group = self.group(group_view.arn)
            group.check, group.in_use = group_view.check, group_view.in_use
        ports: dict[str, int] = {}
        seen = set()
        for view in listeners:
            seen.add(view.arn)
            if view.arn not in self.listeners:
                listener = Listener(view.arn, view.balancer, view.name, bind(view.port))
                self.listeners[view.arn] = listener
                ports[view.arn] = listener.port
                self._submit(self._proxy.serve(listener))
            listener = self.listeners[view.arn]
            listener.rules = self._rules(listener, view)
            listener.idle_timeout, listener.quiet = view.idle_timeout, view.quiet
        for arn in self.listeners.keys() - seen:
            self._loop.call_soon_threadsafe(self._close, self.listeners.pop(arn))
        self._sync_traffic()
        return ports

    def _rules(self, listener: Listener, view: ListenerView) -> list[Rule]:
        """Return a listener's rules as they are now; those that stay keep whose turn it is."""
        known = {rule.arn: rule for rule in listener.rules}
        rules = []
        for wanted in view.rules:
            rule = known.get(wanted.arn) or Rule(wanted.arn)
            rule.conditions = wanted.conditions
            rule.groups = [(self.group(arn), weight) for arn, weight in wanted.groups]
            rules.append(rule)
        return rules

    def send_direct(self, service: str, name: str, tasks: tuple[tuple[int, str], ...]) -> None:
        """Let traffic go straight to these tasks: port and version of each."""
        direct = self._direct.setdefault(service, Direct(service, self.timeline))
        direct.tasks = tasks
        self._ensure_source(f"service {service}", name, direct.send)

    def forget_direct(self, service: str) -> None:
        """Send a service nothing any more."""
        self._direct.pop(service, None)
        self._drop_source(f"service {service}")

    def balancer_of(self, group: TargetGroup) -> str | None:
        """Return the ARN of a load balancer that uses a target group."""
        for listener in self.listeners.values():
            if any(group is used for used in listener.groups):
                return listener.balancer
        return None

    def rule_for(self, arn: str | None, group: str) -> Rule | None:
        """Return the rule of that ARN, or else the first one that forwards to a target group."""
        rules = [rule for listener in self.listeners.values() for rule in listener.rules]
        named = [rule for rule in rules if rule.arn == arn]
        using = [rule for rule in rules if any(known.arn == group for known, _ in rule.groups)]
        return next(iter(named or using), None)

    def _sync_traffic(self) -> None:
        wanted = set()
        for listener in list(self.listeners.values()):
            if not listener.quiet and any(group.service for group in listener.groups):
                key = f"listener {listener.arn}"
                wanted.add(key)
                self._ensure_source(key, listener.name, self._sender(listener))
        for key in [k for k in self._sources if k.startswith("listener ") and k not in wanted]:
            self._drop_source(key)

    def _sender(self, listener: Listener) -> Callable[[Message], Awaitable[object]]:
        async def send(message: Message) -> object:
            return await self._proxy.forward(listener, message)

        return send

    def _ensure_source(
        self, key: str, name: str, send: Callable[[Message], Awaitable[object]]
    ) -> None:
        if key not in self._sources:
            self._sources[key] = source = Source(name, self.rates, send)
            self._loop.call_soon_threadsafe(source.start)

    def _drop_source(self, key: str) -> None:
        source = self._sources.pop(key, None)
        if source is not None:
            self._loop.call_soon_threadsafe(source.stop)

    def _close(self, listener: Listener) -> None:
        if listener.server is not None:
            listener.server.close()
        listener.socket.close()

    def _submit(self, coroutine: Coroutine[Any, Any, object]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        for listener in self.listeners.values():
            self._close(listener)

    async def _probe_all(self) -> None:
        while True:
            now = time.monotonic()
            for group in list(self.groups.values()):
                for target in group.targets:
                    if target.state != "draining" and now >= target.next_probe:
                        target.next_probe = now + group.check.timeout + self._interval
                        self._spawn(self._probe(group.check, target))
            await asyncio.sleep(self._interval / 4)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(coroutine)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _probe(self, check: HealthCheck, target: Target) -> None:
        target.note(check, await probe(target.port, check.path, check.timeout))
        target.next_probe = time.monotonic() + self._interval


async def probe(port: int, path: str, timeout: float) -> int | None:
    """Return the status that a health check gets, None when there is no answer in time."""
    message = Message(f"GET {path} HTTP/1.1", _PROBE.headers, b"")
    try:
        async with asyncio.timeout(timeout):
            answer = await exchange("127.0.0.1", port, message.encode(Host="sandbox"))
    except (OSError, TimeoutError):
        return None
    return None if answer is None else answer.status
