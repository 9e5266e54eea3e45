"""Every recorded history replays with the code as it is.

A failure means that releases which are under way when the worker is updated would get stuck. If
nothing runs yet, or ``workflow.patched`` keeps the old way, record anew: ``make histories``.
"""

from __future__ import annotations

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
from workflows.check import Check
from workflows.deployment import Deployment
from workflows.group_release import GroupRelease
from workflows.rollback import Rollback
from workflows.service_guard import ServiceGuard

WORKFLOWS = [ServiceGuard, Deployment, Rollback, GroupRelease, Check]
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
    assert recorded == {*known, messages.GROUP}


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
