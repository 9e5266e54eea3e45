"""A scene: one ECS service of its own, its policy, and everything that was done to it."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import yaml

from sandbox.scenarios.stack import Stack, make_stack
from tests.e2e.commands import PATIENCE, Command, Json, Run
from tests.e2e.receivers import Post
from tests.e2e.stage import Stage, World

REGION = "us-east-1"
MOVING = ("UpdateService", "StopServiceDeployment", "ContinueServiceDeployment")


class _WithoutAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


@dataclass
class Scene:
    """What a test is given; `check` in `checker` judges it at the end."""

    stage: Stage
    name: str
    runs: list[Run] = field(default_factory=list)
    operations: list[tuple[str, str]] = field(default_factory=list)
    """Operators' actions that were accepted: verb and reason."""
    changed_by_hand: list[str] = field(default_factory=list)
    """Task definitions that the test itself deployed, past Lastgood."""
    passed_through: list[str] = field(default_factory=list)
    """Task definitions that a rollback went to on its way: not what ran, or not good any more."""
    forgotten: list[Json] = field(default_factory=list)
    """Results, oldest first, that were lost with Temporal's database."""
    policies: list[Json] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    repository: str = "shop"
    """Of the images; one of its own where a test moves tags."""
    served_throughout: bool = True
    """False where a test takes the tasks away itself."""
    sandboxed: bool = True
    """False where AWS is another emulator, which tells no truth."""
    _world: World | None = None
    _stack: Stack | None = None

    # --- Before ----------------------------------------------------------------------------

    @property
    def world(self) -> World:
        """The shared world, unless `play_in` chose another."""
        if self._world is None:
            self._world = self.stage.shared()
        return self._world

    def play_in(self, world: World) -> None:
        """Use a world of one's own."""
        self._world = world

    @property
    def begun(self) -> bool:
        """Whether there is a service."""
        return self._stack is not None

    @property
    def shop(self) -> Stack:
        """The service; made on first use."""
        if self._stack is None:
            self.make()
        assert self._stack is not None
        return self._stack

    def make(self, **options: Any) -> Stack:
        """Make the service: one task of `shop:1.0` behind a load balancer."""
        options = {"image": f"{self.repository}:1.0", "desired": 1, **options}
        options.setdefault("service", f"shop-{uuid.uuid4().hex[:8]}")
        self._stack = make_stack(self.world.cloud.client, **options)
        return self._stack

    def use(self, stack: Stack) -> None:
        """Use a service that was made elsewhere than in the sandbox."""
        self._stack, self.sandboxed = stack, False

    def policy(self, **changes: Any) -> str:
        """Write a policy of seconds, with all channels; return the file's path.

        A change replaces a key of the first level; dictionaries are merged into the default.
        """
        shop = self.shop
        health = f"{shop.url}/health"
        mail = {"host": "127.0.0.1", "port": self.stage.mail.port, "tls": "starttls"}
        account = {"username": "env:SMTP_USERNAME", "password": "env:SMTP_PASSWORD"}
        policy: Json = {
            "service": shop.name,
            "region": REGION,
            "deploy": {"timeout": "60s"},
            "smoke": [{"url": health}] if shop.url else [],
            "monitor": {"window": "8s", "interval": "2s"},
            "triggers": [
                {"type": "error-rate", "threshold": "5%", "duration": "3s"},
                {"type": "response-time", "threshold": "2000ms", "duration": "3s"},
                {"type": "health-check", "url": health, "threshold": 2},
            ],
            "rollback": {"cooldown": "1s", "max_rollbacks": 3, "hold_for": "10m"},
            "notify": {
                "slack": {"webhook_url": "env:SLACK_WEBHOOK_URL"},
                "webhook": {"url": "env:DEPLOY_WEBHOOK_URL"},
                "sns": {"topic_arn": self.world.cloud.topic},
                "email": {
                    "from": "deploys@example.com",
                    "to": ["oncall@example.com"],
                    "via": "smtp",
                    "smtp": {**mail, **account},
                },
            },
        }
        for key, value in changes.items():
            merge = isinstance(value, dict) and isinstance(policy.get(key), dict)
            policy[key] = {**policy[key], **value} if merge else value
        self.policies.append(policy)
        path = self.stage.folder / f"{shop.service}-{len(self.policies)}.yaml"
        path.write_text(yaml.dump(policy, Dumper=_WithoutAliases))
        return str(path)

    # --- Doing -----------------------------------------------------------------------------

    def start(self, *arguments: str, **env: str) -> Command:
        """Start `lastgood …`."""
        command = Command(self.stage.folder, {**self.world.env, **env}, arguments)
        self.commands.append(command)
        return command

    def lastgood(self, *arguments: str, **env: str) -> Run:
        """Run `lastgood …` to its end."""
        return self.end(self.start(*arguments, **env))

    def end(self, command: Command, timeout: float = PATIENCE) -> Run:
        """Wait for a command; what it said is checked for secrets later."""
        run = command.wait(timeout)
        self.runs.append(run)
        return run

    def start_deploy(self, tag: str, policy: str | None = None, release: str = "r1") -> Command:
        """Start `lastgood deploy` of `shop:TAG`."""
        policy = policy or self.policy()
        order = ("--image", f"{self.repository}:{tag}", "--policy", policy, "--release", release)
        return self.start("deploy", *order, "--output", "json")

    def deploy(self, tag: str, policy: str | None = None, release: str = "r1") -> Run:
        """Deploy and follow to the verdict."""
        return self.end(self.start_deploy(tag, policy, release))

    def operate(self, verb: str, reason: str, *more: str) -> Run:
        """An operator's message; remembered, if it was accepted."""
        run = self.lastgood(verb, self.shop.name, "--reason", reason, *more, "--output", "json")
        if run.code not in (1, 2, 15):
            self.operations.append((verb, reason))
        return run

    def rollback(self, reason: str) -> Run:
        """An operator's rollback."""
        return self.operate("rollback", reason)

    def status(self) -> Json:
        """`lastgood status`."""
        run = self.lastgood("status", self.shop.name, "--output", "json")
        assert run.code == 0, run
        return run.json

    # --- Seeing ----------------------------------------------------------------------------

    def identity(self, kind: str) -> str:
        """The id of the guard (`service`), the release or the rollback of this service."""
        return f"{kind}/{REGION}/{self.shop.name}"

    def query(self, kind: str, name: str, *arguments: Any) -> Any:
        """What a workflow of this service answers; None if it does not."""
        world = self.world
        return world.temporal.query(world.namespace, self.identity(kind), name, *arguments)

    def overview(self) -> Json:
        """What the guard remembers."""
        found: Json = self.wait("an answer of the guard", lambda: self.query("service", "overview"))
        return found

    def wait(self, what: str, condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        """Wait for something; the error says what the commands said."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            if time.monotonic() > deadline:
                raise self._late(what, seconds)
            time.sleep(0.3)
        return found

    def _late(self, what: str, seconds: float) -> TimeoutError:
        said = "\n".join(f"{' '.join(c.arguments)}\n{c.err[-1500:]}" for c in self.commands)
        return TimeoutError(f"{self.name}: {what} did not happen within {seconds:.0f} s\n{said}")

    def wait_for_step(self, *steps: str, release: str = "r1") -> Json:
        """Wait until a release has begun one of some steps; return its progress."""

        def there() -> Json | None:
            progress: Json | None = self.query("release", "progress")
            if not progress or progress["release"] != release:
                return None
            begun = {step["name"] for step in progress["steps"]}
            return progress if begun & set(steps) else None

        found: Json = self.wait(f"step {' or '.join(steps)} of {release}", there)
        return found

    def truth(self) -> Json:
        """What is really so."""
        return self.world.cloud.aws.truth(self.shop.cluster, self.shop.service)

    def runs_only(self, tag: str) -> bool:
        """Whether the service is steady on one version, truly."""
        truth = self.truth()
        return bool(truth["steady"] and truth["versions"] == [tag])

    def updates(self) -> list[Json]:
        """The calls that moved this service, forth or back, oldest first."""
        found = [
            call
            for action in MOVING
            for call in self.world.cloud.aws.requests(action)
            if call["about"] == self.shop.service and any(map(_moves, call["effects"]))
        ]
        return sorted(found, key=lambda call: float(call["at"]))

    def moves(self) -> list[str]:
        """Which calls moved this service, oldest first."""
        return [str(call["action"]) for call in self.updates()]

    def posts(self, *ways: str) -> list[Post]:
        """What the HTTP receivers got about this service."""
        return self.stage.http.about(self.shop.name, *ways)

    def slack_says(self, pattern: str) -> list[Post]:
        """The Slack posts about this service that match."""
        ways = ("ok", "broken", "busy", "late")
        return [post for post in self.posts(*ways) if re.search(pattern, post.text)]

    def close(self) -> None:
        """Take the service away: its tasks are processes."""
        for command in self.commands:
            command.kill()
        stack, self._stack = self._stack, None
        if stack is not None:
            stack.delete()


def _moves(effect: str) -> bool:
    return effect.startswith(("deployment ", "rollback to "))


def instant(text: str) -> float:
    """Seconds since the epoch of a time as our JSON writes it."""
    return datetime.fromisoformat(text).timestamp()
