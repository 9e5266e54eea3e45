"""The scenarios whose histories are recorded: each way that a release, or a group's, can take."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

from temporalio.client import WorkflowFailureError

from lastgood import messages
from lastgood.contracts import (
    Answer,
    DrillOrder,
    OperatorRequest,
    ReleaseOrder,
    ScheduledDrill,
)
from lastgood.model import Outcome
from tests.durable.desk import QUICK, Desk, policy
from tests.durable.group_fakes import GroupDesk
from tests.durable.world import SERVICE, Fault, World

LONG = {"of": QUICK, "monitor": {"window": "60s", "interval": "1s"}}
SMOKE = {"smoke": [{"url": "https://shop.example/health", "every": "1s"}]}


async def healthy(desk: Desk) -> None:
    """A good release with a smoke test."""
    desk.aws.smoke = {"app:2": [False, True]}
    await desk.release("app:2", of=QUICK, notify={"healthy": True}, **SMOKE)


async def rolled_back(desk: Desk) -> None:
    """A trigger in the window."""
    desk.world.bad("app:2", after=2)
    await desk.release("app:2", **LONG)


async def rolled_back_by_ecs(desk: Desk) -> None:
    """ECS's circuit breaker is faster."""
    desk.world.image("app:2", ends="rolled_back_by_ecs")
    await desk.release("app:2", of=QUICK)


async def held(desk: Desk) -> None:
    """Held for a person, superseded by a fix; held, and rolled back by an operator."""
    held = {"of": QUICK, "rollback": {"enabled": False, "hold_for": "1m"}}
    desk.world.bad("app:2", after=1)
    desk.world.bad("app:4", after=1)
    await desk.deploy("app:2", **held)
    await until_step(desk, "hold")
    await desk.release("app:3", of=QUICK)
    await desk.deploy("app:4", **held)
    await until_step(desk, "hold")
    await desk.rollback()
    await desk.result("app:4")


async def held_to_the_end(desk: Desk) -> None:
    """Nobody decides."""
    desk.world.image("app:2", silent=frozenset({"error-rate"}))
    await desk.release("app:2", of=QUICK, rollback={"hold_for": "4s"})


async def cooldown(desk: Desk) -> None:
    """Two bad releases in a row; the second one waits for the cooldown's end."""
    policy = LONG | {"rollback": {"cooldown": "8s"}}
    desk.world.bad("app:2", after=1)
    desk.world.bad("app:3", after=1)
    await desk.release("app:2", **policy)
    await desk.release("app:3", **policy)


async def cooldown_lifted(desk: Desk) -> None:
    """An operator resets while a cooldown is sat out during the rollout."""
    policy = LONG | {"rollback": {"cooldown": "1h"}}
    desk.world.bad("app:2", after=1)
    desk.world.bad("app:3", after=1, rollout=timedelta(seconds=30))
    await desk.release("app:2", **policy)
    await desk.deploy("app:3", **policy)
    await until_step(desk, "cooldown")
    await desk.reset()
    await desk.result("app:3")


async def operators(desk: Desk) -> None:
    """A rollback during a release, and one long after."""
    await desk.release("app:2", of=QUICK)
    await desk.deploy("app:3", **LONG)
    await until_step(desk, "monitor")
    await desk.rollback()
    await desk.result("app:3")
    await desk.release("app:4", of=QUICK)
    await desk.result((await desk.rollback()).release)


async def strangers(desk: Desk) -> None:
    """Somebody else deploys; a release is refused; a release is cancelled."""
    desk.world.image("app:2", then={timedelta(seconds=2): World.stranger_deploys})
    await desk.release("app:2", **LONG)
    await desk.release("app:3", of=QUICK, triggers=[{"type": "alarm", "alarm": "unknown"}])
    await desk.deploy("app:4", **LONG)
    await until_step(desk, "monitor")
    await desk.cancel_release()
    await desk.result("app:4")


async def broken_off(desk: Desk) -> None:
    """A release is terminated; the next one runs."""
    await desk.deploy("app:2", **LONG)
    await until_step(desk, "monitor")
    await desk.terminate_release()
    await desk.release("app:3", of=QUICK)


async def orphaned(desk: Desk) -> None:
    """The guard is lost in a release; the next one waits for it, and learns how it ended."""
    desk.world.bad("app:2", after=8)
    await desk.deploy("app:2", **LONG)
    await until_step(desk, "monitor")
    await desk.guard.terminate("lost")
    await desk.release("app:3", of=QUICK)


async def unreachable(desk: Desk) -> None:
    """ECS gives the rollout up, and nobody takes the messages."""
    desk.aws.unreachable = {"slack", "email"}
    desk.world.image("app:2", ends="failed")
    await desk.release("app:2", of=QUICK)


async def queue(desk: Desk) -> None:
    """Several releases at once, one of them impatient; the guard continues as new."""
    for image in ("app:2", "app:3"):
        await desk.deploy(image, of=QUICK)
    await desk.deploy("app:3", of=QUICK)
    await desk.result("app:3")
    await desk.deploy("app:4", **LONG)
    await until_step(desk, "monitor")
    await desk.release("app:5", of=QUICK, deploy={"on_busy": "supersede"})
    await desk.release("app:6", of=QUICK)


async def shifting(desk: Desk) -> None:
    """Traffic shifts: a good release whose PAUSE hooks are answered; a bad one in its bake time."""
    shifts(desk, "BLUE_GREEN", "POST_SCALE_UP", "POST_PRODUCTION_TRAFFIC_SHIFT")
    await desk.release("app:2", of=QUICK)
    shifts(desk, "LINEAR")
    desk.world.bad("app:3", after=2)
    await desk.release("app:3", **LONG)
    shifts(desk, "CANARY")
    await desk.release("app:4", of=QUICK)


async def paused(desk: Desk) -> None:
    """A PAUSE hook waits: for a person's approval, and for the rollback of a bad release."""
    shifts(desk, "BLUE_GREEN", "POST_PRODUCTION_TRAFFIC_SHIFT")
    desk.world.image("app:2", silent=frozenset({"error-rate"}))
    await desk.deploy("app:2", of=QUICK)
    await until_step(desk, "hold")
    await desk.say("approve")
    await desk.result("app:2")
    await asyncio.sleep(desk.world.bake.total_seconds() + 1)
    desk.world.bad("app:3", after=3)
    await desk.release("app:3", **LONG)


async def stopped(desk: Desk) -> None:
    """A rollout that is under way is stopped; and one that ECS gave up is updated."""
    desk.world.bad("app:2", after=1, rollout=timedelta(seconds=20))
    await desk.release("app:2", **LONG)
    desk.world.image("app:3", ends="failed")
    await desk.release("app:3", of=QUICK)


async def failing_rollback(desk: Desk) -> None:
    """The old version is bad, too, and so is the one before: told again until acknowledged."""
    await desk.release("app:2", of=QUICK)
    desk.world.service_deployments = False
    for image in ("app:1", "app:2"):
        desk.world.image(image, faults={"error-rate": Fault(timedelta(0))})
    for rollout in desk.world.rollouts:
        rollout.behaviour.faults = {}
    desk.world.bad("app:3", after=1)
    back = {"verify_timeout": "2s", "remind_every": "1s", "try_next_good": True}
    await desk.release("app:3", **LONG | {"rollback": back})
    await asyncio.sleep(3)
    await desk.say("acknowledge")


async def steered(desk: Desk) -> None:
    """Held, resumed, promoted; held, denied; frozen, unfrozen; adopted; cancelled in the queue."""
    await desk.say("adopt")
    await desk.deploy("app:2", **LONG)
    await until_step(desk, "monitor")
    await desk.say("hold")
    await until_step(desk, "hold")
    await desk.say("resume")
    await until_step(desk, "monitor")
    await desk.deploy("app:3", of=QUICK)
    await desk.say("cancel", release="app:3")
    await desk.say("promote")
    await desk.result("app:2")
    await desk.deploy("app:4", **LONG)
    await until_step(desk, "monitor")
    await desk.say("hold")
    await until_step(desk, "hold")
    await desk.say("deny")
    await desk.result("app:4")
    await desk.say("freeze")
    await desk.say("unfreeze")
    await desk.preflight("app:5", of=QUICK)
    await desk.deploy("app:6", **LONG)
    await until_step(desk, "monitor")
    await desk.say("cancel")
    await desk.result("app:6")


async def forced(desk: Desk) -> None:
    """What was rolled back is refused, and forced; the guard is lost and reads the tags."""
    desk.world.registry_answers = True
    desk.world.bad("app:2", after=1)
    await desk.release("app:2", **LONG)
    await desk.release("app:2", id="again", of=QUICK)
    await asyncio.sleep(1)  # the last change is written
    await desk.guard.terminate("its database is lost")
    await desk.release("app:2", id="and again", of=QUICK)
    desk.world.image("app:2")
    order = ReleaseOrder(
        id="forced",
        image="app:2",
        policy=policy(of=QUICK),
        actor="ann",
        force=True,
        reason="it was the database",
    )
    await desk.order(order)
    await desk.result("forced")


async def all_channels(desk: Desk) -> None:
    """Each channel, each kind of trigger, a window of the calendar."""
    smtp = {"host": "mail.example", "username": "env:USER", "password": "env:PASSWORD"}
    mail = {"from": "deploys@shop.example", "to": ["oncall@shop.example"]}
    balanced = {"load_balancer": "web", "target_group": "web"}
    changes = {
        "deploy": {"freeze": [{"days": ["sun"], "zone": "Europe/Berlin"}]},
        "triggers": [
            {"type": "error-rate", "duration": "1s", **balanced},
            {"type": "health-check", "url": "https://shop.example/health"},
            {"type": "alarm", "alarm": "web-5xx"},
        ],
        "notify": {
            "healthy": True,
            "email": {**mail, "via": "smtp", "smtp": smtp},
            "sns": {"topic_arn": "arn:aws:sns:eu-west-1:123456789012:deploys"},
            "webhook": {"url": "env:HOOK"},
        },
    }
    await desk.release("app:2", of=QUICK, **changes)


async def conversations(desk: Desk) -> None:
    """Threads and incidents: a rollback that fails, a hold, resumed and not; then all is good."""
    bot = {"token": "env:TOKEN", "channel": "C0123456789"}
    notify = {
        "slack": [{**bot, "at_least": "critical"}, bot],
        "pagerduty": {"routing_key": "env:KEY"},
        "teams": {"webhook_url": "env:TEAMS"},
    }
    desk.world.service_deployments = False
    desk.aws.recorded = True
    desk.world.image("app:1", faults={"error-rate": Fault(timedelta(0))})
    for rollout in desk.world.rollouts:
        rollout.behaviour.faults = {}
    desk.world.bad("app:2", after=1)
    back = {"verify_timeout": "2s", "remind_every": "2s", "cooldown": "0s"}
    await desk.release("app:2", **LONG | {"rollback": back, "notify": notify})
    await asyncio.sleep(3)
    await desk.say("acknowledge")
    desk.world.image("app:3", silent=frozenset({"error-rate"}))
    await desk.deploy("app:3", of=QUICK, rollback={"hold_for": "4s"}, notify=notify)
    await until_step(desk, "hold")
    await desk.say("resume")
    await desk.result("app:3")
    await desk.release("app:4", of=QUICK, notify=notify)
    await asyncio.sleep(2)


def shifts(desk: Desk, strategy: str, *pauses: str) -> None:
    """From now on the service shifts its traffic, and waits at these stages."""
    lasts = timedelta(hours=1)
    desk.world.bake, desk.world.pauses = timedelta(seconds=4), dict.fromkeys(pauses, lasts)
    hooks = [{"stages": [one], "pauses": True, "timeout": lasts} for one in pauses]
    desk.world.shape = {"strategy": strategy, "bake": desk.world.bake, "hooks": hooks}


async def checked(desk: Desk) -> None:
    """All triggers measured once."""
    await desk.check(of=QUICK)


async def drilled(desk: Desk) -> None:
    """Drills: begun by a schedule, by an alarm, and refused."""
    of = QUICK | {
        "triggers": [*QUICK["triggers"], {"type": "alarm", "alarm": "web-5xx"}],
        "monitor": {"window": "6s", "interval": "1s"},
    }
    allowed = policy(of=of, drill={"allowed": True, "alarms": ["web-5xx"]})
    drill = DrillOrder(after=timedelta(seconds=1))
    scheduled = ScheduledDrill(policy=allowed, drill=drill, actor="schedule of ann")
    await begun_by_schedule(desk, scheduled)
    by_alarm = drill.model_copy(update={"alarm": "web-5xx"})
    await desk.order(ReleaseOrder(id="d1", policy=allowed, actor="ann", drill=by_alarm))
    await desk.result("d1")
    await desk.say("freeze")
    with suppress(WorkflowFailureError):
        await begun_by_schedule(desk, scheduled)


async def begun_by_schedule(desk: Desk, scheduled: ScheduledDrill) -> None:
    """As a Temporal Schedule begins it."""
    await desk.client.execute_workflow(
        messages.DRILL,
        scheduled,
        id=messages.drill_id(SERVICE),
        task_queue=messages.TASK_QUEUE,
    )


async def examined(desk: Desk) -> None:
    """All that a release will need, with a test message."""
    await desk.examine(policy(of=QUICK), send_test=True)


async def listed(desk: Desk) -> None:
    """A namespace that has our search attributes: a release, held, rolled back; and a check."""
    desk.world.bad("app:2", after=1)
    await desk.deploy("app:2", of=QUICK, rollback={"enabled": False})
    await until_step(desk, "hold")
    await desk.say("deny")
    await desk.result("app:2")
    await desk.check(of=QUICK)


SCENARIOS: list[Callable[[Desk], Awaitable[None]]] = [
    healthy,
    rolled_back,
    rolled_back_by_ecs,
    held,
    held_to_the_end,
    cooldown,
    cooldown_lifted,
    operators,
    strangers,
    broken_off,
    orphaned,
    unreachable,
    queue,
    shifting,
    paused,
    stopped,
    failing_rollback,
    steered,
    forced,
    all_channels,
    conversations,
    checked,
    drilled,
    examined,
    listed,
]


async def group_in_order(desk: GroupDesk) -> None:
    """One is held and judged again, one is bad; the first one goes back."""
    await desk.start("good", "held", "bad", "good")
    await desk.until(lambda progress: progress.result is not None)
    await desk.guard("b").signal("resume")
    await desk.guard("b").signal("say", Outcome.HEALTHY)
    await desk.end()


async def group_at_once(desk: GroupDesk) -> None:
    """One is bad; others are healthy, under way, queued, refused."""
    await desk.start("good", "slow", "late", "queued", "refused", how="at-once")
    await desk.end()


async def group_undone(desk: GroupDesk) -> None:
    """One ends without a word, and is rolled back by an operator; and all are healthy."""
    await desk.start("silent", "slow")
    await desk.until_noted("shop/a is healthy")
    await desk.undo("a")
    await desk.end()
    await desk.release("good", "good", ident="r2")


async def group_preflight(desk: GroupDesk) -> None:
    """One may not begin; nothing is changed."""
    await desk.release("good", "unfit")


async def group_superseded(desk: GroupDesk) -> None:
    """One waits for a person, and a newer release comes."""
    await desk.start("good", "held")
    await desk.until(lambda progress: progress.result is not None)
    request = OperatorRequest(actor="ci", reason="a fix", release="r2")
    await desk.group.execute_update(messages.SUPERSEDE, request, result_type=Answer)
    await desk.end()


async def group_cancelled(desk: GroupDesk) -> None:
    """A person cancels it while one is under way."""
    await desk.start("slow", "good")
    await desk.until_noted("shop/a: release")
    request = OperatorRequest(actor="ann", reason="wrong ticket")
    await desk.group.execute_update(messages.CANCEL, request, result_type=Answer)
    await desk.end()


async def group_stuck(desk: GroupDesk) -> None:
    """One cannot go back, one may not."""
    await desk.start("good", "good", "slow", by_hand="a")
    await desk.until_noted("shop/c: release")
    await desk.guard("b").signal("be_unable")
    await desk.guard("c").signal("say", Outcome.ROLLED_BACK)
    await desk.end()


async def group_listed(desk: GroupDesk) -> None:
    """All are healthy."""
    await desk.release("good", "good")


GROUPS: list[Callable[[GroupDesk], Awaitable[None]]] = [
    group_in_order,
    group_at_once,
    group_undone,
    group_preflight,
    group_superseded,
    group_cancelled,
    group_stuck,
    group_listed,
]


async def until_step(desk: Desk, step: str) -> None:
    """Wait until the release has come to a step."""
    for _ in range(300):
        await asyncio.sleep(0.1)
        if await desk.is_at(step):
            return
    raise AssertionError(f"never came to {step}: {await desk.whereabouts()}")
