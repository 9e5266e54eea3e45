"""The stage of all scenes: servers that are shared, and worlds of one's own where it must be so."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.running import Sandbox
from sandbox.scenarios.demo.parts import Program, wait_for
from tests.e2e.commands import PATIENCE
from tests.e2e.receivers import PASSWORD, USER, HttpReceiver, MailServer
from tests.e2e.services import ROUTING_KEY, TOKEN, Services
from tests.e2e.temporal import TemporalServer

_CLOSED = ("AWS_", "TEMPORAL_", "LASTGOOD_", "GITHUB_", "SLACK_", "SSL_", "CI")
TRAFFIC = 8.0
MINUTE = 6.0
"""Seconds that one of ECS's minutes lasts: bake time, steps, hooks' time-outs."""


def bare_environment() -> dict[str, str]:
    """Ours, without what would point somewhere."""
    return {name: v for name, v in os.environ.items() if not name.startswith(_CLOSED)}


class Cloud:
    """A sandbox with its topic and its sender, and boto3 clients made once."""

    def __init__(self) -> None:
        self.aws = Sandbox(traffic=TRAFFIC, arguments=("--minute", f"{MINUTE:g}"))
        self.aws.start()
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        self.topic: str = self.client("sns").create_topic(Name="deploys")["TopicArn"]
        self.client("sesv2").create_email_identity(EmailIdentity="deploys@example.com")

    def client(self, service: str) -> Any:
        """A boto3 client."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self.aws.client(service)
            return self._clients[service]

    def stop(self) -> None:
        for client in self._clients.values():
            client.close()
        self.aws.stop()


class Worker(Program):
    """`python worker.py`."""

    def end(self) -> int:
        """SIGTERM; its exit code."""
        self.stop()
        return -1 if self._process is None else int(self._process.returncode)


@dataclass
class World:
    """A worker between a namespace of Temporal and an AWS."""

    temporal: TemporalServer
    namespace: str
    cloud: Cloud
    worker: Worker
    log: Path
    env: dict[str, str]
    """For the command line: it knows where Temporal is, and nothing else."""
    worker_env: dict[str, str]
    quiet: bool = True
    """Nothing is killed or refused here: everything happens exactly once."""

    def starts(self) -> int:
        """How often its workers have begun to work."""
        return self.log.read_text(errors="replace").count("Working on")

    def restart_worker(self) -> None:
        """SIGKILL the worker and start it again."""
        self.worker.kill()
        self.worker.start()


class Stage:
    """Starts what scenes ask for, and ends it all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._count = 0
        self.http = HttpReceiver()
        self._stack.callback(self.http.stop)
        self.mail = MailServer(folder)
        self._stack.callback(self.mail.stop)
        self.services = Services()
        self._stack.callback(self.services.stop)
        self._shared: World | None = None
        self._slow: Cloud | None = None

    def shared(self) -> World:
        """The world of all scenes that disturb nobody."""
        with self._lock:
            if self._shared is None:
                temporal = self._temporal("temporal")
                self._shared = self._world(temporal, self._cloud(), "worker", {})
            return self._shared

    def own(
        self,
        *,
        temporal: bool = False,
        ui: bool = False,
        cloud: Cloud | None = None,
        **env: str,
    ) -> World:
        """A world with a worker of its own, and a Temporal or a cloud of its own if asked for."""
        shared = self.shared()
        with self._lock:
            self._count += 1
            number = self._count
        server = shared.temporal
        if temporal or ui:
            server = self._temporal(f"temporal-{number}", 1, ui=ui)
        if ui:
            env["LASTGOOD_UI_URL"] = server.ui_url
        world = self._world(server, cloud or shared.cloud, f"worker-{number}", env)
        world.quiet = False
        return world

    def new_cloud(self) -> Cloud:
        """A sandbox of one's own."""
        return self._cloud()

    def slow_cloud(self, actions: tuple[str, ...]) -> Cloud:
        """A sandbox that answers some calls two seconds late; one for all who ask."""
        with self._lock:
            if self._slow is None:
                self._slow = self._cloud()
                for action in actions:
                    self._slow.aws.delay(action, 2.0)
            return self._slow

    def second_worker(self, world: World) -> None:
        """Start one more worker of a world; its log goes into the same file."""
        self.program(world.worker.name, WORKER, world.worker_env)

    def program(self, name: str, command: list[str], env: dict[str, str] | None = None) -> Program:
        """Start any other program; it ends with the stage."""
        program = Program(name, command, self.folder, env or bare_environment()).start()
        self._stack.callback(program.stop)
        return program

    def close(self) -> None:
        """End everything that was started."""
        self._stack.close()

    def _temporal(self, name: str, namespaces: int = 24, *, ui: bool = False) -> TemporalServer:
        server = TemporalServer(self.folder, name, namespaces, ui=ui)
        self._stack.callback(server.stop)
        server.start()
        return server

    def _cloud(self) -> Cloud:
        cloud = Cloud()
        self._stack.callback(cloud.stop)
        return cloud

    def _world(
        self, temporal: TemporalServer, cloud: Cloud, name: str, more: dict[str, str]
    ) -> World:
        namespace = temporal.take_namespace()
        env = {
            **bare_environment(),
            "TEMPORAL_ADDRESS": temporal.address,
            "TEMPORAL_NAMESPACE": namespace,
            "AWS_REGION": "us-east-1",
        }
        secrets = {
            "SLACK_WEBHOOK_URL": self.http.url("ok"),
            "SLACK_BROKEN_URL": self.http.url("broken"),
            "SLACK_BUSY_URL": self.http.url("busy"),
            "SLACK_LATE_URL": self.http.url("late"),
            "DEPLOY_WEBHOOK_URL": self.http.url("hook"),
            "SLACK_BOT_TOKEN": TOKEN,
            "PAGERDUTY_ROUTING_KEY": ROUTING_KEY,
            "TEAMS_WEBHOOK_URL": self.services.teams_url,
            "SMTP_USERNAME": USER,
            "SMTP_PASSWORD": PASSWORD,
            "SSL_CERT_FILE": str(self.mail.certificate),
        }
        outside = {
            "LASTGOOD_UI_URL": "http://temporal.example.com",
            "LASTGOOD_SLACK_API": self.services.slack_api,
            "LASTGOOD_PAGERDUTY_API": self.services.address,
        }
        worker_env = {**env, **cloud.aws.env, **secrets, **outside, **more}
        worker = Worker(name, WORKER, self.folder, worker_env).start()
        self._stack.callback(worker.stop)
        wait_for(f"the start of {name}", lambda: worker.says("Working on"), PATIENCE)
        return World(
            temporal, namespace, cloud, worker, self.folder / f"{name}.log", env, worker_env
        )


WORKER = [sys.executable, "worker.py"]
