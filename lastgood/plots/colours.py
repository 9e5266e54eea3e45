"""The colours of our pictures and pages, each by what it means; light and dark."""

from __future__ import annotations

from typing import NamedTuple

from lastgood.decisions.charts import Tone


class Colours(NamedTuple):
    """One set; no two are equal, as a page's own are put in their place."""

    ink: str
    muted: str
    paper: str
    grid: str
    measured: str
    beside: str
    band: str
    good: str
    bad: str

    def of(self, tone: Tone) -> str:
        """The colour of what happened."""
        return {"plain": self.muted, "good": self.good, "bad": self.bad}[tone]


LIGHT = Colours(
    ink="#1f2328",
    muted="#57606a",
    paper="#ffffff",
    grid="#d0d7de",
    measured="#0a5bb5",
    beside="#7a828a",
    band="#dcebfa",
    good="#1a7f37",
    bad="#b42318",
)
DARK = Colours(
    ink="#e6edf3",
    muted="#9aa4ae",
    paper="#0f1419",
    grid="#2f363d",
    measured="#6cb6ff",
    beside="#8b949e",
    band="#172c44",
    good="#56d364",
    bad="#ff8078",
)


def variables(colours: Colours) -> str:
    """As CSS: ``--ink: #1f2328; …``."""
    return " ".join(f"--{name}: {value};" for name, value in colours._asdict().items())
