"""docs/setting-up.md shows what is really written: its policy is good, its roles are today's.

What takes a sandbox and a minute, ``python -m scripts.show_setting_up`` prints anew.
"""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from lastgood.cli.iam import iam
from lastgood.policy import Policy
from lastgood.policy_file import parse
from scripts.show_setting_up import ACCOUNT, PAGE, SHOWN

TEXT = PAGE.read_text()
PRINTED = dict(SHOWN.findall(TEXT))
KNOWN = (
    *("--account", ACCOUNT, "--family", "web", "--repository", "shop/web"),
    *("--pass-role", f"arn:aws:iam::{ACCOUNT}:role/web-task"),
    *("--pass-role", f"arn:aws:iam::{ACCOUNT}:role/web-execution"),
)
"""What AWS told as the page was written."""


def shown_policy() -> tuple[str, Policy]:
    [text] = [printed for command, printed in PRINTED.items() if "$ cat lastgood.yaml" in command]
    return text, parse(text)


def test_the_policy_is_good_and_has_its_own_numbers() -> None:
    text, policy = shown_policy()
    assert policy.service == "shop/web"
    assert "The numbers come from" in text
    assert [one.type for one in policy.triggers] == [
        *("error-rate", "response-time", "health-check", "regression", "alarm")
    ]


@pytest.mark.parametrize(
    "command", [one for one in PRINTED if one.startswith("$ lastgood iam")], ids=str.strip
)
def test_the_roles_are_what_is_written_today(command: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lastgood.yaml").write_text(shown_policy()[0])
    arguments = command.split()[3:]
    result = CliRunner().invoke(iam, [*arguments, *KNOWN], catch_exceptions=False)
    assert result.stdout == PRINTED[command], "python -m scripts.show_setting_up"


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#]+)\)", TEXT))))
def test_links_lead_somewhere(target: str) -> None:
    assert (PAGE.parent / target).exists()
