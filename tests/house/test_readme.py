"""What the README says is so: its policy loads, its links lead somewhere, its commands exist."""

import re
import subprocess
from pathlib import Path

import pytest

from lastgood.policy import Policy
from lastgood.policy_file import parse
from lastgood.policy_triggers import AlarmTrigger, BandTrigger, HealthCheckTrigger

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", README, flags=re.DOTALL)


def test_the_policy_loads_and_its_comments_are_not_wishes() -> None:
    policy = parse(blocks("yaml")[0], "README.md")
    default = Policy(service="a/b")
    assert policy.service == "servio-production/servio-production"
    assert policy.triggers[0].message == "Error rate exceeded threshold"
    assert policy.deploy.model_copy(update={"freeze": []}) == default.deploy
    assert policy.deploy.freeze[0].days == ["fri"]
    assert policy.monitor == default.monitor
    assert policy.rollback == default.rollback
    assert policy.triggers[1] == default.triggers[1]
    assert isinstance(policy.triggers[2], HealthCheckTrigger)
    assert policy.triggers[3] == default.triggers[3]
    assert isinstance(policy.triggers[4], AlarmTrigger)
    assert isinstance(policy.triggers[5], BandTrigger)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_links_lead_somewhere(target: str) -> None:
    assert target.startswith("https://") or (ROOT / target).exists()


COMMANDS = sorted(set(re.findall(r"(?:^|`)make ([a-z0-9]+)", README, re.M)))


@pytest.mark.parametrize("command", COMMANDS)
def test_make_targets_exist(command: str) -> None:
    done = subprocess.run(
        ["make", "--dry-run", "--question", command], cwd=ROOT, capture_output=True, text=True
    )
    assert "No rule to make target" not in done.stderr


@pytest.mark.parametrize("verb", sorted(set(re.findall(r"^lastgood ([a-z]+)", README, re.M))))
def test_verbs_exist(verb: str) -> None:
    shown = subprocess.run(
        [ROOT / ".venv/bin/lastgood", verb, "--help"], capture_output=True, text=True
    )
    assert shown.returncode == 0, shown.stderr
