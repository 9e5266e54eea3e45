"""Freeze windows: when they begin and end, whatever the clocks of their zone do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastgood.decisions.freezes import frozen_at, in_words
from lastgood.policy import Day, FreezeWindow

BERLIN = "Europe/Berlin"
SPRING, AUTUMN = datetime(2026, 3, 29), datetime(2026, 10, 25)  # noqa: DTZ001 - a day, not a moment
DAYS = get_args(Day)


def window(days: str = "", start: str = "00:00", end: str = "24:00", **more: Any) -> FreezeWindow:
    given = {"days": days.split() or list(DAYS), "from_": start, "to": end, "zone": BERLIN}
    return FreezeWindow.model_validate(given | more)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def said(at: datetime, *windows: FreezeWindow) -> str | None:
    frozen = frozen_at(windows, at, ZoneInfo)
    return in_words(frozen, at, ZoneInfo) if frozen else None


WEEKEND = window("fri sat sun", "16:00", "24:00", reason="Weekend")
NIGHT = window("fri", "22:00", "06:00")


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-11-27 14:59:59", None),  # Friday, 15:59:59 in Berlin
        ("2026-11-27 15:00", "until Sat 00:00 Europe/Berlin (Weekend)"),
        ("2026-11-27 22:59:59", "until Sat 00:00 Europe/Berlin (Weekend)"),
        ("2026-11-27 23:00", None),
        ("2026-11-28 15:00", "until Sun 00:00 Europe/Berlin (Weekend)"),
        ("2026-11-29 22:59", "until Mon 00:00 Europe/Berlin (Weekend)"),  # over the week's end
        ("2026-11-30 16:00", None),
    ],
)
def test_hours_of_some_days(at: str, until: str | None) -> None:
    assert said(utc(at), WEEKEND) == until


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-11-27 20:59", None),
        ("2026-11-27 21:00", "until Sat 06:00 Europe/Berlin"),
        ("2026-11-28 04:59:59", "until Sat 06:00 Europe/Berlin"),
        ("2026-11-28 05:00", None),
        ("2026-11-28 21:00", None),  # Saturday's night is not Friday's
        ("2026-11-27 04:00", None),  # nor is Thursday's
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins(
    at: str, until: str | None
) -> None:
    assert said(utc(at), NIGHT) == until


def test_windows_that_touch_or_overlap_are_one_freeze() -> None:
    rest = [window("fri", "16:00"), window("sat sun"), window("mon", end="08:00")]
    assert said(utc("2026-11-27 16:00"), *rest) == "until Mon 08:00 Europe/Berlin"
    assert said(utc("2026-11-27 16:00"), *reversed(rest)) == "until Mon 08:00 Europe/Berlin"
    tokyo = window("sat", "05:00", "10:00", zone="Asia/Tokyo")  # from Friday 21:00 in Berlin
    assert said(utc("2026-11-27 15:30"), WEEKEND, tokyo) == (
        "until Sat 02:00 Europe/Berlin (Weekend)"
    )


def test_the_first_window_that_holds_gives_the_reason() -> None:
    both = (window("mon", reason="elections"), window("fri", reason="a"), window("fri", reason="b"))
    frozen = frozen_at(both, utc("2026-11-27 12:00"), ZoneInfo)
    assert frozen
    assert frozen.window.reason == "a"


def test_a_freeze_without_a_gap_never_ends() -> None:
    frozen = frozen_at([window(reason="sold")], utc("2026-11-27 12:00"), ZoneInfo)
    assert frozen
    assert frozen.ends_at is None
    assert said(utc("2026-11-27 12:00"), window(reason="sold")) == "at all hours (sold)"


def test_a_freeze_that_ends_next_week_says_the_date() -> None:
    nearly = [window("fri sat sun mon tue wed"), window("thu", end="23:00")]
    assert said(utc("2026-11-28 12:00"), *nearly) == "until Thu 23:00 Europe/Berlin"
    assert said(utc("2026-11-26 23:00"), *nearly) == "until Thu 2026-12-03 23:00 Europe/Berlin"


# --- Clocks put forward and back ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "begins", "ends"),
    [
        ("01:00", "04:00", "00:00", "02:00"),  # two hours long
        ("02:30", "04:00", "01:00", "02:00"),  # 02:30 is skipped: from the leap on
        ("01:00", "02:30", "00:00", "01:00"),
        ("02:15", "02:45", None, None),  # never
    ],
)
def test_when_clocks_are_put_forward(
    start: str, end: str, begins: str | None, ends: str | None
) -> None:
    check("2026-03-29", window("sun", start, end), begins, ends)


@pytest.mark.parametrize(
    ("start", "end", "begins", "ends"),
    [
        ("01:00", "04:00", "2026-10-24 23:00", "03:00"),  # four hours long
        ("02:30", "04:00", "00:30", "03:00"),  # from the first 02:30 on
        ("01:00", "02:30", "2026-10-24 23:00", "01:30"),  # until the second 02:30
        ("02:15", "02:45", "00:15", "01:45"),
    ],
)
def test_when_clocks_are_put_back(start: str, end: str, begins: str, ends: str) -> None:
    check("2026-10-25", window("sun", start, end), begins, ends)


def check(day: str, one: FreezeWindow, begins: str | None, ends: str | None) -> None:
    """The freeze holds from ``begins`` to ``ends`` (UTC), and at no other minute of that day."""
    first, last = (None, None)
    if begins and ends:
        first = utc(begins if " " in begins else f"{day} {begins}")
        last = utc(f"{day} {ends}")
    midnight = utc(day)
    for minute in range(-120, 24 * 60):
        at = midnight + timedelta(minutes=minute)
        frozen = frozen_at([one], at, ZoneInfo)
        assert bool(frozen) == bool(first and last and first <= at < last), at
        assert frozen is None or frozen.ends_at == last


def test_a_midnight_that_is_skipped_does_not_break_a_freeze() -> None:
    """In Beirut clocks leap from 00:00 to 01:00."""
    two = [window("sat", zone="Asia/Beirut"), window("sun", end="03:00", zone="Asia/Beirut")]
    assert said(utc("2026-03-28 12:00"), *two) == "until Sun 03:00 Asia/Beirut"


def test_a_day_that_never_was_is_no_freeze() -> None:
    """Samoa had no 30 December 2011, a Friday."""
    friday = window("fri", zone="Pacific/Apia")
    assert frozen_at([friday], utc("2011-12-30 09:59"), ZoneInfo) is None
    assert frozen_at([friday], utc("2011-12-30 10:01"), ZoneInfo) is None


# --- Any windows at any time -------------------------------------------------------------------

CLOCKS = st.integers(0, 47).map(lambda half: f"{half // 2:02}:{half % 2 * 30:02}")
ZONES = st.sampled_from([BERLIN, "UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"])
WINDOWS = (
    st.tuples(
        st.sets(st.sampled_from(DAYS), min_size=1, max_size=4),
        CLOCKS,
        st.just("24:00") | CLOCKS,
        ZONES,
    )
    .filter(lambda one: one[1] != one[2])
    .map(lambda one: window(" ".join(sorted(one[0])), one[1], one[2], zone=one[3]))
)
MOMENTS = st.integers(0, 2 * 365 * 24 * 4).map(
    lambda quarter: utc("2026-01-01") + timedelta(minutes=15 * quarter)
)
NEAR_CHANGES = st.builds(
    lambda day, quarter: day.replace(tzinfo=UTC) + timedelta(minutes=15 * quarter),
    st.sampled_from([SPRING, AUTUMN]),
    st.integers(-12, 16),
)


def shown(one: FreezeWindow, at: datetime) -> bool:
    """Whether the clocks show a time of the window: true but where they were put back."""
    local = at.astimezone(ZoneInfo(one.zone))
    yesterday = DAYS[(local.weekday() - 1) % 7]
    clock = f"{local:%H:%M}"
    if one.to > one.from_:
        return DAYS[local.weekday()] in one.days and one.from_ <= clock < one.to
    evening = DAYS[local.weekday()] in one.days and clock >= one.from_
    return evening or (yesterday in one.days and clock < one.to)


@given(WINDOWS, MOMENTS | NEAR_CHANGES)
def test_it_is_frozen_whenever_the_clocks_show_it(one: FreezeWindow, at: datetime) -> None:
    frozen = frozen_at([one], at, ZoneInfo)
    if shown(one, at):
        assert frozen
    elif frozen:  # then the clocks are put back within the hour, or were
        offsets = {
            (at + timedelta(hours=hours)).astimezone(ZoneInfo(one.zone)).utcoffset()
            for hours in (-1, 1)
        }
        assert len(offsets) == 2


@given(st.lists(WINDOWS, min_size=1, max_size=4), MOMENTS | NEAR_CHANGES)
def test_it_is_frozen_until_the_end_that_is_told_and_not_then(
    windows: list[FreezeWindow], at: datetime
) -> None:
    frozen = frozen_at(windows, at, ZoneInfo)
    if frozen is None or frozen.ends_at is None:
        return
    assert frozen.ends_at > at
    step = timedelta(minutes=45)
    while at < frozen.ends_at:
        between = frozen_at(windows, at, ZoneInfo)
        assert between
        assert between.ends_at == frozen.ends_at
        at += step
    assert frozen_at(windows, frozen.ends_at, ZoneInfo) is None
