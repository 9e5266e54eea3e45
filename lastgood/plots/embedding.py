"""matplotlib's SVG made fit to stand in an HTML page among others.

Its colours become the page's variables, so that it follows light and dark; its ids are its own; its
letters are the page's; and what it says of itself (where its format is described) is left out.
"""

from __future__ import annotations

import re

from lastgood.plots.colours import LIGHT

STYLE = """\
svg.plot { display: block; width: 100%; height: auto; overflow: visible; }
svg.plot * { stroke-linejoin: round; stroke-linecap: butt; }
"""
"""What a page needs for them."""

_HEAD = re.compile(r'<svg [^>]*viewBox="([^"]*)"[^>]*>')
_OUT = re.compile(
    r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>|<!--.*?-->|<defs>\s*</defs>"
    r"|font-family: [^;\"]*; ?| transform=\"rotate\(-0 [^\"]*\"",
    re.DOTALL,
)
_IDS = re.compile(r'(\bid="|url\(#|xlink:href="#|href="#)')
_PLACED = re.compile(r"#[0-9a-f]{6}\b")


def embedded(drawn: str, name: str) -> str:
    """The ``<svg>`` element of what matplotlib wrote.

    Args:
        drawn: with the light colours.
        name: what its ids begin with.
    """
    found = _HEAD.search(drawn)
    if found is None:
        raise ValueError("this is no SVG of matplotlib's")
    body = _OUT.sub("", _OUT.sub("", drawn[found.end() :]))
    body = _IDS.sub(rf"\g<1>{name}-", body).replace("xlink:href", "href")
    by_colour = {colour: role for role, colour in LIGHT._asdict().items()}
    body = _PLACED.sub(
        lambda one: f"var(--{by_colour[one[0]]})" if one[0] in by_colour else one[0], body
    )
    return f'<svg class="plot" viewBox="{found[1]}" aria-hidden="true">{body.strip()}'
