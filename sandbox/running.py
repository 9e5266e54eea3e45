"""A sandbox of its own, started from Python: `with Sandbox() as aws: aws.client("ecs")`."""

import contextlib
import functools
import json
import os
import select
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_ROOT = Path(__file__).resolve().parents[1]
_READY_WITHIN = 60.0
_making = threading.Lock()  # a session must not make two clients at once


@functools.cache
def _session() -> Any:
    """Return one session for all: reading the services' models is what takes time."""
    import boto3

    return boto3.session.Session()


class SandboxError(RuntimeError):
    """Raised when the sandbox does not start, or refuses a control call."""


class Sandbox:
    """A sandbox in a process of its own, which ends with the `with` block or this process."""

    def __init__(
        self,
        *,
        port: int = 0,
        traffic: float = 20,
        arguments: tuple[str, ...] = (),
        stderr: int | None = None,
    ) -> None:
        self._command = [sys.executable, "-m", "sandbox", "--lifeline", "--port", str(port)]
        self._command += ["--traffic", str(traffic), *arguments]
        self._stderr = stderr
        self._process: subprocess.Popen[str] | None = None
        self.endpoint = ""
        """The URL of AWS."""
        self.env: dict[str, str] = {}
        """The variables that point AWS clients at the sandbox."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id of the sandbox."""
        return self._running.pid

    @property
    def _running(self) -> "subprocess.Popen[str]":
        if self._process is None:
            raise SandboxError("the sandbox is not running")
        return self._process

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self._process = process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,  # its lifeline: it ends when we are gone
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
            cwd=_ROOT,
            start_new_session=True,
        )
        line = ""
        if process.stdout and select.select([process.stdout], [], [], _READY_WITHIN)[0]:
            line = process.stdout.readline()
        if not line:
            self.stop()
            raise SandboxError(f"the sandbox did not start: {' '.join(self._command)}")
        answer = json.loads(line)
        self.endpoint, self.env = answer["endpoint"], answer["env"]

    def stop(self) -> None:
        """End it and its tasks."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()  # its tasks end by themselves then
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def kill(self) -> None:
        """SIGKILL it, as a crash would."""
        self._running.kill()
        self._running.wait()

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment for a process that is to use the sandbox."""
        kept = {name: v for name, v in os.environ.items() if not name.startswith("AWS_")}
        return {**kept, **self.env}

    def client(self, service: str, *, retries: bool = True) -> Any:
        """Return a boto3 client; without retries each call is one request."""
        from botocore.config import Config

        with _making:
            return _session().client(
                service,
                endpoint_url=self.endpoint,
                region_name=self.env["AWS_REGION"],
                aws_access_key_id=self.env["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=self.env["AWS_SECRET_ACCESS_KEY"],
                config=Config(
                    retries={"total_max_attempts": 3 if retries else 1, "mode": "standard"},
                    read_timeout=30,
                ),
            )

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Call the control API: `control("GET", "listeners")`."""
        request = urllib.request.Request(  # noqa: S310 - our own endpoint
            f"{self.endpoint}/sandbox/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise SandboxError(error.read().decode()) from error

    def truth(self, cluster: str, service: str) -> dict[str, Any]:
        """Return what is really so for a service; see `sandbox.cloud.truth`."""
        found: dict[str, Any] = self.control("GET", f"truth?cluster={cluster}&service={service}")
        return found

    def listeners(self) -> list[dict[str, str]]:
        """Return the URL of every load balancer's listener."""
        found: list[dict[str, str]] = self.control("GET", "listeners")
        return found

    def requests(self, action: str | None = None) -> list[dict[str, Any]]:
        """Return the AWS calls seen, oldest first."""
        query = f"?action={action}" if action else ""
        found: list[dict[str, Any]] = self.control("GET", f"requests{query}")
        return found

    def effects(self, action: str) -> list[str]:
        """Return what the calls of an action brought about, such as `deployment ecs-svc/…`."""
        return [effect for call in self.requests(action) for effect in call["effects"]]

    def forget_requests(self) -> None:
        """Forget the AWS calls seen so far."""
        self.control("DELETE", "requests")

    def traffic(self, rps: float, name: str | None = None) -> None:
        """Set the traffic, overall or for one load balancer or LB-less service by name."""
        self.control("POST", "traffic", {"rps": rps, "name": name})

    def mails(self) -> list[dict[str, Any]]:
        """Return what SES took, oldest first."""
        found: list[dict[str, Any]] = self.control("GET", "mails")
        return found

    def messages(self) -> list[dict[str, Any]]:
        """Return what SNS took."""
        found: list[dict[str, Any]] = self.control("GET", "messages")
        return found

    def kill_task(self, task: str) -> None:
        """SIGKILL the processes of a task."""
        self.control("POST", "kill", {"task": task})

    def delay(self, action: str, seconds: float, *, times: int | None = None) -> None:
        """Answer calls of an action late, after carrying them out."""
        self._fault("delay", action, times=times, seconds=seconds)

    def throttle(self, action: str, *, times: int | None = 1, skip: int = 0) -> None:
        """Refuse calls with ThrottlingException."""
        self._fault("throttle", action, times=times, skip=skip)

    def fail(self, action: str, *, times: int | None = 1, skip: int = 0) -> None:
        """Answer calls with status 500, without carrying them out."""
        self._fault("error", action, times=times, skip=skip)

    def lose_answer(self, action: str, *, times: int | None = 1, skip: int = 0) -> None:
        """Carry calls out, then close the connection without an answer."""
        self._fault("lose_answer", action, times=times, skip=skip)

    def deny(self, action: str, *, times: int | None = None) -> None:
        """Refuse calls with AccessDeniedException; PassRole: registrations with a role."""
        self._fault("deny", action, times=times)

    def stale(self, seconds: float, *, times: int | None = None) -> None:
        """Let DescribeServices tell how services were some seconds ago."""
        self._fault("stale", "DescribeServices", times=times, seconds=seconds)

    def unsupported(self, action: str, *, times: int | None = None) -> None:
        """Refuse calls with UnsupportedFeatureException."""
        self._fault("unsupported", action, times=times)

    def fail_rollbacks(self, cluster: str, service: str, *, fail: bool = True) -> None:
        """Let ECS's own rollbacks of a service end as ROLLBACK_FAILED."""
        self.control("POST", "rollbacks", {"cluster": cluster, "service": service, "fail": fail})

    def digest(self, image: str) -> str:
        """Return the digest that a `repo:tag` of a started task has now."""
        repository, _, tag = image.rpartition(":")
        found: list[dict[str, Any]] = self.control("GET", "images")
        here = [i for i in found if i["repository"] == repository and tag in i["tags"]]
        return str(here[0]["digest"])

    def move_tag(self, image: str, behaviour: str) -> str:
        """Let a `repo:tag` be another image from now on; return the digest of that."""
        answer = self.control("POST", "images", {"image": image, "behaviour": behaviour})
        return str(answer["digest"])

    def remove_image(self, image: str) -> None:
        """Let an image, by tag or digest, be gone from the registry."""
        self.control("DELETE", "images", {"image": image})

    def troubles(self) -> list[str]:
        """Return the sandbox's own errors, which should be none."""
        found: list[str] = self.control("GET", "troubles")
        return found

    def clear_faults(self) -> None:
        """Remove all faults."""
        self.control("DELETE", "faults")

    def _fault(self, kind: str, action: str, **more: object) -> None:
        self.control("POST", "faults", {"kind": kind, "action": action, **more})

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.stop()
