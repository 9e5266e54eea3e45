"""However the sandbox ends, nothing of it is left."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable

import psutil
import pytest

from sandbox import Sandbox
from sandbox.scenarios.stack import make_stack
from tests.aws.sandbox.conftest import eventually


def _tasks(aws: Sandbox) -> list[psutil.Process]:
    stack = make_stack(aws.client, desired=2, load_balancer=False)
    tasks = aws.truth(stack.cluster, stack.service)["tasks"]
    processes = [psutil.Process(pid) for task in tasks for pid in task["pids"]]
    assert len(processes) == 2
    assert all(process.is_running() for process in processes)
    return processes


def _gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("end", [Sandbox.stop, Sandbox.kill], ids=["SIGTERM", "SIGKILL"])
def test_no_task_outlives_the_sandbox(end: Callable[[Sandbox], None]) -> None:
    with Sandbox() as aws:
        sandbox = psutil.Process(aws.pid)
        processes = _tasks(aws)
        processes[0].suspend()  # a task that hangs is no exception
        end(aws)
        eventually(lambda: all(_gone(process) for process in [*processes, sandbox]))


_STARTS_AND_IS_KILLED = """
import os, signal
from sandbox import Sandbox
aws = Sandbox()
aws.start()
print(aws.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_sandbox_does_not_outlive_who_started_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _STARTS_AND_IS_KILLED], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    pid = int(done.stdout)
    eventually(lambda: not psutil.pid_exists(pid) or _gone(psutil.Process(pid)))


def test_only_loopback_listens(aws: Sandbox) -> None:
    sockets = psutil.Process(aws.pid).net_connections(kind="inet")
    assert {c.laddr.ip for c in sockets if c.status == "LISTEN"} == {"127.0.0.1"}


def test_stdout_is_one_line_and_stderr_quiet() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    ready = json.loads(line)
    assert ready["endpoint"] == ready["env"]["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{port}"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (out, err, process.returncode) == ("", "", 0)
