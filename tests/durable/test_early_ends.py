"""Monitor windows that end before their time, and those that may and do not."""

from __future__ import annotations

from datetime import timedelta

from lastgood.contracts import WatchOrder
from lastgood.model import Outcome
from tests.durable.desk import METRIC, RELEASE, Desk

IN_A_ROW = {"window": "10m", "interval": "10s", "consecutive_success": 30}
ENOUGH = {"window": "10m", "interval": "10s", "good_enough": True, "min_window": "2m"}
COUNTS = {"requests": METRIC, "errors": METRIC}
REGRESSION = [{"type": "regression", "metrics": COUNTS}, {"type": "error-rate", "metric": METRIC}]
SILENT = frozenset({"health-check"})


def parts(desk: Desk) -> list[WatchOrder]:
    """The orders of the window's parts, of each watch and attempt."""
    return [one for one in desk.aws.watched if isinstance(one, WatchOrder) and one.goes_on]


async def scheduled(desk: Desk, name: str) -> int:
    """How many activities of a name the release has had."""
    handle = desk.client.get_workflow_handle(RELEASE)
    history = await handle.fetch_history()
    began = [one.activity_task_scheduled_event_attributes for one in history.events]
    return sum(1 for one in began if one.activity_type.name == name)


async def test_good_measurements_in_a_row_end_the_window(desk):
    result = await desk.release("app:2", monitor=IN_A_ROW)

    assert result.outcome is Outcome.HEALTHY
    assert result.reason == (
        "The window ended clean after 5m of 10m: 30 good measurements in a row of each trigger."
    )
    assert 300 <= result.timings["monitor"] < 305


async def test_it_goes_on_until_there_are_as_many(desk):
    more = {**IN_A_ROW, "consecutive_success": 40}
    result = await desk.release("app:2", monitor=more)

    assert "after 7m of 10m: 40 good measurements" in result.reason
    assert 420 <= result.timings["monitor"] < 430
    [begin] = {one.covers_from for one in parts(desk)}
    ends = sorted({(one.until - begin).total_seconds() for one in parts(desk)})
    assert ends == [300, 330, 360, 390, 420], "each is judged over the whole window so far"
    assert await scheduled(desk, "watch_service") == 2, "in the window it is one, without a break"
    assert await scheduled(desk, "watch_metrics") == 1 + len(ends)


async def test_what_is_sure_ends_it_and_what_is_not_does_not(desk):
    unsure = await desk.release("app:2", monitor=ENOUGH, triggers=REGRESSION)
    assert unsure.reason == "The window ended clean."
    assert 600 <= unsure.timings["monitor"] < 610

    desk.aws.proofs = {"sure": "no worse than before"}
    sure = await desk.release("app:3", monitor=ENOUGH, triggers=REGRESSION)
    assert sure.reason.startswith("The window ended clean after 2m of 10m: no worse than before")
    assert 120 <= sure.timings["monitor"] < 125


async def test_one_source_that_is_not_content_keeps_all_watching(desk):
    """The health check says nothing for a long time; what then goes bad elsewhere is seen."""
    desk.world.bad("app:2", "error-rate", after=400, silent=SILENT)

    result = await desk.release("app:2", monitor=IN_A_ROW)

    assert (result.outcome, result.trigger) == (Outcome.ROLLED_BACK, "error-rate")
    forward, back = desk.updates
    assert timedelta(seconds=400) <= back.at - forward.at < timedelta(seconds=403)


async def test_what_is_inconclusive_never_ends_early(desk):
    desk.world.image("app:2", silent=SILENT)

    result = await desk.release("app:2", monitor={**IN_A_ROW, "on_inconclusive": "promote"})

    assert result.outcome is Outcome.HEALTHY
    assert result.reason == "The window ended clean."
    assert 600 <= result.timings["monitor"] < 610
