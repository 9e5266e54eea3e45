"""An AWS small enough to hold in your hand: `python -m sandbox`, or `with Sandbox() as aws`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.running import Sandbox

__all__ = ["Sandbox"]


def __getattr__(name: str) -> Any:
    """Import on first use: every task's process imports this package and must start quickly."""
    if name == "Sandbox":
        from sandbox.running import Sandbox

        return Sandbox
    raise AttributeError(name)
