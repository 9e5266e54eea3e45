"""The seam to Lastgood's own judgement: ``lastgood.decisions.backtest.judge``.

It is given a window of one resolution (``deployed_at``, ``resolution``, ``buckets``, ``bounds``)
and says for each trigger when it would have rolled back, in seconds since the epoch, or that it
would not. Until it exists, the others are alone in the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec

from benchmarks.detection.peers import Decisions
from benchmarks.detection.series import MINUTE, Views, earliest
from benchmarks.detection.windows import Window

_MODULE, _FUNCTION = "lastgood.decisions.backtest", "judge"


def _judge() -> Callable[[Window], Mapping[str, float | None]] | None:
    if find_spec(_MODULE) is None:
        return None
    found: Callable[[Window], Mapping[str, float | None]] | None
    found = getattr(import_module(_MODULE), _FUNCTION, None)
    return found


def lastgood(views: Views) -> Decisions:
    """Each trigger alone, and whichever is first, by resolution."""
    judge = _judge()
    if judge is None:
        return {}
    found: Decisions = {}
    for resolution in sorted({views.window.resolution, 10, MINUTE}, reverse=True):
        decided = {
            trigger: None if at is None else round(at)
            for trigger, at in judge(views.at(resolution)).items()
        }
        found[f"Lastgood @{resolution}"] = earliest(*decided.values())
        found |= {f"Lastgood {name} alone @{resolution}": at for name, at in decided.items()}
    return found
