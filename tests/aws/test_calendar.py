"""Freeze windows with the time zones of this machine, or of the package tzdata."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.calendar import CalendarActivities
from lastgood.contracts import FreezeAnswer, FreezeQuery
from lastgood.policy import FreezeWindow

FRIDAY = datetime(2026, 11, 27, 15, 30, tzinfo=UTC)


async def look_up(zone: str) -> FreezeAnswer:
    window = FreezeWindow(days=["fri"], from_="16:00", zone=zone, reason="Weekend")
    query = FreezeQuery(windows=(window,), at=FRIDAY)
    answer: FreezeAnswer = await ActivityEnvironment().run(
        CalendarActivities().look_up_freeze, query
    )
    return answer


async def test_a_freeze_says_until_when_in_its_own_zone() -> None:
    answer = await look_up("Europe/Berlin")
    assert answer.frozen
    assert answer.text == "until Sat 00:00 Europe/Berlin (Weekend)"
    assert answer.until == datetime(2026, 11, 27, 23, tzinfo=UTC)


async def test_the_same_hours_elsewhere_are_not_yet() -> None:
    assert await look_up("America/New_York") == FreezeAnswer(frozen=False)


async def test_a_zone_that_the_worker_does_not_know_is_named_and_not_asked_again() -> None:
    with pytest.raises(ApplicationError, match="no time zone Europe/Atlantis") as refused:
        await look_up("Europe/Atlantis")
    assert refused.value.non_retryable


async def test_a_machine_without_time_zones_has_the_package(monkeypatch) -> None:
    import zoneinfo

    monkeypatch.setattr(zoneinfo._tzpath, "TZPATH", ())
    zoneinfo.ZoneInfo.clear_cache()
    assert (await look_up("Europe/Berlin")).frozen
    assert "Europe/Berlin" in zoneinfo.available_timezones()
