"""The arrows of the design: who may import whom, and that decisions are pure."""

import pytest

from tests.house.arrows import wrong_in
from tests.house.tracked import ROOT, tracked


def test_all_files_keep_to_the_arrows() -> None:
    files = tracked("*.py")
    assert len([path for path in files if path.startswith("lastgood/decisions/")]) > 10
    wrong = [one for path in files for one in wrong_in(path, (ROOT / path).read_text())]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("lastgood/decisions/x.py", "import boto3"),
        ("lastgood/decisions/x.py", "from temporalio import workflow"),
        ("lastgood/decisions/x.py", "import httpx"),
        ("lastgood/decisions/x.py", "import time"),
        ("lastgood/decisions/x.py", "from time import monotonic"),
        ("lastgood/decisions/x.py", "import random"),
        ("lastgood/decisions/x.py", "import logging"),
        ("lastgood/decisions/x.py", "from os import environ"),
        ("lastgood/decisions/x.py", "import asyncio"),
        ("lastgood/decisions/x.py", "from lastgood.settings import load"),
        ("lastgood/decisions/x.py", "from lastgood import connection"),
        ("lastgood/decisions/x.py", "from . import limits"),
        ("lastgood/decisions/x.py", "def f():\n    import uuid"),
        ("lastgood/decisions/x.py", "moment = datetime.now(UTC)"),
        ("lastgood/decisions/x.py", "moment = datetime.datetime.utcnow()"),
        ("lastgood/decisions/x.py", "day = date.today()"),
        ("lastgood/decisions/x.py", "print('x')"),
        ("lastgood/decisions/x.py", "open('x')"),
        ("lastgood/decisions/x.py", "__import__('time')"),
        ("lastgood/decisions/rendering/x.py", "import time"),
        ("lastgood/model.py", "import os"),
        ("lastgood/contracts/calls.py", "from temporalio import workflow"),
        ("lastgood/policy.py", "import time"),
        ("lastgood/x.py", "import sandbox"),
        ("lastgood/x.py", "import workflows"),
        ("lastgood/x.py", "from activities.ecs import EcsActivities"),
        ("lastgood/cli/x.py", "from workflows.deployment import Deployment"),
        ("lastgood/cli/x.py", "from temporalio.worker import Worker"),
        ("lastgood/cli/x.py", "import tests"),
        ("lastgood/cli/x.py", "importlib.import_module('workflows')"),
        ("activities/x.py", "from workflows import options"),
        ("activities/x.py", "from lastgood.cli import deploy"),
        ("activities/x.py", "from sandbox import Sandbox"),
        ("workflows/x.py", "import boto3"),
        ("workflows/x.py", "import httpx"),
        ("workflows/x.py", "from temporalio.client import Client"),
        ("workflows/x.py", "import random"),
        ("workflows/x.py", "import time"),
        ("workflows/x.py", "from lastgood.cli import deploy"),
        ("workflows/x.py", "from sandbox import Sandbox"),
        ("worker.py", "from sandbox import Sandbox"),
        ("worker.py", "import tests"),
        ("sandbox/x.py", "from lastgood.model import ServiceRef"),
        ("sandbox/cloud/x.py", "import activities.ecs"),
        ("sandbox/x.py", "import tests"),
        ("benchmarks/x.py", "from tests.aws.conftest import REGION"),
    ],
)
def test_what_breaks_an_arrow_is_seen(path: str, line: str) -> None:
    assert len(wrong_in(path, line)) >= 1


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("lastgood/decisions/x.py", "from datetime import UTC, datetime, timedelta"),
        ("lastgood/decisions/x.py", "from lastgood.decisions.series import Point"),
        ("lastgood/decisions/x.py", "from lastgood.model import Verdict"),
        ("lastgood/decisions/x.py", "from pydantic import Field"),
        ("lastgood/decisions/x.py", "moment = datetime.fromtimestamp(0, UTC)"),
        ("lastgood/connection.py", "from temporalio.client import Client"),
        ("lastgood/cli/x.py", "from temporalio.client import Client"),
        ("workflows/x.py", "from temporalio import workflow"),
        ("workflows/x.py", "import asyncio"),
        ("workflows/x.py", "from activities.ecs import EcsActivities"),
        ("activities/x.py", "import boto3"),
        ("worker.py", "from temporalio.worker import Worker"),
        ("sandbox/x.py", "from sandbox.cloud import world"),
        ("benchmarks/x.py", "from sandbox import Sandbox"),
        ("tests/x.py", "from sandbox import Sandbox"),
    ],
)
def test_what_is_allowed(path: str, line: str) -> None:
    assert wrong_in(path, line) == []
