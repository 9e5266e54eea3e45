"""What a GitHub job is told about a release, from the moment at which it was accepted.

Outputs and summary are written as soon as there is something to write: a job that is cancelled has
seconds left, and what was written before is shown all the same.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import quote

from lastgood import settings
from lastgood.cli import github, github_summary
from lastgood.cli.github import Level
from lastgood.cli.github_summary import UnderWay
from lastgood.cli.output import advice, headline, say
from lastgood.contracts import Explanation, GroupResult
from lastgood.decisions.wording import sentence
from lastgood.model import Outcome, ReleaseResult, ServiceRef, Status, Verdict

_MOST = 8
"""Annotations of triggers: GitHub shows ten errors and ten warnings of a step."""


def of_service(service: ServiceRef, release: str, what: str) -> UnderWay:
    """A release of a service in words."""
    about = f"{service} --release {release} --region {service.region}"
    because = '--reason "…"'
    return UnderWay(
        title=f"release {release} of {service}",
        what=what,
        follow=f"lastgood follow {about}",
        stop=(
            (f"lastgood rollback {about} {because}", "To stop it and bring back what ran before"),
            (
                f"lastgood cancel {about} {because}",
                "To end the watch and leave the service as it is",
            ),
        ),
    )


def of_group(group: str, region: str, release: str, what: str) -> UnderWay:
    """A release of a group in words."""
    about = f"{group} --release {release} --region {region}"
    return UnderWay(
        title=f"release {release} of the group {group}",
        what=what,
        follow=f"lastgood group follow {about}",
        stop=((f'lastgood group cancel {about} --reason "…"', "To begin no further service"),),
    )


class Job:
    """The job that runs us; outside of GitHub Actions it is told nothing."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._active = github.active(environment)
        self._environment = environment
        self._ui = settings.load(environment).ui_url if self._active else ""
        self._summary = github.Summary(environment)
        self._about: UnderWay | None = None
        self._link = ""

    def begun(self, about: UnderWay, release: str, *workflow: str) -> None:
        """A release was accepted.

        Args:
            about: the release in words.
            release: its id.
            workflow: namespace, workflow id and, once it is known, run id.
        """
        if not self._active:
            return
        self._about = about
        self._link = self._where(*workflow)
        self._outputs({"release": release, "workflow-url": self._link})
        self._write(github_summary.under_way(about, self._link))

    def found(self, *workflow: str) -> None:
        """The run of the release is known: namespace, workflow id, run id."""
        if not self._active or self._about is None or self._link == self._where(*workflow):
            return
        self._link = self._where(*workflow)
        self._outputs({"workflow-url": self._link})
        self._write(github_summary.under_way(self._about, self._link))

    def detached(self, otherwise: str) -> None:
        """We are told to stop; the release goes on. ``otherwise``: said if none is known."""
        if not self._active:
            return
        if self._about is None:
            github.command(github.annotation("warning", "The job was stopped", otherwise))
            return
        about = self._about
        stops = (f"{why}:\n{command}" for command, why in about.stop)
        text = "\n".join((f"To follow it to its verdict:\n{about.follow}", *stops))
        title = f"The job was stopped; {about.title} goes on"
        github.command(github.annotation("warning", title, text))
        self._write(github_summary.under_way(about, self._link, detached=True))

    def ended(self, result: ReleaseResult, told: Explanation | None, namespace: str) -> None:
        """There is a verdict, or it waits for a person.

        Nothing that goes wrong here changes the verdict: it is said.
        """
        if not self._active:
            return
        if namespace and result.run_id:
            self._link = self._where(namespace, result.workflow_id, result.run_id)
        for line in shown(result):
            github.command(line)
        at_the_door = result.outcome is Outcome.REFUSED and not result.run_id
        self._outputs(
            {
                "outcome": result.outcome.value,
                "release": "" if at_the_door else result.release,
                "workflow-url": self._link,
                "reason": " ".join(result.reason.split()),
            }
        )
        self._summarise(result, told)

    def _summarise(self, result: ReleaseResult, told: Explanation | None) -> None:
        """The summary of how it ended; the shorter one if what is known cannot be told."""
        try:
            text = github_summary.ended(result, told, self._link, *what_now(result))
        except Exception as error:  # noqa: BLE001 - a summary never changes how a release ends
            say(f"The summary is not whole: {type(error).__name__}: {error}")
            if told is not None:
                self._summarise(result, None)
            return
        self._write(text)

    def _where(self, *workflow: str) -> str:
        """The page of a workflow in the Temporal UI; empty if nobody says where that is."""
        if not self._ui:
            return ""
        namespace, ident, *run = (quote(part, safe="") for part in workflow)
        page = "".join(f"/{one}/history" for one in run)
        return f"{self._ui}/namespaces/{namespace}/workflows/{ident}{page}"

    def _outputs(self, outputs: Mapping[str, str]) -> None:
        self._complain(github.write_outputs(outputs, self._environment))

    def _write(self, text: str) -> None:
        self._complain(self._summary.write(text))

    @staticmethod
    def _complain(trouble: str | None) -> None:
        if trouble:
            say(trouble)


# --- Annotations -------------------------------------------------------------------------------


def shown(result: ReleaseResult) -> Iterator[str]:
    """What is shown at the top of the run: what fired, whom nobody could tell, how it ended."""
    for verdict in [one for one in result.evidence if one.status is Status.FAIL][:_MOST]:
        yield _of_trigger(verdict, passed=_is_passed(result))
    for failure in result.notification_failures[:_MOST]:
        yield github.annotation("warning", f"{failure.channel} was not told", failure.error)
    now = what_now(result)
    text = "\n".join((f"{sentence(result.reason)} {now.text}".strip(), *now.commands))
    well = result.outcome is Outcome.HEALTHY or _is_passed(result)
    level: Level = "notice" if well else "error"
    yield github.annotation(level, headline(result), text)


def _is_passed(result: ReleaseResult) -> bool:
    """Whether it is a drill in which what fired was meant to."""
    return result.drill is not None and result.drill.passed


def _of_trigger(verdict: Verdict, *, passed: bool = False) -> str:
    text = "\n".join(filter(None, (verdict.reason, verdict.message)))
    if verdict.dry_run:
        return github.annotation("warning", f"{verdict.trigger}, a dry run", text)
    return github.annotation("notice" if passed else "error", f"{verdict.trigger} fired", text)


class Now(NamedTuple):
    """What whoever sees a red job can do."""

    text: str = ""
    commands: tuple[str, ...] = ()


_NOW = {
    Outcome.ROLLED_BACK: "Release a fixed image.",
    Outcome.ROLLED_BACK_BY_ECS: "Why tasks stopped, and the service's events in ECS, say more. "
    "Release a fixed image.",
    Outcome.ROLLBACK_FAILED: "Look at the service now.",
    Outcome.HELD: "While it waits: approve, deny or resume it. Once it has ended: release a fix, "
    "or roll it back.",
    Outcome.SUPERSEDED: "Look at the release that took its place; nothing is to be done here.",
    Outcome.REFUSED: "Nothing was changed.",
    Outcome.CANCELLED: "The service stays as it is.",
}


_AFTER_A_DRILL = "Nobody is harmed: it was a drill. Find out why before a bad release needs it."


def what_now(result: ReleaseResult) -> Now:
    """What can be done about it; nothing if it is healthy."""
    if result.outcome is Outcome.HEALTHY or _is_passed(result):
        return Now()
    of = "" if isinstance(result, GroupResult) else f" --service {result.service}"
    commands = [f"lastgood explain {result.release}{of}"]
    if result.outcome is Outcome.REFUSED and not isinstance(result, GroupResult):
        commands = [f"lastgood status {result.service}"]  # it never began: there are no numbers
    begun = result.outcome is not Outcome.REFUSED
    text = _AFTER_A_DRILL if result.drill and begun else _NOW[result.outcome]
    return Now(text, (*commands, *_commands(advice(result))))


def _commands(told: Iterable[str]) -> Iterator[str]:
    """The commands among what people are told, each with what it does."""
    for line in told:
        _, found, rest = line.partition("lastgood ")
        if found and "`" not in line:
            yield "   # ".join(re.split(" {2,}", found + rest))
