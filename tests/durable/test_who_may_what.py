"""Every message at every step: what is answered, and that it becomes so."""

from __future__ import annotations

from typing import Literal

import pytest

from lastgood.model import Outcome
from tests.durable.steps import (
    R,
    ask,
    back,
    cooldown,
    cooldown_in_rollout,
    during,
    going_away,
    good,
    held,
    idle,
    queued,
    rolling_back,
    rollout,
    smoke_test,
    window,
)

# --- What is done --------------------------------------------------------------------------------

DONE = {
    "promote": "Release app:3 is promoted: its window ends now, as good.",
    "hold": "Release app:3 is held: nothing happens by itself until a person decides.",
    "resume": "Release app:3 is judged again.",
    "approve": "Release app:3 is approved: it counts as good.",
    "deny": "Release app:3 is denied: it is rolled back.",
    "cancel": "Release app:3 is cancelled: it is no longer watched.",
    "rollback": "Release app:3 is rolled back.",
}
TAKEN_OUT = "Release app:3 is taken out of the queue; nothing was changed."
NOTHING = "Release app:3 ends before it changes anything."
FORTH, THERE_AND_BACK = [R], [R, "app:1"]
SECOND = ["app:2", "app:1", R]
BecomesOf = Literal["still held"] | Outcome
"""How it ends, or that it waits for a person."""


@pytest.mark.parametrize(
    ("step", "verb", "becomes", "images"),
    [
        (queued, "cancel", Outcome.CANCELLED, ["app:2"]),
        (during("describe_services"), "cancel", Outcome.CANCELLED, []),
        (during("describe_services"), "rollback", Outcome.CANCELLED, []),
        (during("update_service"), "hold", "still held", FORTH),
        (during("update_service"), "cancel", Outcome.CANCELLED, FORTH),
        (during("update_service"), "rollback", Outcome.ROLLED_BACK, THERE_AND_BACK),
        (rollout, "hold", "still held", FORTH),
        (rollout, "cancel", Outcome.CANCELLED, FORTH),
        (rollout, "rollback", Outcome.ROLLED_BACK, THERE_AND_BACK),
        (cooldown_in_rollout, "hold", "still held", SECOND),
        (cooldown_in_rollout, "cancel", Outcome.CANCELLED, SECOND),
        (cooldown_in_rollout, "rollback", Outcome.ROLLED_BACK, [*SECOND, "app:1"]),
        (smoke_test, "hold", "still held", FORTH),
        (smoke_test, "cancel", Outcome.CANCELLED, FORTH),
        (smoke_test, "rollback", Outcome.ROLLED_BACK, THERE_AND_BACK),
        (window, "promote", Outcome.HEALTHY, FORTH),
        (window, "hold", "still held", FORTH),
        (window, "cancel", Outcome.CANCELLED, FORTH),
        (window, "rollback", Outcome.ROLLED_BACK, THERE_AND_BACK),
        (cooldown, "promote", Outcome.HEALTHY, SECOND),
        (cooldown, "hold", "still held", SECOND),
        (cooldown, "cancel", Outcome.CANCELLED, SECOND),
        (cooldown, "rollback", Outcome.ROLLED_BACK, [*SECOND, "app:1"]),
        (held, "resume", Outcome.HEALTHY, FORTH),
        (held, "approve", Outcome.HEALTHY, FORTH),
        (held, "deny", Outcome.ROLLED_BACK, THERE_AND_BACK),
        (held, "cancel", Outcome.CANCELLED, FORTH),
        (held, "rollback", Outcome.ROLLED_BACK, THERE_AND_BACK),
        (during("notify_slack"), "rollback", Outcome.ROLLED_BACK, THERE_AND_BACK),
    ],
)
async def test_message_is_done_and_it_becomes_so(desk, step, verb, becomes, images):
    go_on = await step(desk)

    answer = await ask(desk, verb, R)
    if go_on:
        go_on()

    early = verb == "rollback" and images == []
    taken_out = step is queued
    assert answer == f"done: {NOTHING if early else TAKEN_OUT if taken_out else DONE[verb]}"
    if becomes == "still held":
        await desk.skip(hours=2)
        assert (await desk.progress()).held
    else:
        assert (await desk.result(R)).outcome is becomes
    if taken_out:
        assert (await desk.result("app:2")).outcome is Outcome.HEALTHY
    assert desk.images == images
    overview = await desk.overview()
    assert [(one.actor, one.verb) for one in overview.actions][:1] == [("ann", verb)]
    assert overview.mirror_problem is None


# --- What is refused ------------------------------------------------------------------------------

NONE = "No release of shop/web is under way. Possible now: rollback, freeze, adopt"
WAITS = "Release app:3 waits in the queue: there is nothing to {verb} yet. Possible now: cancel"
UNTOUCHED = "Release app:3 has not changed anything yet: there is nothing to hold. Possible now:"
NO_WINDOW = "Release app:3 is at its step {at}: its monitor window has not begun. Possible now:"
NOT_HELD = "Release app:3 is not held: it is "
IS_HELD = "Release app:3 is held for a person. Possible now: approve, deny, resume, cancel"
HELD_ALREADY = "Release app:3 is held already. Possible now: approve"
GOES_BACK = "Release app:3 is being rolled back already. Wait for its end: lastgood status shop/web"
JUDGED = "Release app:3 has just been judged good. Possible now: rollback."
ENDED = "Release app:3 has ended. See what became of it: lastgood explain app:3"
FOR_HELD = dict.fromkeys(("resume", "approve", "deny"), NOT_HELD)
ALL = ("promote", "hold", "resume", "approve", "deny", "cancel", "rollback")


def before_the_window(step: str) -> dict[str, str]:
    return {"promote": NO_WINDOW.replace("{at}", step)} | FOR_HELD


@pytest.mark.parametrize(
    ("step", "named", "refused", "becomes"),
    [
        (idle, None, {**dict.fromkeys(ALL[:-1], NONE), "rollback": "No other revision"}, None),
        (queued, R, dict.fromkeys(set(ALL) - {"cancel"}, WAITS), Outcome.HEALTHY),
        (
            during("describe_services"),
            None,
            before_the_window("preflight") | {"hold": UNTOUCHED},
            Outcome.HEALTHY,
        ),
        (during("update_service"), None, before_the_window("deploy"), Outcome.HEALTHY),
        (rollout, None, before_the_window("wait"), Outcome.HEALTHY),
        (cooldown_in_rollout, None, before_the_window("cooldown"), Outcome.HEALTHY),
        (smoke_test, None, before_the_window("smoke test"), Outcome.HEALTHY),
        (window, None, FOR_HELD, Outcome.HEALTHY),
        (window, "app:1", dict.fromkeys(ALL, "Release app:1 is not known to the guard"), "HEALTHY"),
        (cooldown, None, FOR_HELD, Outcome.HEALTHY),
        (held, R, {"promote": IS_HELD, "hold": HELD_ALREADY}, "still held"),
        (rolling_back, R, dict.fromkeys(ALL, GOES_BACK), Outcome.ROLLED_BACK),
        (
            during("notify_slack"),
            None,
            dict.fromkeys(("promote", "hold", "cancel"), JUDGED) | FOR_HELD,
            Outcome.HEALTHY,
        ),
        (going_away, R, dict.fromkeys(("promote", "hold", "cancel", "rollback"), ENDED) | FOR_HELD,
         Outcome.SUPERSEDED),
        (good, R, dict.fromkeys(ALL[:-1], ENDED), "HEALTHY"),
        (back, None, {**dict.fromkeys(ALL[:-1], NONE), "rollback": "shop/web went back to web:1"},
         "ROLLED_BACK"),
    ],
)  # fmt: skip
async def test_message_that_makes_no_sense_is_refused_with_a_reason_and_changes_nothing(
    desk, step, named, refused, becomes
):
    go_on = await step(desk)

    for verb, words in refused.items():
        answer = await ask(desk, verb, named)
        assert answer.startswith(words.replace("{verb}", verb)), f"{verb}: {answer}"
    if go_on:
        go_on()

    if becomes == "still held":
        await desk.skip(hours=2)
        assert (await desk.progress()).held
    elif becomes is not None:
        outcome = becomes if isinstance(becomes, Outcome) else Outcome[becomes]
        assert (await desk.result(R)).outcome is outcome
    verbs = {one.verb for one in (await desk.overview()).actions}
    assert not verbs & set(refused) - ({"hold"} if step is held else set())
