"""When a service was released in truth, from what its guard remembers."""

from datetime import UTC, datetime, timedelta
from typing import Any

from lastgood.cli.released import Release, releases_of
from lastgood.contracts import Overview

BEGAN = datetime(2026, 11, 28, 12, tzinfo=UTC)


def result(release: str, began: datetime | None, timings: dict[str, float]) -> dict[str, Any]:
    return {
        "release": release,
        "workflow_id": "w",
        "run_id": "r",
        "service": "shop/web",
        "outcome": "healthy",
        "reason": "fine",
        "started_at": began,
        "timings": timings,
    }


def overview(*results: dict[str, Any]) -> Overview:
    return Overview.model_validate(
        {
            "service": "shop/web",
            "current": None,
            "queued": (),
            "last_known_good": None,
            "rollbacks_counted": 0,
            "max_rollbacks": 3,
            "cooldown_until": None,
            "results": results,
            "rollbacks": (),
            "actions": (),
        }
    )


def test_a_release_is_deployed_after_its_preflight() -> None:
    steps = {"preflight": 2.5, "deploy": 1.0, "wait": 60.0}
    newest_first = overview(
        result("2.1", BEGAN + timedelta(hours=1), steps), result("2.0", BEGAN, steps)
    )
    at = BEGAN.timestamp() + 2.5
    assert releases_of(newest_first) == [
        Release("2.0", at, "healthy"),
        Release("2.1", at + 3600, "healthy"),
    ]


def test_what_changed_nothing_is_no_release() -> None:
    refused = result("2.2", BEGAN, {"preflight": 1.0})
    rollback = result("rollback-1", BEGAN, {"rollback": 9.0})
    unknown = result("2.3", None, {"deploy": 1.0})
    assert releases_of(overview(refused, rollback, unknown)) == []
    assert releases_of(None) == []
