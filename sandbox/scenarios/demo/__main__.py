"""Run the demo; the exit status is 0 only if all of it was so."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

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
from sandbox.scenarios.demo.story import (
    Moment,
    Teller,
    first_error,
    mail_text,
    seconds_of,
    slack_text,
    steady_since,
)
from sandbox.scenarios.stack import Stack, make_stack

POLICY = """\
service: {service}
region: us-east-1
deploy:
  timeout: 60s
smoke:
  - url: {url}/health
monitor:
  window: 20s              # minutes in real life
  interval: 1s
triggers:
  - type: error-rate       # from the load balancer's own counts
    threshold: 5%
    duration: 5s
    message: Error rate exceeded threshold
  - type: response-time
    threshold: 1000ms
    duration: 5s
  - type: health-check
    url: {url}/health
    threshold: 3
rollback:
  cooldown: 30s
notify:
  slack: {{webhook_url: env:SLACK_WEBHOOK_URL}}
  email: {{from: deploys@example.com, to: [oncall@example.com], via: ses}}
"""
GOOD, BAD = "shop:2.0", "shop:3.0-errors-0.4"


class Demo:
    """The parts, and the two releases."""

    def __init__(self, stack: ExitStack) -> None:
        self.tell = Teller()
        (ROOT / ".run").mkdir(exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="demo-", dir=ROOT / ".run"))
        self._slack = Receiver()
        stack.callback(self._slack.stop)
        port, ui_port = free_port(), free_port()
        self.ui = f"http://127.0.0.1:{ui_port}"
        server = temporal_server(self.folder, port, ui_port).start()
        stack.callback(server.stop)
        self.tell.say("Starting Temporal's dev server, the sandbox and a worker ...")
        self.aws = stack.enter_context(Sandbox())
        self.environment = {
            **os.environ,
            **self.aws.env,
            "TEMPORAL_ADDRESS": f"127.0.0.1:{port}",
            "TEMPORAL_NAMESPACE": "default",
            "LASTGOOD_UI_URL": self.ui,
            "SLACK_WEBHOOK_URL": self._slack.url,
        }
        for variable in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "TEMPORAL_PROFILE"):
            self.environment.pop(variable, None)
        wait_for("Temporal's start", lambda: server.running and answers(port))
        worker = [sys.executable, "worker.py"]
        self._worker = Program("worker", worker, self.folder, self.environment).start()
        stack.callback(self._worker.stop)
        self.shop = self._make_shop()
        wait_for("the worker's start", lambda: self._worker.says("Working on"))
        self.killed_at: float | None = None

    def _make_shop(self) -> Stack:
        self.aws.client("sesv2").create_email_identity(EmailIdentity="deploys@example.com")
        shop = make_stack(self.aws.client, service="shop", image="shop:1.0")
        policy = POLICY.format(service=shop.name, url=shop.url)
        (self.folder / "lastgood.yaml").write_text(policy)
        self.tell.say(
            f"ECS service {shop.name} runs shop:1.0 as 2 tasks behind {shop.url}; "
            "20 requests a second keep coming."
        )
        return shop

    def release(self, image: str, name: str, *, kill: bool = False) -> tuple[int, dict[str, Any]]:
        """Release an image with the command that CI would use; its exit code and JSON."""
        shown = f"lastgood deploy --image {image} --policy lastgood.yaml"
        self.tell.say(f"$ {shown}")
        command = [str(BIN / "lastgood"), *shown.split()[1:], "--release", name]
        process = subprocess.Popen(
            [*command, "--output", "json"],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        echo = threading.Thread(target=self._echo, args=(process,), daemon=True)
        echo.start()
        try:
            if kill:
                self._kill_worker_during_the_watch(image)
            # The command ends by itself; a deploy that hangs is ended by this timer.
            limit = threading.Timer(150, process.kill)
            limit.start()
            result = process.stdout.read() if process.stdout else ""
            process.wait()
            limit.cancel()
        finally:
            if process.poll() is None:
                process.kill()
        echo.join(timeout=5)
        return process.returncode, json.loads(result or "{}")

    def _echo(self, process: subprocess.Popen[str]) -> None:
        if process.stderr:
            for line in process.stderr:
                self.tell.quote(line)

    def _kill_worker_during_the_watch(self, image: str) -> None:
        version = image.partition(":")[2]
        wait_for("the first error", lambda: first_error(self.truth(), version))
        time.sleep(2)  # let the watch see the first of it
        old, self.killed_at = self._worker.pid, time.time()
        self._worker.kill()
        self.tell.aside(f"kill -9 {old}: the worker is dead in the middle of the watch")
        self._worker.start()
        self.tell.aside(f"a new worker, pid {self._worker.pid}, goes on where it was")
        self.tell.aside(
            "Temporal hands the watch over when its heartbeats have been missing for 15 s"
        )

    def truth(self) -> dict[str, Any]:
        """What the sandbox itself says."""
        return self.aws.truth(self.shop.cluster, self.shop.service)

    def messages(self) -> tuple[list[str], list[dict[str, Any]]]:
        """What reached the Slack receiver, and the mails that SES took."""
        return [slack_text(post) for post in self._slack.posts], self.aws.mails()


def moments(demo: Demo, result: dict[str, Any]) -> list[Moment]:
    """The bad release's timeline, from the sandbox's own record where it has one."""
    truth, version = demo.truth(), BAD.partition(":")[2]
    rollback = result["rollback"]
    calls = [call for call in demo.aws.requests("UpdateService") if call["effects"]]
    found = [
        (first_error(truth, version), "fault visible: the first request fails", "sandbox"),
        (demo.killed_at, "kill -9 of the worker; a new one starts", "demo"),
        (seconds_of(rollback["started_at"]), f"trigger {result['trigger']} fires", "Lastgood"),
        (calls[-1]["at"], "rollback call: UpdateService", "sandbox"),
        (steady_since(truth, version), "steady: the last bad task is gone", "sandbox"),
        (seconds_of(rollback["finished_at"]), "verified: what fired is good again", "Lastgood"),
    ]
    return [Moment(at, what, source) for at, what, source in found if at]


def play(demo: Demo) -> list[str]:
    """Both releases; what was not as it should be."""
    tell, wrong = demo.tell, []
    tell.title(f"1. A good release: {GOOD}")
    code, good = demo.release(GOOD, "demo-good")
    tell.say(f"exit {code}, outcome {good['outcome']}: {good['reason']}")
    if (code, good["outcome"], demo.truth()["versions"]) != (0, "healthy", ["2.0"]):
        wrong.append("the good release did not end healthy on 2.0")
    tell.title(f"2. A bad release: {BAD} answers 40 % of all requests with 500")
    code, bad = demo.release(BAD, "demo-bad", kill=True)
    tell.say(f"exit {code}, outcome {bad['outcome']}, trigger {bad['trigger']}")
    if (code, bad["outcome"], bad["trigger"]) != (10, "rolled_back", "error-rate"):
        wrong.append("the bad release was not rolled back by error-rate")
    elif not bad["rollback"]["verified"]:
        wrong.append("the rollback was not verified")
    slack, mails = demo.messages()
    tell.title(
        f"3. What people got: {len(slack)} Slack messages, {len(mails)} mails; the last ones"
    )
    tell.quote(slack[-1] if slack else "nothing")
    tell.say("")
    tell.quote(mail_text(mails[-1]) if mails else "nothing")
    if not slack or not mails:
        wrong.append("not everybody was told")
    if bad["rollback"]:
        tell.title("4. Timeline of the bad release")
        tell.timeline(moments(demo, bad))
    wrong += check_truth(demo, bad)
    return wrong


def check_truth(demo: Demo, bad: dict[str, Any]) -> list[str]:
    """Compare with what ECS really runs and really did."""
    truth = demo.truth()
    effects = [c for c in demo.aws.requests("UpdateService") if c["effects"]]
    demo.tell.title("5. The truth, read from the sandbox itself")
    demo.tell.say(
        f"ECS runs {', '.join(truth['images'])} ({truth['taskDefinition'].rsplit('/')[-1]}), "
        f"steady: {truth['steady']}; {len(effects)} UpdateService calls had an effect: "
        "two releases and one rollback."
    )
    wrong = []
    if truth["images"] != [GOOD] or not truth["steady"]:
        wrong.append(f"ECS runs {truth['images']}, not {GOOD}")
    if len(effects) != 3:
        wrong.append(f"{len(effects)} calls of UpdateService had an effect, not 3")
    if truth["taskDefinition"] != bad["from_task_definition"]:
        wrong.append("the service is not on the revision that ran before the bad release")
    return wrong


def main() -> int:
    """Run it all; 0 only if everything was as it should be."""
    parser = argparse.ArgumentParser(description="A good release, then one that rolls itself back")
    parser.add_argument("--keep", action="store_true", help="leave all running until Enter")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        demo = Demo(stack)
        wrong = play(demo)
        for line in wrong:
            demo.tell.say(f"NOT AS IT SHOULD BE: {line}")
        if arguments.keep:
            demo.tell.say(f"\nThe Temporal UI is at {demo.ui}. Enter or Ctrl-C ends everything.")
            try:
                input()
            except (EOFError, KeyboardInterrupt):
                demo.tell.say("")
        elif not wrong:
            demo.tell.say("\nAll of it was so. `make demo KEEP=1` leaves the Temporal UI up.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
