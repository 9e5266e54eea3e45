"""Real processes: started, listened to, ended, and never left behind."""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from typing import Any

_ROOT = str(Path(__file__).resolve().parents[2])
_START = "import sys; sys.path.insert(0, sys.argv[1]); from sandbox.app.server import main; main()"


class TaskProcess:
    """A container's process. It writes JSON lines: first its port, then its metrics."""

    def __init__(self, environment: dict[str, str]) -> None:
        command = [sys.executable, "-I", "-S", "-c", _START, _ROOT, environment["SANDBOX_TASK"]]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # its lifeline: it exits when our end closes
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self.stdout = self._process.stdout.fileno() if self._process.stdout else -1
        self.port: int | None = None
        self.lines: deque[str] = deque(maxlen=20)
        self.metrics: deque[dict[str, Any]] = deque(maxlen=1000)
        self._rest = b""

    def read(self, data: bytes) -> None:
        """Take in what it wrote."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line.decode("utf-8", "replace"))

    def _take(self, line: str) -> None:
        try:
            parsed = json.loads(line)
        except ValueError:
            parsed = None
        if isinstance(parsed, dict) and "_aws" in parsed:
            self.metrics.append(parsed)
        elif isinstance(parsed, dict) and "listening" in parsed:
            self.port = int(parsed["listening"])
        else:
            self.lines.append(line)

    def exit_code(self) -> int | None:
        """Return how it ended as a shell would say it (137 for SIGKILL), or None."""
        code = self._process.poll()
        return code if code is None or code >= 0 else 128 - code

    def signal(self, number: int) -> None:
        """Send a signal to it and all that it started."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def close(self) -> None:
        """Kill it if need be, wait for it and close its pipes."""
        self.signal(signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


class Reader:
    """One thread that reads what all processes write."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)
        self._closed = False

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def add(self, process: TaskProcess) -> None:
        """Listen to a process until it closes its stdout."""
        os.set_blocking(process.stdout, False)
        with self._lock:
            self._selector.register(process.stdout, selectors.EVENT_READ, process)

    def remove(self, process: TaskProcess) -> None:
        """Read what is left and stop listening; call it before the process is closed."""
        with self._lock, contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(process.stdout)
            while self._read(process):
                pass  # what it wrote last

    def stop(self) -> None:
        """End the thread."""
        self._closed = True
        self._thread.join(timeout=2)

    def _run(self) -> None:
        while not self._closed:
            ready = self._selector.select(timeout=0.1)
            with self._lock:
                for key, _ in ready:
                    if key.fd in self._selector.get_map() and self._read(key.data) == b"":
                        self._selector.unregister(key.fd)

    def _read(self, process: TaskProcess) -> bytes | None:
        """Return what was read: empty at the end, None when there is nothing yet."""
        try:
            data = os.read(process.stdout, 65536)
        except BlockingIOError:
            return None
        except OSError:
            return b""
        process.read(data)
        return data
