"""What a workflow must know of Temporal itself to be found in its lists, and shown in its UI."""

from __future__ import annotations

from lastgood.model import Model


class Surroundings(Model):
    """Where a workflow runs, as its worker knows it."""

    search_attributes: tuple[str, ...] = ()
    """Those of ours that the namespace has: an upsert of any other is refused, for ever."""
    ui_url: str = ""
    """Where people find the Temporal UI; empty if the worker was not told."""
