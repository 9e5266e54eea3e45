"""What is said of rules, side by side: over all, by class, size, traffic and information."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

from benchmarks.detection.judging import Judged
from benchmarks.detection.scenarios import ERROR_STEPS, LOW_STEPS, SLOWDOWNS
from benchmarks.detection.scoring import Score, percent, wilson
from benchmarks.detection.windows import TRAFFIC, Truth
from benchmarks.report import Cell, Table

_INFORMATION = (0.0, 1.0, 3.0, 10.0, 100.0, math.inf)
Belongs = Callable[[Truth], bool]


def _whole(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _tenths(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def tables(judged: Sequence[Judged]) -> tuple[Table, ...]:
    """All that is said of all rules."""
    return (
        _overall(judged),
        _false_by_class(judged),
        _found_by_class(judged),
        _by_size(judged),
        _by_traffic(judged),
        _by_information(judged),
    )


def _rules(judged: Sequence[Judged]) -> list[str]:
    return list(judged[0].decisions)


def _overall(judged: Sequence[Judged]) -> Table:
    """All windows."""
    rows: list[tuple[Cell, ...]] = []
    for rule in _rules(judged):
        score = Score.of(judged, rule)
        low, high = wilson(score.rolled_back, score.kept)
        rows.append(
            (
                *(rule, _tenths(score.false_rollbacks), f"{100 * low:.1f}-{100 * high:.1f}"),
                *(_tenths(score.detections), _whole(score.middle), _whole(score.p95)),
                _tenths(score.to_limit),
                _whole(percent(score.not_tolerated, score.tolerable)),
                _tenths(percent(score.early, score.bad)),
                "-" if score.f1 is None else f"{score.f1:.2f}",
            )
        )
    columns = (
        "rule",
        "false %",
        "95 %",
        "found %",
        "median s",
        "p95 s",
        "x limit",
        "tol. %",
        "early %",
        "F1",
    )
    return Table("All windows.", columns, tuple(rows))


def _side_by_side(
    judged: Sequence[Judged],
    title: str,
    groups: Sequence[tuple[str, Belongs]],
    cell: Callable[[Score], str],
) -> Table:
    parts = [(name, [one for one in judged if belongs(one.truth)]) for name, belongs in groups]
    parts = [(name, part) for name, part in parts if part]
    rows = [(rule, *(cell(Score.of(part, rule)) for _, part in parts)) for rule in _rules(judged)]
    return Table(title, ("rule", *(f"{name} ({len(part)})" for name, part in parts)), tuple(rows))


def _found(score: Score) -> str:
    return f"{_whole(score.detections)} / {_whole(score.middle)}"


def _kinds(judged: Sequence[Judged], verdict: str) -> list[tuple[str, Belongs]]:
    kinds = dict.fromkeys(one.truth.kind for one in judged if one.truth.verdict == verdict)
    return [
        (kind, lambda truth, kind=kind: (truth.verdict, truth.kind) == (verdict, kind))  # type: ignore[misc]
        for kind in kinds
    ]


def _false_by_class(judged: Sequence[Judged]) -> Table:
    title = "False rollbacks by class: %."
    return _side_by_side(
        judged, title, _kinds(judged, "keep"), lambda score: _tenths(score.false_rollbacks)
    )


def _found_by_class(judged: Sequence[Judged]) -> Table:
    title = "Found by class: % / median s."
    return _side_by_side(judged, title, _kinds(judged, "rollback"), _found)


def _by_size(judged: Sequence[Judged]) -> Table:
    """Also below the minimal effect: there it is no miss not to find it."""
    sizes = [
        *(("error-step", f"+{100 * points:g}pp", "") for points in ERROR_STEPS),
        *(("latency", f"x{factor:g}", "") for factor in SLOWDOWNS),
        *(("low-traffic", f"+{100 * points:g}pp", "low ") for points in LOW_STEPS),
    ]
    groups: list[tuple[str, Belongs]] = [
        (
            before + size,
            lambda truth, kind=kind, size=size: (truth.kind, truth.size) == (kind, size),  # type: ignore[misc]
        )
        for kind, size, before in sizes
    ]
    return _side_by_side(_all_bad(judged), "Found by size: % / median s.", groups, _found)


def _all_bad(judged: Sequence[Judged]) -> list[Judged]:
    """Every release to roll back, as if each were bad enough."""
    return [
        one._replace(truth=replace(one.truth, above_minimum=True))
        for one in judged
        if one.truth.verdict == "rollback"
    ]


def _by_traffic(judged: Sequence[Judged]) -> Table:
    groups: list[tuple[str, Belongs]] = [
        (name, lambda truth, name=name: truth.traffic == name)  # type: ignore[misc]
        for name, _ in TRAFFIC
    ]
    title = "By requests: false % / found % / median s."
    return _side_by_side(
        judged, title, groups, lambda score: f"{_tenths(score.false_rollbacks)} / {_found(score)}"
    )


def _by_information(judged: Sequence[Judged]) -> Table:
    """Every release to roll back, by how much there was to know of it."""
    bad = _all_bad(judged)
    groups: list[tuple[str, Belongs]] = [
        (
            _range(low, high) + _limit([one.truth for one in bad], low, high),
            lambda truth, low=low, high=high: low <= truth.information < high,  # type: ignore[misc]
        )
        for low, high in pairwise(_INFORMATION)
    ]
    title = (
        "By information after the fault, in multiples of what any rule needs that is wrong once in "
        "a hundred, and the median time until it was there: found % / median s."
    )
    return _side_by_side(bad, title, groups, _found)


def _range(low: float, high: float) -> str:
    if not low:
        return f"<{high:g}"
    return f">{low:g}" if math.isinf(high) else f"{low:g}-{high:g}"


def _limit(truths: Sequence[Truth], low: float, high: float) -> str:
    limits = [
        one.limit_s for one in truths if one.limit_s is not None and low <= one.information < high
    ]
    return f", {median(limits):.0f} s" if limits else ""


def as_markdown(table: Table) -> str:
    """The same for a page."""
    lines = [table.columns, tuple("-" * 3 for _ in table.columns), *table.rows]
    grid = "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)
    return f"{table.title}\n\n{grid}"
