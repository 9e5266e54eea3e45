"""A backtest as a picture: error rate, response time, evidence, and when what fired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from itertools import cycle
from pathlib import Path
from typing import Any

from lastgood.decisions.backtest import evidence_of
from lastgood.decisions.band import Gauge
from lastgood.decisions.metrics import threshold_of
from lastgood.decisions.recording import Recording
from lastgood.decisions.replaying import error_gauges, time_gauges
from lastgood.decisions.sliding import watched_for
from lastgood.errors import UsageError
from lastgood.plots import canvas
from lastgood.policy import Policy
from lastgood.policy_triggers import ErrorRateTrigger, ResponseTimeTrigger

_BEYOND = 100.0
"""Evidence is drawn up to so many times what decides."""
_INK, _LIMIT, _FIRED, _PAST = "#1f4e79", "#555555", "#b52b27", "#e8eef4"
_COLOURS = ("#b52b27", "#c77700", "#6a3d9a", "#00695c", "#8e244d", "#37474f")

Fired = Sequence[tuple[str, datetime]]


def check(path: Path) -> None:
    """See that something can be drawn there.

    Raises:
        UsageError: if it is no SVG or PNG, or matplotlib is missing.
    """
    if path.suffix.lower() not in (".svg", ".png"):
        raise UsageError(f"--plot {path}: draw a .svg or a .png")
    canvas.needed_for("--plot")


def around(recording: Recording, deployed_at: float, window: float) -> Recording:
    """What is worth seeing of one release: an hour and a half before, its window, and some more."""
    rows = recording.between(deployed_at - 1.5 * 3600, deployed_at + max(1.5 * window, 3600.0))
    return replace(recording, rows=rows)


def draw(
    path: Path,
    policy: Policy,
    recording: Recording,
    releases: Sequence[float],
    fired: Fired,
    pretended: Sequence[float] = (),
) -> None:
    """Draw a recording.

    Args:
        path: an SVG or PNG file.
        policy: whose thresholds are drawn.
        recording: what happened.
        releases: each is marked, and what lies before the first one is shaded as its baseline.
        fired: which trigger fired, and when.
        pretended: releases whose evidence is drawn, and that are not marked.
    """
    mpl = canvas.load()
    mpl.use("svg" if path.suffix.lower() == ".svg" else "agg")
    plt: Any = import_module("matplotlib.pyplot")
    dates: Any = import_module("matplotlib.dates")

    panels = _panels(policy, recording, releases, pretended)
    figure, axes = plt.subplots(
        len(panels),
        1,
        sharex=True,
        squeeze=False,
        figsize=(9, 1.9 * len(panels) + 0.6),
        layout="constrained",
    )
    figure.patch.set_facecolor("white")
    for (panel,), (title, curves, limit, log) in zip(axes, panels, strict=True):
        _panel(panel, title, curves, limit, log=log)
        if len(releases) == 1:
            panel.axvspan(_x(recording.rows[0].at), _x(releases[0]), color=_PAST, zorder=0)
        for at in releases:
            panel.axvline(_x(at), color=_INK, linewidth=1)
    _marks(axes, releases, fired)
    locator = dates.AutoDateLocator(tz=UTC)
    axes[-1][0].xaxis.set_major_locator(locator)
    axes[-1][0].xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=UTC))
    axes[-1][0].set_xlabel("time, UTC")
    figure.savefig(path, dpi=120, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)


Curve = list[tuple[float, float, float]]
"""Time, mean, highest."""
_Panel = tuple[str, list[Curve], float | None, bool]


def _panels(
    policy: Policy, recording: Recording, releases: Sequence[float], pretended: Sequence[float]
) -> list[_Panel]:
    limits: dict[type, float] = {}
    for one in policy.triggers:
        if isinstance(one, ErrorRateTrigger | ResponseTimeTrigger):
            limits.setdefault(type(one), threshold_of(one))
    rate = limits.get(ErrorRateTrigger)
    errors = _curve(recording, error_gauges(_fine(recording)), 100.0)
    times = _curve(recording, time_gauges(_fine(recording)), 1.0)
    decides, evidence = _evidence(policy, recording, [*releases, *pretended])
    found: list[_Panel] = [
        ("failed requests, %", [errors], None if rate is None else 100 * rate, False),
        ("mean response time, ms", [times], limits.get(ResponseTimeTrigger), False),
        ("evidence, to 1", evidence, decides, True),
    ]
    return [one for one in found if any(one[1])] or found[:1]


def _fine(recording: Recording) -> list[Any]:
    return [row for row in recording.rows if not row.problem]


def _curve(recording: Recording, gauges: Sequence[Gauge], scale: float) -> Curve:
    """The gauges, in no more points than can be seen."""
    weighted = [
        canvas.Weighted(one.at, one.value, 1.0 if one.requests is None else one.requests)
        for one in gauges
    ]
    begin = recording.rows[0].at
    columns, width = canvas.in_columns(weighted, begin, recording.end)
    middle = width / 2
    return [(one.at + middle, one.mean * scale, one.highest * scale) for one in columns]


def _evidence(
    policy: Policy, recording: Recording, releases: Sequence[float]
) -> tuple[float, list[Curve]]:
    policy = watched_for(policy) if len(releases) > 1 else policy
    decides, curves = 100.0, []
    for at in releases:
        decides, points = evidence_of(policy, recording, at)
        most = decides * _BEYOND
        curves.append([(when, min(max(value, 1e-3), most), value) for when, value in points])
    if len(curves) > 40:  # no more than can be seen: the highest of each
        highest = [max(curve, key=lambda one: one[1]) for curve in curves if curve]
        return decides, [highest]
    return decides, curves


def _panel(
    panel: Any, title: str, curves: Sequence[Curve], limit: float | None, *, log: bool
) -> None:
    for curve in curves:
        x = [_x(at) for at, *_ in curve]
        mean, highest = [one for _, one, _ in curve], [one for *_, one in curve]
        if not log and mean != highest:
            panel.fill_between(x, mean, highest, color=_INK, alpha=0.25, linewidth=0)
        panel.plot(x, mean, color=_INK, linewidth=1)
    if log:
        panel.set_yscale("log")
    else:
        panel.set_ylim(bottom=0)
    if limit is not None:
        panel.axhline(limit, color=_LIMIT, linestyle="--", linewidth=1)
        word = "decides" if log else "threshold"
        panel.annotate(
            f"{word} {limit:,.4g}",
            (0.0, limit),
            xycoords=("axes fraction", "data"),
            xytext=(3, 2),
            textcoords="offset points",
            color=_LIMIT,
            fontsize=8,
        )
        if log:
            panel.set_ylim(top=max(panel.get_ylim()[1], limit * 3))
        else:
            panel.set_ylim(top=max(panel.get_ylim()[1], limit * 1.15))
    panel.set_title(title, loc="left", fontsize=9)
    panel.spines[["top", "right"]].set_visible(False)


def _marks(axes: Any, releases: Sequence[float], fired: Fired) -> None:
    """A line in every panel at each release and each moment of firing; named above the first."""
    first = axes[0][0]
    handles = [first.plot([], [], color=_INK, label="deployed")[0]] if releases else []
    names = list(dict.fromkeys(name for name, _ in fired))
    for name, colour in zip(names, cycle(_COLOURS), strict=False):
        for at in (at for other, at in fired if other == name):
            for (panel,) in axes:
                panel.axvline(_x(at.timestamp()), color=colour, linewidth=1.2, linestyle=":")
        handles += first.plot([], [], color=colour, linestyle=":", label=f"{name} fires")
    if handles:
        first.legend(
            handles=handles,
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            borderaxespad=0.1,
            frameon=False,
            fontsize=8,
            ncols=5,
        )


def _x(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
