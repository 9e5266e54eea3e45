"""docs/judgement.md shows what is really printed, and its policies and links are good."""

import re
from pathlib import Path

import pytest

from lastgood.policy_file import parse
from scripts import draw_backtest as page

TEXT = page.PAGE.read_text()
SHOWN = page.SHOWN.findall(TEXT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("weeks")
    page.lay_out(made)
    return made


def test_the_policy_is_the_one_that_was_used() -> None:
    shown = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL)
    assert shown == [page.POLICY]
    assert parse(page.STRICTER).triggers[0].threshold == 0.01


def test_four_results_are_shown() -> None:
    assert [command.split()[1] for command, _ in SHOWN] == [
        "backtest",
        "backtest",
        "policy",
        "backtest",
    ]


@pytest.mark.parametrize(
    ("command", "printed"), [one for one in SHOWN if "--deployed-at" in one[0]]
)
def test_what_is_shown_is_what_is_printed(folder: Path, command: str, printed: str) -> None:
    """The others take longer: ``python scripts/draw_backtest.py`` prints all of them anew."""
    assert page.run(folder, *command.split()[1:]) == printed


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#]+)\)", TEXT))))
def test_links_lead_somewhere(target: str) -> None:
    assert (page.PAGE.parent / target).exists()
