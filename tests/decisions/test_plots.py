"""Pictures as SVG for our pages and as PNG for messages."""

import re
import xml.etree.ElementTree as ET
from importlib.util import find_spec

import pytest

from lastgood.decisions.charts import Chart, Curve, Level, Moment, Panel, Stretch
from lastgood.errors import UsageError
from lastgood.plots import canvas, drawing, png, svg
from lastgood.plots.colours import DARK, LIGHT

needs_matplotlib = pytest.mark.skipif(
    find_spec("matplotlib") is None,
    reason="matplotlib is an extra, for pictures only: pip install 'lastgood[plots]' removes this",
)
BEGIN = 1_790_000_000.0
RATES = Panel(
    title="failed requests, %",
    curves=(Curve(tuple((BEGIN + 60 * n, 40.0 if n > 5 else 0.5) for n in range(10) if n != 3)),),
    period=60,
    limit=Level(5, "threshold 5 %"),
    normal=Level(0.5, "the hour before 0.5 %"),
)
EVIDENCE = Panel(
    title="evidence, to 1",
    curves=(Curve(tuple((BEGIN + 60 * n, 10.0 ** (n - 3)) for n in range(8))),),
    limit=Level(100, "100 to 1 decides"),
    log=True,
)
STATES = Panel(
    title="state of web-5xx",
    stretches=(
        Stretch(BEGIN, BEGIN + 300, "OK", "good"),
        Stretch(BEGIN + 300, BEGIN + 500, "ALARM <script>", "bad"),
    ),
)
BESIDE = Panel(
    title="failed requests, %",
    curves=(
        Curve(((BEGIN, 1.0), (BEGIN + 60, 1.0)), "old tasks"),
        Curve(((BEGIN, 9.0), (BEGIN + 60, 12.0)), "new tasks"),
    ),
    period=60,
    band=((BEGIN, 0.0, 3.0), (BEGIN + 60, 0.0, 3.0)),
)
MOMENTS = (
    Moment(BEGIN + 10, "deployed"),
    Moment(BEGIN + 20, "rolled out"),
    Moment(BEGIN + 600, "fires", "bad"),
    Moment(BEGIN + 601, "rolls back", "bad"),
    Moment(BEGIN + 660, "verified", "good"),
)
SMALL = Chart("error-rate", (RATES,), MOMENTS)
CHART = Chart("error-rate", (RATES, EVIDENCE, STATES, BESIDE), MOMENTS)


@needs_matplotlib
@pytest.mark.parametrize("width", [720.0, 343.0])
def test_a_chart_stands_in_a_page_and_follows_its_colours(width: float) -> None:
    drawn = svg(CHART, width=width, name="p1")
    root = ET.fromstring(drawn)
    assert root.get("viewBox", "").startswith(f"0 0 {width:g} ")
    assert not re.search(r"#(?!000000|p1-)[0-9a-f]{6}\b", drawn), "a colour that cannot follow"
    for role in ("ink", "muted", "measured", "bad", "good", "grid", "band", "beside"):
        assert f"var(--{role})" in drawn
    for text in (
        "failed requests, %",
        "threshold 5 %",
        "100 to 1 decides",
        "verified",
        "new tasks",
    ):
        assert f">{text}</text>" in drawn
    assert "http" not in drawn
    assert "<style" not in drawn
    assert "ALARM &lt;script&gt;" in drawn


@needs_matplotlib
def test_two_pictures_of_a_page_share_no_id_and_each_finds_its_own() -> None:
    one, other = (svg(SMALL, name=name) for name in ("p1", "p2"))
    ids = [set(re.findall(r'\bid="([^"]*)"', drawn)) for drawn in (one, other)]
    assert ids[0]
    assert not ids[0] & ids[1]
    used = set(re.findall(r'(?:href="|url\()#([^")]*)', one))
    assert used <= ids[0]
    assert svg(SMALL, name="p1") == one, "the same picture each time"


@needs_matplotlib
def test_a_png_for_a_message_light_or_dark() -> None:
    light, dark = png(SMALL), png(SMALL, dark=True)
    for drawn in (light, dark):
        assert drawn.startswith(b"\x89PNG")
        assert len(drawn) < 200_000
    width = int.from_bytes(light[16:20], "big")
    assert width == 1440
    assert light != dark


@needs_matplotlib
def test_a_long_window_is_drawn_small_and_its_highest_is_seen() -> None:
    points = tuple((BEGIN + n, 50.0 if n == 7001 else 1.0) for n in range(14_400))
    panel = RATES._replace(curves=(Curve(points),), period=1)
    drawn = svg(Chart("error-rate", (panel,)))
    assert len(drawn) < 150_000
    assert "fill-opacity: 0.25" in drawn or "opacity: 0.25" in drawn


@needs_matplotlib
def test_names_of_others_are_drawn_as_they_are() -> None:
    odd = "a$\\frac{b$ \u65e5\u672c"
    states = (Stretch(BEGIN, BEGIN + 60, odd, "bad"),)
    chart = Chart("alarm", (Panel(title=odd, stretches=states),))
    assert f">{odd}</text>" in svg(chart)
    assert png(chart, heading=odd).startswith(b"\x89PNG")


def test_no_flags_line_crosses_a_word() -> None:
    for gap in (0.5, 5, 40, 200):
        moments = tuple(Moment(BEGIN + gap * n, "rolls back") for n in range(5))
        span = drawing.Span(BEGIN - 10, BEGIN + 1000, 0.66)
        rows = drawing._rows(moments, span)
        for one, row in zip(moments, rows, strict=True):
            reach = one.at + drawing._LETTER * len(one.text) / span.scale
            for other, above in zip(moments, rows, strict=True):
                if other is not one and one.at <= other.at <= reach:
                    assert above < row


def test_what_lies_far_from_the_measurements_is_not_shown() -> None:
    far = (Moment(BEGIN - 9000, "deployed"), Moment(BEGIN + 90_000, "verified"))
    span = drawing._span(Chart("error-rate", (RATES,), far), 720)
    assert span.end - span.begin < 1000
    assert drawing._rows(far, span) == [-1, -1]


def test_every_colour_is_one_of_a_kind() -> None:
    for colours in (LIGHT, DARK):
        assert len(set(colours)) == len(colours)
        assert "#000000" not in colours


def contrast(one: str, other: str) -> float:
    """As WCAG counts it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK])
def test_words_can_be_read_on_the_paper(colours) -> None:
    for role in ("ink", "muted", "measured", "good", "bad"):
        assert contrast(getattr(colours, role), colours.paper) >= 4.5, role


def test_without_matplotlib_it_is_said_how_to_get_it(monkeypatch) -> None:
    monkeypatch.setattr(canvas, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"python -m pip install 'lastgood\[plots\]'"):
        canvas.needed_for("--plot")
