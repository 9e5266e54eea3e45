"""Every recorded history replays with the code as it is.

A failure means that releases which are under way when the worker is updated would get stuck. If
nothing runs yet, or ``workflow.patched`` keeps the old way, record anew: ``make histories``.
"""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from lastgood import messages
from lastgood.contracts import RollbackOrder, RollbackReport
from lastgood.model import Outcome
from workflows.check import Check
from workflows.deployment import Deployment
from workflows.doctor import Doctor
from workflows.group_release import GroupRelease
from workflows.rollback import Rollback
from workflows.scheduled_drill import ScheduledDrillRun
from workflows.service_guard import ServiceGuard

WORKFLOWS = [ServiceGuard, Deployment, Rollback, GroupRelease, Check, Doctor, ScheduledDrillRun]
HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))


def read(path: Path) -> WorkflowHistory:
    text = path.read_text()
    started = json.loads(text)["events"][0]["workflowExecutionStartedEventAttributes"]
    return WorkflowHistory.from_json(started["workflowId"], text)


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_history_replays(path):
    replayer = Replayer(workflows=WORKFLOWS, data_converter=pydantic_data_converter)

    await replayer.replay_workflow(read(path))


def test_each_workflow_is_covered():
    recorded = {path.name.split(".")[1] for path in HISTORIES}

    known = {messages.GUARD, messages.DEPLOYMENT, messages.ROLLBACK, messages.CHECK}
    assert recorded == {*known, messages.GROUP, messages.DOCTOR, messages.DRILL}


SOURCES = sorted((Path(__file__).parents[2] / "workflows").glob("*.py"))


def named(pattern: str) -> set[str]:
    """What the workflows' own text names."""
    return {found for path in SOURCES for found in re.findall(pattern, path.read_text())}


def seen(*path: str) -> set[str]:
    """What the recorded events have at a place: an attribute of theirs, and so on inwards."""
    found = set()
    for history in HISTORIES:
        for event in json.loads(history.read_text())["events"]:
            value = event
            for key in path:
                value = value.get(key, {})
            found |= {value} if isinstance(value, str) else set()
    return found


def local() -> set[str]:
    """The local activities; each is a marker."""
    path = ("markerRecordedEventAttributes", "details", "data")
    found = set()
    for history in HISTORIES:
        for event in json.loads(history.read_text())["events"]:
            value = event
            for key in path:
                value = value.get(key, {})
            for payload in value.get("payloads", ()):
                told = json.loads(base64.b64decode(payload["data"]))
                found |= {told["activity_type"]} if "activity_type" in told else set()
    return found


def test_each_activity_is_covered():
    scheduled = seen("activityTaskScheduledEventAttributes", "activityType", "name")

    assert named(r"\b\w+Activities\.(\w+)") - scheduled - local() == set()


def test_there_are_histories_from_before_and_with_search_attributes():
    upserts = {
        path.name.split(".")[1]
        for path in HISTORIES
        if any(f'"{messages.SERVICE_ATTRIBUTE}"' in line for line in path.read_text().splitlines())
    }
    without = [path for path in HISTORIES if "core_local_activity" not in path.read_text()]

    assert upserts == {messages.GUARD, messages.DEPLOYMENT, messages.ROLLBACK, messages.CHECK}
    assert {path.name.split(".")[1] for path in without} > upserts


def test_each_message_is_covered():
    accepted = ("workflowExecutionUpdateAcceptedEventAttributes", "acceptedRequest", "input")
    came = seen(*accepted, "name") | seen("workflowExecutionSignaledEventAttributes", "signalName")
    taken = named(r"workflow\.(?:update|signal)\(name=messages\.(\w+)\)")

    assert {getattr(messages, name) for name in taken} - came == set()


def test_each_outcome_is_covered():
    outcomes = set()
    for path in HISTORIES:
        last = json.loads(path.read_text())["events"][-1]
        ended = last.get("workflowExecutionCompletedEventAttributes")
        if ended and f".{messages.DEPLOYMENT}." in path.name:
            (report,) = ended["result"]["payloads"]
            outcomes.add(json.loads(base64.b64decode(report["data"]))["outcome"])

    assert outcomes == set(Outcome)


def test_guard_that_continued_as_new_is_among_them():
    assert any(
        "WORKFLOW_EXECUTION_CONTINUED_AS_NEW" in path.read_text()
        for path in HISTORIES
        if messages.GUARD in path.name
    )


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_history_names_no_machine(path):
    events = json.loads(path.read_text())["events"]
    identities = set(re.findall(r'"identity": "([^"]*)"', json.dumps(events)))

    assert identities <= {"lastgood", "history-service", ""}
    assert not re.search(r"/(home|root|work|Users|tmp)/", path.read_text())


@workflow.defn(name=messages.ROLLBACK)
class ChangedRollback:
    """Does something else first than the rollback that was recorded."""

    @workflow.run
    async def run(self, _: RollbackOrder) -> RollbackReport:
        await workflow.sleep(1)
        raise AssertionError("not reached")


async def test_changed_workflow_fails_to_replay():
    path = next(path for path in HISTORIES if messages.ROLLBACK in path.name)
    replayer = Replayer(
        workflows=[ChangedRollback],
        data_converter=pydantic_data_converter,
        workflow_runner=UnsandboxedWorkflowRunner(),
    )

    with pytest.raises(workflow.NondeterminismError):
        await replayer.replay_workflow(read(path))
