"""A chart as SVG for our pages, and as PNG for messages and job summaries.

    svg(chart, width=720)        to stand in an HTML page: follows its colours, light or dark
    png(chart)                   bytes, for a channel that carries pictures

Both need matplotlib, the extra ``plots``: ask ``canvas.available()`` first. What happened is told
by flags above the first panel, each on a line of its own, so that no line crosses a word.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

from lastgood.decisions.charts import Chart, Moment
from lastgood.decisions.plain import one_line
from lastgood.plots import canvas, embedding, panels
from lastgood.plots.colours import DARK, LIGHT, Colours

_LEFT, _RIGHT, _TITLE, _ROW, _FOOT, _GAP = 44.0, 10.0, 20.0, 15.0, 32.0, 36.0
"""Of the figure, in points."""
_STRIP, _HEADING = 34.0, 30.0
_LETTER = 6.3
"""How wide a letter of a flag is, about."""
_AFTER = 2.5
"""What came after the judged data is shown for so many times the data's length, at most."""


class Span(NamedTuple):
    """What of the time axis is shown, in seconds since the epoch."""

    begin: float
    end: float
    scale: float
    """Points for a second."""


def svg(chart: Chart, *, width: float = 720.0, name: str = "plot") -> str:
    """The chart as an ``<svg>`` element for a page that has ``embedding.STYLE``.

    Args:
        chart: what is drawn.
        width: in CSS pixels, at which its letters have their true size.
        name: of this picture among those of the page; its ids begin with it.
    """
    with canvas.quietly():
        figure = _figure(chart, width, LIGHT, fonttype="none", hashsalt=name)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", dpi=72, transparent=True, metadata={"Date": None})
    return embedding.embedded(buffer.getvalue(), name)


def png(
    chart: Chart,
    *,
    heading: str = "",
    width: float = 720.0,
    dark: bool = False,
    sharp: float = 2.0,
) -> bytes:
    """The chart as a PNG.

    Args:
        chart: what is drawn.
        heading: above it, as it stands alone: of which release it is.
        width: in points.
        dark: on a dark ground.
        sharp: pixels for a point.
    """
    colours = DARK if dark else LIGHT
    with canvas.quietly():
        figure = _figure(chart, width, colours, heading=heading)
        buffer = io.BytesIO()
        figure.savefig(
            buffer,
            format="png",
            dpi=72 * sharp,
            facecolor=colours.paper,
            metadata={"Software": "lastgood"},
        )
    return buffer.getvalue()


def _figure(
    chart: Chart,
    width: float,
    colours: Colours,
    *,
    heading: str = "",
    fonttype: str = "path",
    hashsalt: str = "lastgood",
) -> Any:
    plain = {"text.parse_math": False}  # a $ in an alarm's name is a $
    canvas.load(**{"svg.fonttype": fonttype, "svg.hashsalt": hashsalt, **plain})
    new_figure: Any = import_module("matplotlib.figure").Figure
    span = _span(chart, width)
    flags = _rows(chart.moments, span)
    heights = [_STRIP if one.stretches else _height(width) for one in chart.panels]
    head = _TITLE + _ROW * (max(flags, default=-1) + 1)
    head += _HEADING if heading else 0.0
    height = head + sum(heights) + _GAP * (len(heights) - 1) + _FOOT
    figure = new_figure(figsize=(width / 72, height / 72), dpi=72)
    if heading:
        place = (_LEFT / width, 1 - 17 / height)
        short = one_line(heading, round((width - _LEFT) / 8))
        figure.text(*place, short, color=colours.ink, fontsize=14, fontweight="bold")
    top = height - head
    for number, (panel, tall) in enumerate(zip(chart.panels, heights, strict=True)):
        box = (_LEFT / width, (top - tall) / height)
        axes = figure.add_axes((*box, (width - _LEFT - _RIGHT) / width, tall / height))
        axes.set_xlim(panels.x(span.begin), panels.x(span.end))
        panels.draw(axes, panel, colours)
        lift = _ROW * (max(flags, default=-1) + 1) if number == 0 else 0.0
        _title(axes, panel.title, lift, colours)
        panels.lines(axes, chart.moments, colours)
        last = number == len(heights) - 1
        panels.time(axes, colours, shown=last, most=round(width / 85))
        if number == 0:
            _flags(axes, chart.moments, flags, colours)
        top -= tall + _GAP
    return figure


def _height(width: float) -> float:
    """Of a panel: a phone's picture is less flat."""
    return 150.0 if width < 500 else 170.0


def _span(chart: Chart, width: float) -> Span:
    """From the first to the last that is shown, and room for the last flag's word."""
    begin, end = chart.begin, chart.end
    lasted = max(end - begin, 1.0)
    times = [one.at for one in chart.moments]
    begin = min([begin, *(at for at in times if at >= begin - lasted)])
    end = max([end, *(at for at in times if at <= end + _AFTER * lasted)])
    end, begin = end + 0.01 * (end - begin), begin - 0.015 * (end - begin)
    room = width - _LEFT - _RIGHT
    scale = room / (end - begin)
    for one in _shown(chart.moments, begin, end):
        wide = 8 + _LETTER * len(one.text)
        scale = min(scale, (room - wide) / max(one.at - begin, 1e-9))
    return Span(begin, begin + room / scale, scale)


def _shown(moments: Sequence[Moment], begin: float, end: float) -> list[Moment]:
    return [one for one in moments if begin <= one.at <= end]


def _rows(moments: Sequence[Moment], span: Span) -> list[int]:
    """On which line above the panel each flag flies: the right ones lowest; -1: not shown."""
    rows = [-1] * len(moments)
    for number in sorted(range(len(moments)), key=lambda n: (moments[n].at, n), reverse=True):
        one = moments[number]
        if not span.begin <= one.at <= span.end:
            continue
        reach = one.at + (8 + _LETTER * len(one.text)) / span.scale
        inside = (
            row for other, row in zip(moments, rows, strict=True) if row >= 0 and other.at <= reach
        )
        rows[number] = max(inside, default=-1) + 1
    return rows


def _title(axes: Any, title: str, lift: float, colours: Colours) -> None:
    axes.annotate(
        title,
        (0.0, 1.0),
        xycoords="axes fraction",
        xytext=(0, lift + 7),
        textcoords="offset points",
        color=colours.ink,
        fontsize=12,
        fontweight="bold",
    )


def _flags(axes: Any, moments: Sequence[Moment], rows: Sequence[int], colours: Colours) -> None:
    for one, row in zip(moments, rows, strict=True):
        if row < 0:
            continue
        colour = colours.of(one.tone)
        axes.annotate(
            one.text,
            (panels.x(one.at), 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(4, 3 + _ROW * row),
            textcoords="offset points",
            color=colour,
            fontsize=11,
            annotation_clip=False,
        )
        axes.annotate(
            "",
            (panels.x(one.at), 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, _ROW * row + 13),
            textcoords="offset points",
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 1,
                "shrinkA": 0,
                "shrinkB": 0,
            },
            annotation_clip=False,
        )
