"""How the worker's process ends: all its workers at once, and not later than it may."""

from __future__ import annotations

import asyncio

import pytest

from worker import work


class Working:
    """What `work` needs of Temporal's Worker; its end takes as long as the test says."""

    def __init__(self, *, ends: bool = True, fails: Exception | None = None) -> None:
        self._told, self._ends, self._fails = asyncio.Event(), ends, fails
        self.ended = False

    async def run(self) -> None:
        if self._fails:
            raise self._fails
        await self._told.wait()
        if not self._ends:
            await asyncio.Event().wait()
        self.ended = True

    async def shutdown(self) -> None:
        self._told.set()
        await asyncio.Event().wait()


async def test_one_that_never_ends_is_left_behind_and_keeps_no_other_from_ending():
    stuck, good = Working(ends=False), Working()
    stop = asyncio.Event()
    working = asyncio.create_task(work([good, stuck], stop, 0.2))
    await asyncio.sleep(0)
    assert not working.done()

    stop.set()
    await asyncio.wait_for(working, 30)

    assert (good.ended, stuck.ended) == (True, False)


async def test_one_that_fails_ends_the_others_and_is_told():
    good = Working()

    with pytest.raises(RuntimeError, match="no such namespace"):
        await work([good, Working(fails=RuntimeError("no such namespace"))], asyncio.Event(), 5)

    assert good.ended
