"""A service to play with: Temporal's dev server, the sandbox, a worker, and what Slack would show.

Another terminal reads `.run/playground.env` and then has all of it in its environment.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from sandbox.running import Sandbox
from sandbox.scenarios.demo.parts import (
    BIN,
    ROOT,
    Program,
    Receiver,
    answers,
    free_port,
    temporal_server,
    wait_for,
)
from sandbox.scenarios.demo.story import Teller, slack_text
from sandbox.scenarios.stack import Stack, make_stack

ENVIRONMENT = ROOT / ".run/playground.env"
_UNWANTED = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "GITHUB_ACTIONS", "TEMPORAL_PROFILE")


class Playground:
    """The parts; all end with the stack."""

    def __init__(self, stack: ExitStack) -> None:
        self.tell = Teller()
        ENVIRONMENT.parent.mkdir(exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(prefix="playground-", dir=ENVIRONMENT.parent))
        self.slack = Receiver()
        stack.callback(self.slack.stop)
        port, ui_port = free_port(), free_port()
        self.ui = f"http://127.0.0.1:{ui_port}"
        self.tell.say("Starting Temporal's dev server, the sandbox and a worker ...")
        server = temporal_server(self._folder, port, ui_port).start()
        stack.callback(server.stop)
        self._aws = stack.enter_context(Sandbox())
        self.variables = {
            **self._aws.env,
            "TEMPORAL_ADDRESS": f"127.0.0.1:{port}",
            "TEMPORAL_NAMESPACE": "default",
            "LASTGOOD_UI_URL": self.ui,
        }
        wait_for("Temporal's start", lambda: server.running and answers(port))
        kept = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
        env = {**kept, **self.variables, "SLACK_WEBHOOK_URL": self.slack.url}
        worker = Program("worker", [sys.executable, "worker.py"], self._folder, env).start()
        stack.callback(worker.stop)
        self.shop = self._make_shop()
        wait_for("the worker's start", lambda: worker.says("Working on"))

    def _make_shop(self) -> Stack:
        return make_stack(self._aws.client, cluster="shop", service="web", image="web:1.0")

    def write_environment(self) -> None:
        """For the other terminal: variables, and the command line on its PATH."""
        lines = [f"export {name}={shlex.quote(value)}" for name, value in self.variables.items()]
        lines += [f"unset {' '.join(_UNWANTED)}", f'export PATH={shlex.quote(str(BIN))}:"$PATH"']
        ENVIRONMENT.write_text("\n".join(lines) + "\n")


def main() -> int:
    """Run until Ctrl-C or SIGTERM, and show each message that people would get."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack, suppress(KeyboardInterrupt):
        playground = Playground(stack)
        playground.write_environment()
        stack.callback(ENVIRONMENT.unlink, missing_ok=True)
        tell = playground.tell
        tell.say(
            f"\nECS service {playground.shop.name} runs web:1.0 as 2 tasks behind "
            f"{playground.shop.url}; 20 requests a second keep coming.\n"
            f"Temporal's UI: {playground.ui}\n\n"
            "In another terminal, in this folder:\n\n"
            f"  . {ENVIRONMENT.relative_to(ROOT)}\n"
            f"  lastgood status {playground.shop.name}\n\n"
            "What Slack would show comes here. Ctrl-C ends everything."
        )
        _show_messages(playground)
    return 0


def _show_messages(playground: Playground) -> None:
    shown = 0
    while True:
        for post in playground.slack.posts[shown:]:
            playground.tell.quote(slack_text(post))
            shown += 1
        time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
