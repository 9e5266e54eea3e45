"""What a cancellation in Temporal's UI does not break off."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from temporalio import workflow

from workflows.journal import Journal

T = TypeVar("T")

WHILE_TOLD = "Cancelled while people are told: it ends as it has ended."


async def to_its_end(journal: Journal, work: Awaitable[T], note: str) -> T:
    """Wait for what has begun: it goes on, even if the release is cancelled meanwhile.

    Args:
        journal: the release's.
        work: what has begun, or begins now.
        note: for the journal, if the release is cancelled.
    """
    task = asyncio.ensure_future(work)
    while True:
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            # Without a reason, this run only leaves the worker's memory.
            if task.cancelled() or workflow.cancellation_reason() is None:
                raise
            journal.note(note)
