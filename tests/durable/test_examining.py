"""What an examination makes of a guard's memory, and of what cannot be read."""

from __future__ import annotations

from lastgood.contracts import Examination, Line, Standing
from lastgood.model import Revision


def of(examined: Examination, what: str) -> Line:
    [line] = [line for line in examined.lines if line.what == what]
    return line


async def test_the_target_is_what_the_guard_knows_to_be_good(desk):
    """What runs was released by us and never proved good."""
    running = desk.world.primary.task_definition
    good = Revision(task_definition=running.replace(":1", ":0"), proven="survived")

    examined = await desk.examine(good=(good,), unproven=(running,))

    found = of(examined, "rollback target")
    assert found.standing is Standing.FINE
    assert found.found.startswith("web:0 is the last known good")


async def test_without_memory_what_was_released_by_us_is_nothing_to_go_back_to(desk):
    running = desk.world.primary.task_definition

    examined = await desk.examine(unproven=(running,))

    found = of(examined, "rollback target")
    assert found.standing is Standing.BROKEN
    assert found.remedy is not None
    assert "lastgood adopt shop/web" in found.remedy
