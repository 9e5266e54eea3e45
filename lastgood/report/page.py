"""The page as HTML: one file, no script, nothing that a browser would have to fetch."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from itertools import count
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from lastgood.decisions.plain import one_line
from lastgood.plots import canvas, drawing, embedding
from lastgood.plots.colours import DARK, LIGHT, Colours, variables
from lastgood.report.parts import Judged, Page

_LONGEST = 4000
_WIDE, _NARROW = 720.0, 343.0
"""CSS pixels: of a desk, and of a phone of 375 pixels less the page's margins."""
_FURTHER = {
    LIGHT: "--warning: #8a5a00; --soft: #eef1f4;",
    DARK: "--warning: #e3b341; --soft: #1c2229;",
}
"""Colours that no picture has."""


class Drawn(NamedTuple):
    """One picture, for a desk and for a phone."""

    wide: Markup
    narrow: Markup


def html(page: Page, *, plots: bool | None = None) -> str:
    """The page.

    Args:
        page: what it shows.
        plots: whether pictures are drawn; left out: if matplotlib is here.
    """
    drawn = canvas.available() if plots is None else plots
    numbers = count(1)

    def draw(judged: Judged) -> Drawn | None:
        if not drawn or judged.chart is None:
            return None
        number = next(numbers)
        # Our own SVG, whose texts matplotlib has escaped.
        wide = drawing.svg(judged.chart, width=_WIDE, name=f"p{number}w")
        narrow = drawing.svg(judged.chart, width=_NARROW, name=f"p{number}n")
        return Drawn(Markup(wide), Markup(narrow))  # noqa: S704

    text: str = (
        _environment()
        .get_template("page.html.j2")
        .render(
            page=page,
            style=Markup(_style()),  # noqa: S704 - our own
            pictured=_pictured(page),
            plots=drawn,
            install=None if canvas.available() else canvas.INSTALL,
            drawn=draw,
        )
    )
    return text


def _pictured(page: Page) -> bool:
    """Whether there is something to draw."""
    parts = [page.lead, *(part for _, part in page.members if part)]
    judged = [one for part in parts for one in (part.lead, *part.others) if one]
    return any(one.chart for one in judged)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("lastgood", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_plain,
        keep_trailing_newline=True,
    )


def _plain(value: Any) -> Any:
    """Text from outside as one line of visible characters; escaped after this."""
    return value if isinstance(value, Markup) else one_line(str(value), _LONGEST)


def _style() -> str:
    rules = files("lastgood.report").joinpath("page.css").read_text(encoding="utf-8")
    return embedding.STYLE + rules.replace("LIGHT", _set(LIGHT)).replace("DARK", _set(DARK))


def _set(colours: Colours) -> str:
    return f"{variables(colours)} {_FURTHER[colours]}"
