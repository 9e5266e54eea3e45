"""Workers of a test: they work while a block runs, and end as those of worker.py do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.worker import Worker

from worker import work

PATIENCE = 8.0


@asynccontextmanager
async def working(*workers: Worker) -> AsyncIterator[None]:
    """Workers that run side by side while the block does; one that fails ends the block."""
    stop, leaving, block = asyncio.Event(), asyncio.Event(), asyncio.current_task()
    running = asyncio.create_task(work(workers, stop, PATIENCE))
    running.add_done_callback(lambda _: leaving.is_set() or (block and block.cancel()))
    try:
        yield
    finally:
        leaving.set()
        stop.set()
        await running
