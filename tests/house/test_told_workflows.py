"""The history reads as a story: each activity, timer and child says in words what it is for.

A timer of `wait_condition` counts only if it has a time-out; without one there is no event.
"""

import ast
from collections.abc import Iterator

import pytest

from tests.house.tracked import ROOT, tracked

STARTS = ("execute_activity", "start_activity", "execute_local_activity", "start_local_activity")
NEEDS = {
    **{f"{start}{suffix}": {"summary"} for start in STARTS for suffix in ("", "_method")},
    "sleep": {"summary"},
    "execute_child_workflow": {"static_summary", "static_details"},
    "start_child_workflow": {"static_summary", "static_details"},
}


def silent(source: str) -> Iterator[str]:
    """Calls of the SDK's `workflow` that say too little: what they lack."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="workflow"), attr=name)):
                given = {one.arg for one in node.keywords}
                needs = NEEDS.get(name, set())
                if name == "wait_condition" and "timeout" in given:
                    needs = {"timeout_summary"}
                for lacking in needs - given:
                    yield f"{node.lineno}: {name} without {lacking}"


def test_each_activity_timer_and_child_is_told() -> None:
    found = {path: list(silent((ROOT / path).read_text())) for path in tracked("workflows/*.py")}

    assert {path: lacking for path, lacking in found.items() if lacking} == {}
    assert len(found) > 20


@pytest.mark.parametrize(
    "source",
    [
        "await workflow.sleep(5)",
        "await workflow.wait_condition(lambda: x, timeout=y)",
        "workflow.start_activity_method(a.b, c, **READ)",
        "await workflow.execute_local_activity(a)",
        "await workflow.execute_child_workflow(a, static_summary='x')",
    ],
)
def test_what_says_too_little_is_seen(source: str) -> None:
    assert len(list(silent(f"async def f():\n    {source}"))) == 1


def test_a_wait_without_an_end_needs_no_words() -> None:
    assert not list(silent("async def f():\n    await workflow.wait_condition(lambda: x)"))
