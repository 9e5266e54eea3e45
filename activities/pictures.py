"""Pictures for messages: drawn where they are sent, and never in the way of a message.

``Draw`` makes a PNG of what a trigger judged, or None where there is nothing to draw with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Lock

from temporalio import activity

from lastgood.contracts import Picture
from lastgood.decisions.charting import chart_of
from lastgood.decisions.plain import one_line
from lastgood.decisions.rendering.attachments import Attachment
from lastgood.plots import canvas, png

Draw = Callable[[Picture], Attachment | None]
_LARGEST = 2_000_000
"""Bytes: a larger picture is left out."""
PATIENCE = 8.0
"""Seconds that a message waits for its picture."""


_ONE_AT_A_TIME = Lock()
"""matplotlib's caches are one for the whole process."""


def plot(picture: Picture) -> Attachment | None:
    """The plot of what fired; None without matplotlib, or where there is nothing to draw."""
    if not canvas.available():
        return None
    chart = chart_of(picture.trigger, picture.verdict)
    if chart is None:
        return None
    with _ONE_AT_A_TIME:
        content = png(chart, heading=picture.trigger.type)
    return Attachment(f"{picture.trigger.type}.png", content, one_line(picture.verdict.reason, 300))


def draws_nothing(picture: Picture) -> None:
    """For workers that have nothing to draw with."""
    del picture


async def drawn(
    draw: Draw, picture: Picture | None, patience: float = PATIENCE
) -> Attachment | None:
    """The picture, or None: whatever goes wrong with it, the message is sent without."""
    if picture is None:
        return None
    try:
        async with asyncio.timeout(patience):
            attachment = await asyncio.to_thread(draw, picture)
    except Exception as error:  # noqa: BLE001 - a picture is worth less than its message
        activity.logger.warning("No picture: %s", type(error).__name__)
        return None
    return attachment if attachment and len(attachment.content) <= _LARGEST else None
