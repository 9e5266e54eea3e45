"""Lastgood's own judgement: the decisions of production, on default settings.

All triggers are given, in the policy's default settings and none as a dry run. Those that are asked
for without the band have a row of their own.
"""

from __future__ import annotations

from benchmarks.detection.peers import Decisions
from benchmarks.detection.series import MINUTE, Views, earliest
from benchmarks.detection.windows import Window
from lastgood.decisions.backtest import replay
from lastgood.decisions.recording import Recording, Row
from lastgood.policy import Policy

_TRIGGERS = ("error-rate", "response-time", "health-check", "regression", "band")
_POLICY = Policy.model_validate(
    {"service": "benchmark/detection", "triggers": [{"type": one} for one in _TRIGGERS]}
)
_COLUMNS = frozenset({"time", "requests", "errors", "latency_avg", "le", "probes", "probes_failed"})


def recording_of(window: Window) -> Recording:
    """A window as ``lastgood backtest`` would read it from its file."""
    rows = [
        Row(
            at=float(one.time),
            requests=float(one.requests),
            errors=float(one.errors),
            average=one.latency_avg,
            upto=tuple(map(float, one.at_most)),
            probes=float(one.probes),
            failed=float(one.probes_failed),
        )
        for one in window.buckets
    ]
    bounds = tuple(map(float, window.bounds))
    return Recording(float(window.resolution), rows, bounds, _COLUMNS)


def judge(window: Window) -> dict[str, int | None]:
    """When each trigger would have rolled back, in seconds since the epoch; None: it would not."""
    replayed = replay(_POLICY, recording_of(window), float(window.deployed_at))
    return {
        one.trigger.type: round(one.fired_at.timestamp()) if one.fired_at else None
        for one in replayed.triggers
    }


def lastgood(views: Views) -> Decisions:
    """Each trigger alone, and whichever is first, by resolution."""
    found: Decisions = {}
    for resolution in sorted({views.window.resolution, 10, MINUTE}, reverse=True):
        decided = judge(views.at(resolution))
        others = [at for name, at in decided.items() if name != "band"]
        found[f"Lastgood without band @{resolution}"] = earliest(*others)
        found[f"Lastgood @{resolution}"] = earliest(*decided.values())
        found |= {f"Lastgood {name} alone @{resolution}": at for name, at in decided.items()}
    return found
