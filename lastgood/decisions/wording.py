"""Numbers, times, revisions and commands as notices write them."""

from __future__ import annotations

from datetime import datetime, timedelta

from lastgood.model import Revision, Verdict
from lastgood.policy import format_duration


def describe(revision: Revision | None) -> str:
    """A revision with its images: ``web:41 (shop/web:1.2 @ sha256:0123456789ab…)``."""
    if revision is None:
        return "unknown"
    several = len(revision.images) > 1
    images = ", ".join(
        (f"{one.container}: " if several else "")
        + one.image
        + (f" @ {one.digest[:19]}…" if one.digest and one.digest not in one.image else "")
        for one in revision.images
    )
    return f"{revision.label} ({images})" if images else revision.label


def measured(verdict: Verdict) -> str | None:
    """The number against its threshold as people write it: ``8.0 % (threshold 5 %)``.

    None where a trigger has no number.
    """
    value, threshold = verdict.value, verdict.threshold
    if value is None:
        return None
    match verdict.trigger:
        case "error-rate":
            words, limit = f"{value * 100:.1f} %", f"{(threshold or 0) * 100:g} %"
        case "response-time":
            words, limit = f"{value:,.0f} ms", f"{threshold or 0:,.0f} ms"
        case "health-check":
            words, limit = f"{value:.0f} failed in a row", f"{threshold or 0:.0f}"
        case _:
            words, limit = f"{value:,g}", f"{threshold or 0:,g}"
    return words if threshold is None else f"{words} (threshold {limit})"


def sentence(text: str) -> str:
    """The text, ending as a sentence does."""
    stripped = text.strip()
    return stripped if not stripped or stripped[-1] in ".!?…" else stripped + "."


def clock(moment: datetime) -> str:
    """A moment of today, near enough: ``03:12:45 UTC``."""
    return f"{moment:%H:%M:%S} UTC"


def day(moment: datetime) -> str:
    """A moment that may be on another day: ``2026-01-31 03:12 UTC``."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def took(duration: timedelta) -> str:
    """A duration in whole seconds: ``1m30s``; below one ``under 1s``."""
    seconds = timedelta(seconds=round(duration.total_seconds()))
    return format_duration(seconds) if seconds > timedelta(0) else "under 1s"


def period(duration: timedelta) -> str:
    """A period as policies write it: ``24h`` rather than ``1d``, up to two days."""
    hours, rest = divmod(duration, timedelta(hours=1))
    return f"{hours}h" if not rest and 0 < hours <= 48 else format_duration(duration)


def rollback_command(service: str) -> str:
    """What an operator types to bring a service back."""
    return f'lastgood rollback {service} --reason "…"'
