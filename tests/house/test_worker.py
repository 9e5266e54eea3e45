"""What the worker registers: every workflow and every activity that there is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Defined = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def defined(folder: str, kind: str) -> Iterator[str]:
    """The names decorated with `workflow.defn` or `activity.defn`."""
    for path in sorted((ROOT / folder).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, Defined) and any(
                ast.unparse(one).startswith(f"{kind}.defn") for one in node.decorator_list
            ):
                yield node.name


def registered() -> str:
    text = (ROOT / "worker.py").read_text()
    return text[text.index("def make_workers(") : text.index("return [calls, watches]")]


@pytest.mark.parametrize(
    ("folder", "kind"), [("workflows", "workflow"), ("activities", "activity")]
)
def test_everything_that_is_defined_is_registered(folder: str, kind: str) -> None:
    names = list(defined(folder, kind))
    assert len(names) > 3
    assert [name for name in names if not re.search(rf"\b{name}\b", registered())] == []
