"""The message that `doctor --send-test` sends: nothing has happened, and it says so."""

from __future__ import annotations

from datetime import datetime

from lastgood.contracts import Notice
from lastgood.model import ServiceRef


def notice_of_test(service: ServiceRef, run: str, at: datetime) -> Notice:
    """A notice of its own kind; loud enough not to be left out, and clearly a test.

    Args:
        service: whose channels they are.
        run: the examination's run id; the key by which retries are recognised.
        at: the moment.
    """
    return Notice(
        dedup=f"doctor/{run}",
        kind="test",
        severity="warning",
        title=f"TEST: Lastgood can tell you about {service}",
        summary="Somebody ran `lastgood doctor --send-test`. Nothing has happened; do nothing.",
        facts=(("service", str(service)), ("region", service.region)),
        service=str(service),
        region=service.region,
        release="test",
        at=at,
    )
