"""A small web service: what runs inside a task.

Its whole configuration is environment: `SANDBOX_TAG` and `SANDBOX_BEHAVIOUR` (how it behaves),
`SANDBOX_SINCE` (when the deployment's first task came up, seconds since the epoch),
`SANDBOX_HEALTH_PATH`, `SANDBOX_SERVICE`, `SANDBOX_TASK`, `METRICS_NAMESPACE`. Only the standard
library, and little of it, so that a task starts quickly.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from types import FrameType

from sandbox.app.behaviour import Behaviour, parse
from sandbox.app.lifeline import hold_on_to_parent
from sandbox.app.metrics import Metrics, write_line

_HEALTH_PATHS = {"/health", "/healthz", "/ping"}
_REASONS = {200: "OK", 500: "Internal Server Error", 503: "Service Unavailable"}


class App:
    """Answers requests as the behaviour says, and counts what it served."""

    def __init__(self, tag: str, behaviour: Behaviour, metrics: Metrics, since: float) -> None:
        self._tag = tag
        self._behaviour = behaviour
        self._metrics = metrics
        self._since = since
        self._health_paths = _HEALTH_PATHS | {os.environ.get("SANDBOX_HEALTH_PATH", "/health")}
        self._task = os.environ.get("SANDBOX_TASK", "")
        self._lock = threading.Lock()
        self._count = 0
        self.in_flight = 0

    def serve(self, connection: socket.socket) -> None:
        """Read one request, answer it, close."""
        with self._lock:
            self.in_flight += 1
        try:
            with contextlib.suppress(OSError), connection:
                connection.settimeout(30)
                head = _read_request(connection)
                if head:
                    status = self._answer(head)
                    connection.sendall(self._response(status, head))
        finally:
            with self._lock:
                self.in_flight -= 1

    def _answer(self, head: str) -> int:
        started = time.monotonic()
        path = [*head.split(" ", 2), "/", "/"][1].partition("?")[0]
        if self._is_health_check(path, head):
            return 503 if self._fails_health_check() else 200
        time.sleep(self._behaviour.slow)
        status = self._status()
        self._metrics.record(failed=status >= 500, seconds=time.monotonic() - started)
        return status

    def _is_health_check(self, path: str, head: str) -> bool:
        return "ELB-HealthChecker" in head or (path != "/" and path in self._health_paths)

    def _fails_health_check(self) -> bool:
        behaviour = self._behaviour
        return behaviour.unhealthy or self._over(behaviour.degrades) or self._over(behaviour.sick)

    def _status(self) -> int:
        if self._over(self._behaviour.degrades):
            return 503
        with self._lock:
            self._count += 1
            due = int(self._count * self._behaviour.errors + 1e-9)
            before = int((self._count - 1) * self._behaviour.errors + 1e-9)
        return 500 if due > before else 200

    def _over(self, seconds: float | None) -> bool:
        return seconds is not None and time.time() >= self._since + seconds

    def _response(self, status: int, head: str) -> bytes:
        body = f"{_REASONS[status]}: version {self._tag}, task {self._task}\n".encode()
        lines = [
            f"HTTP/1.1 {status} {_REASONS[status]}",
            "Content-Type: text/plain; charset=utf-8",
            f"Content-Length: {len(body)}",
            f"X-App-Version: {self._tag}",
            f"X-App-Task: {self._task}",
            "Connection: close",
        ]
        answer = ("\r\n".join(lines) + "\r\n\r\n").encode()
        return answer if head.startswith("HEAD ") else answer + body


def _read_request(connection: socket.socket) -> str:
    """Return the head of a request, having read its body too; empty when nothing came."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return ""
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    text = head.decode("latin-1")
    length = 0
    for line in text.split("\r\n")[1:]:
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-length":
            length = int(value)
    while len(body) < length:
        chunk = connection.recv(65536)
        if not chunk:
            break
        body += chunk
    return text


def main() -> None:
    """Run until SIGTERM, until the behaviour says to exit, or until the sandbox is gone."""
    tag = os.environ.get("SANDBOX_TAG", "latest")
    behaviour = parse(os.environ.get("SANDBOX_BEHAVIOUR") or tag)
    hold_on_to_parent()
    if behaviour.crash:
        sys.stderr.write("the image says: crash\n")
        raise SystemExit(1)
    metrics = Metrics(
        os.environ.get("METRICS_NAMESPACE", "Servio/Production"),
        os.environ.get("SANDBOX_SERVICE", ""),
    )
    app = App(tag, behaviour, metrics, float(os.environ.get("SANDBOX_SINCE") or time.time()))
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)

    def leave(_signal: int, _frame: FrameType | None) -> None:
        listener.close()
        deadline = time.monotonic() + 4
        while app.in_flight and time.monotonic() < deadline:
            time.sleep(0.02)
        metrics.flush()
        os._exit(0)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=metrics.run, daemon=True).start()
    if behaviour.dies is not None:
        timer = threading.Timer(behaviour.dies, os._exit, [1])
        timer.daemon = True
        timer.start()
    write_line({"listening": listener.getsockname()[1]})
    _accept(listener, app)


def _accept(listener: socket.socket, app: App) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            time.sleep(0.1)  # out of descriptors, or leaving
            continue
        threading.Thread(target=app.serve, args=(connection,), daemon=True).start()
