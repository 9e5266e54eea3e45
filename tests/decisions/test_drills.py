"""What a drill may, what it proves, and how it is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lastgood.contracts import (
    AlarmState,
    Alert,
    DrillOrder,
    GuardState,
    Limits,
    Notice,
    ReleaseOrder,
    RollbackReport,
    WatchedTrigger,
)
from lastgood.decisions import comparing, drills, notices, operators, routing
from lastgood.decisions.notices import NoticeContext
from lastgood.decisions.targets import Choice
from lastgood.messages import deployment_id, rollback_id
from lastgood.model import (
    ContainerImage,
    DrillSummary,
    EcsDeployment,
    Outcome,
    ReleaseResult,
    Revision,
    RollbackRecord,
    ServiceRef,
    ServiceState,
    Status,
    Verdict,
)
from lastgood.policy import NotifyPolicy, Policy

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
SERVICE = ServiceRef(region="eu-west-1", cluster="shop", name="web")
ARN = "arn:aws:ecs:eu-west-1:1:task-definition/web"
DIGEST = "sha256:" + "a" * 64
STATE = GuardState(service=SERVICE)
ALARMS = [{"type": "health-check"}, {"type": "alarm", "alarm": "web-5xx"}]


def order(*, alarm: str | None = None, after: float = 10, **more: Any) -> ReleaseOrder:
    given = {"allowed": True, "alarms": ["web-5xx"]}
    policy: dict[str, Any] = {"service": "shop/web", "region": "eu-west-1", "triggers": ALARMS}
    policy |= {"drill": given | more.pop("drill", {}), "rollback": more.pop("rollback", {})}
    drill = DrillOrder(after=timedelta(seconds=after), alarm=alarm)
    return ReleaseOrder(
        id="d1", actor="ann", policy=Policy.model_validate(policy), drill=drill, **more
    )


def rollback(ago: timedelta = timedelta(minutes=2)) -> RollbackRecord:
    return RollbackRecord(
        release="r1", started_at=NOW - ago, trigger="alarm", reason="", actor="lastgood", to=ARN
    )


def with_rollback(**more: Any) -> GuardState:
    return STATE.model_copy(update={"limits": Limits(rollbacks=(rollback(**more),))})


# --- Whether it may begin ----------------------------------------------------------------------


def test_drill_of_a_service_that_is_marked_may_begin() -> None:
    assert drills.refuse(order(), STATE, None, NOW) is None
    assert drills.refuse(order(alarm="web-5xx"), STATE, None, NOW) is None


def test_release_that_is_no_drill_is_none_of_its_business() -> None:
    release = ReleaseOrder(id="r1", image="app:1", actor="ci", policy=order().policy)

    assert drills.refuse(release, STATE, "r0", NOW) is None
    assert drills.begun(release) is None


@pytest.mark.parametrize(
    ("given", "busy", "state", "says"),
    [
        (order(drill={"allowed": False}), None, STATE, "drill.allowed"),
        (order(alarm="other"), None, STATE, "drill.alarms"),
        (order(after=600), None, STATE, "monitor.window"),
        (order(image="app:9"), None, STATE, "names no image"),
        (order(task_definition="web:9"), None, STATE, "names no image"),
        (order(group="group/eu-west-1/shop"), None, STATE, "names no image"),
        (order(force=True), None, STATE, "never forced"),
        (order(), "r7", STATE, "r7 is under way"),
        (order(rollback={"enabled": False}), None, STATE, "forbids automatic rollbacks"),
        (order(rollback={"max_rollbacks": 1}), None, with_rollback(), "The limit is reached"),
        (order(), None, with_rollback(), "drill it after 2026-01-31 12:03 UTC."),
        (order(rollback={"cooldown_then": "hold"}), None, with_rollback(), "The cooldown after"),
    ],
)
def test_drill_is_refused(
    given: ReleaseOrder, busy: str | None, state: GuardState, says: str
) -> None:
    assert says in (drills.refuse(given, state, busy, NOW) or "")


def test_drill_begins_again_after_the_cooldown() -> None:
    assert drills.refuse(order(), with_rollback(ago=timedelta(minutes=6)), None, NOW) is None


def test_drill_is_refused_while_a_failed_rollback_is_open() -> None:
    notice = notices.ended(context(drill=False), result=result(Outcome.ROLLBACK_FAILED))
    alert = Alert(
        release="r1",
        notice=notice,
        notify=NotifyPolicy(),
        every=timedelta(minutes=15),
        next_at=NOW,
    )
    state = STATE.model_copy(update={"alerts": (alert,)})

    assert "lastgood acknowledge shop/web" in (drills.refuse(order(), state, None, NOW) or "")


RUNNING = Revision(
    task_definition=f"{ARN}:1",
    images=(ContainerImage(container="app", image="app:1", digest=DIGEST),),
    source={
        "family": "web",
        "taskDefinitionArn": f"{ARN}:1",
        "containerDefinitions": [{"name": "app", "image": "app:1"}],
    },
)
TO_IT = Choice(target=RUNNING, reason="web:1 runs and is known to be good.")


def state(running: int = 2) -> ServiceState:
    primary = EcsDeployment(
        id="1", status="PRIMARY", task_definition=f"{ARN}:1", rollout_state="COMPLETED"
    )
    return ServiceState(
        arn="arn",
        status="ACTIVE",
        task_definition=f"{ARN}:1",
        desired=2,
        running=running,
        pending=0,
        deployments=(primary,),
    )


def alarm(**more: Any) -> AlarmState:
    return AlarmState.model_validate({"name": "web-5xx", "state": "OK"} | more)


def test_steady_service_whose_way_back_leads_to_what_runs_is_fit() -> None:
    assert drills.refuse_unfit(order(), state(), RUNNING, TO_IT, [alarm()]) is None


@pytest.mark.parametrize(
    ("running", "choice", "red", "says"),
    [
        (1, TO_IT, alarm(), "is not steady"),
        (2, Choice(target=None, reason="None was good."), alarm(), "a rollback would not"),
        (
            2,
            Choice(target=RUNNING.model_copy(update={"task_definition": "web:0"}), reason="Old."),
            alarm(),
            "a rollback would not: Old.",
        ),
        (2, TO_IT, alarm(state="ALARM"), "something is wrong already"),
        (2, TO_IT, alarm(composite=True), "a composite one"),
        (2, TO_IT, alarm(state="INSUFFICIENT_DATA"), "not OK"),
    ],
)
def test_service_in_no_state_for_a_drill(
    running: int, choice: Choice, red: AlarmState, says: str
) -> None:
    given = order(alarm="web-5xx")

    assert says in (drills.refuse_unfit(given, state(running), RUNNING, choice, [red]) or "")


def test_alarm_that_a_drill_does_not_set_may_be_without_data() -> None:
    silent = alarm(state="INSUFFICIENT_DATA", composite=True)

    assert drills.refuse_unfit(order(), state(), RUNNING, TO_IT, [silent]) is None


def test_scheduled_drill_obeys_the_policy_of_a_later_release() -> None:
    made = order()
    assert made.drill
    made = made.model_copy(update={"drill": made.drill.model_copy(update={"scheduled_at": NOW})})
    later = result(Outcome.HEALTHY, started_at=NOW + timedelta(hours=1))
    earlier = result(Outcome.HEALTHY, started_at=NOW - timedelta(hours=1))
    forbids = order(drill={"allowed": False}).policy

    def obeyed(*results: ReleaseResult) -> bool:
        known = STATE.model_copy(update={"policy": forbids, "results": results})
        return drills.with_newest_policy(made, known).policy.drill.allowed

    assert not obeyed(later)
    assert obeyed(earlier)
    assert obeyed(later.model_copy(update={"drill": DrillSummary()}), earlier)
    by_hand = later.model_copy(update={"workflow_id": rollback_id(SERVICE)})
    assert obeyed(by_hand, earlier), "an operator's rollback brings no policy"


# --- What it releases --------------------------------------------------------------------------


def test_it_releases_the_digest_that_runs() -> None:
    again = drills.same_again(RUNNING)

    assert again["containerDefinitions"] == [{"name": "app", "image": f"app:1@{DIGEST}"}]
    assert again["tags"] == [{"key": "lastgood:copy-of", "value": f"{ARN}:1"}]
    assert "taskDefinitionArn" not in again


def test_where_no_digest_is_known_it_releases_what_is_named() -> None:
    bare = RUNNING.model_copy(update={"images": ()})

    assert drills.same_again(bare)["containerDefinitions"] == [{"name": "app", "image": "app:1"}]


@pytest.mark.parametrize("verb", ["promote", "approve"])
def test_it_is_not_taken_for_good(verb: Any) -> None:
    assert "is a drill" in (operators.refuse_in_drill(verb, "d1") or "")


@pytest.mark.parametrize("verb", ["hold", "resume", "deny", "cancel", "rollback"])
def test_it_is_steered_like_any_release_otherwise(verb: Any) -> None:
    assert operators.refuse_in_drill(verb, "d1") is None


# --- What it proves ----------------------------------------------------------------------------


def report(outcome: Outcome = Outcome.ROLLED_BACK, *, verified: bool = True) -> RollbackReport:
    return RollbackReport(
        outcome=outcome,
        reason="Brought shop/web back to web:1.",
        to=f"{ARN}:1",
        started_at=NOW + timedelta(seconds=2),
        steady_at=NOW + timedelta(seconds=32),
        finished_at=NOW + timedelta(seconds=44),
        verified=verified,
    )


def fired(trigger: str, key: str | None = None) -> Verdict:
    return Verdict(trigger=trigger, key=key, status=Status.FAIL, reason="It was bad", at=NOW)


WATCHED = [
    WatchedTrigger(key=f"{number} {one.type}", trigger=one)
    for number, one in enumerate(order().policy.triggers)
]


def proved(given: ReleaseOrder, *what: Any, flaw: str | None = None) -> DrillSummary:
    found = drills.proved(given, *what, WATCHED, marked_at=NOW, flaw=flaw)
    assert found
    return found


def test_mark_and_rollback_and_proof_are_measured() -> None:
    told = proved(order(), report(), drills.verdict(order(), NOW))

    assert (told.passed, told.why_not) == (True, None)
    assert told.seconds == {"detection": 2.0, "rollback": 30.0, "verify": 12.0, "all": 44.0}


def test_only_the_alarm_that_was_set_passes_a_drill_by_alarm() -> None:
    by_alarm = order(alarm="web-5xx")

    assert proved(by_alarm, report(), fired("alarm", "1 alarm")).passed
    assert not proved(by_alarm, report(), fired("alarm", "7 alarm")).passed
    assert not proved(by_alarm, report(), fired("health-check", "0 health-check")).passed


@pytest.mark.parametrize(
    ("told", "mark", "flaw", "says"),
    [
        (report(), fired("error-rate"), None, "error-rate fired: It was bad"),
        (report(), None, None, "no trigger fired"),
        (report(), fired("drill"), "The alarm could not be set.", "could not be set"),
        (report(Outcome.ROLLBACK_FAILED, verified=False), fired("drill"), None, "Brought"),
        (report(Outcome.ROLLED_BACK_BY_ECS), fired("drill"), None, "Brought"),
    ],
)
def test_drill_that_did_not_go_as_ordered_has_not_passed(
    told: RollbackReport, mark: Verdict | None, flaw: str | None, says: str
) -> None:
    found = proved(order(), told, mark, flaw=flaw)

    assert not found.passed
    assert says in (found.why_not or "")


def test_time_that_was_not_measured_is_not_told() -> None:
    lost = report(Outcome.ROLLBACK_FAILED, verified=False).model_copy(update={"steady_at": None})
    found = drills.proved(order(), lost, None, WATCHED, marked_at=None, flaw=None)
    assert found
    assert found.seconds == {}


# --- What is remembered ------------------------------------------------------------------------


def result(outcome: Outcome, drill: DrillSummary | None = None, **more: Any) -> ReleaseResult:
    known: dict[str, Any] = {
        "release": "d1",
        "workflow_id": deployment_id(SERVICE),
        "run_id": "r",
        "service": "shop/web",
        "outcome": outcome,
        "reason": "It was so.",
        "to_task_definition": f"{ARN}:2",
        "started_at": NOW - timedelta(minutes=1),
        "finished_at": NOW,
        "drill": drill,
    }
    return ReleaseResult(**known | more)


PASSED = DrillSummary(passed=True, seconds={"all": 44.0, "rollback": 30.0})
FAILED = DrillSummary(why_not="web:1 did not become steady.")


def test_only_a_drill_that_moved_the_service_is_remembered() -> None:
    passed, failed = result(Outcome.ROLLED_BACK, PASSED), result(Outcome.ROLLBACK_FAILED, FAILED)
    refused = result(Outcome.REFUSED, DrillSummary(), to_task_definition=None)

    known = drills.remembered(drills.remembered(STATE, passed), failed)

    assert (known.last_drill, known.last_passed_drill) == (failed, passed)
    assert drills.remembered(known, refused) == known
    assert drills.remembered(known, result(Outcome.HEALTHY)) == known


def test_time_of_a_drill_that_passed_is_normal() -> None:
    assert comparing.troubled([result(Outcome.ROLLED_BACK, PASSED)]) == ()
    assert len(comparing.troubled([result(Outcome.ROLLED_BACK, FAILED)])) == 1
    assert len(comparing.troubled([result(Outcome.ROLLED_BACK)])) == 1


# --- How it is told ----------------------------------------------------------------------------


def context(*, drill: bool = True) -> NoticeContext:
    return NoticeContext(
        service="shop/web",
        release="d1",
        what="what runs",
        actor="ann",
        drill=DrillSummary() if drill else None,
        max_rollbacks=3,
        per=timedelta(hours=24),
        at=NOW,
    )


def ended(outcome: Outcome, drill: DrillSummary) -> Notice:
    return notices.ended(context(), result=result(outcome, drill))


def test_every_notice_begins_with_drill_and_none_is_critical() -> None:
    told = [ended(one, FAILED) for one in Outcome if one is not Outcome.HEALTHY]
    told += [ended(Outcome.ROLLED_BACK, PASSED), notices.held(context(), reason="so it is")]
    told.append(notices.rollback_started(context(), reason="marked bad"))

    assert all(one.title.startswith("DRILL") for one in told)
    assert all(one.summary.startswith("This is a drill") for one in told)
    assert {one.severity for one in told} == {"healthy", "warning"}
    assert not any({"Severity", "Rollbacks"} & dict(one.facts).keys() for one in told)


def test_drill_that_passed_is_as_good_news_as_a_healthy_release() -> None:
    told = ended(Outcome.ROLLED_BACK, PASSED)

    assert (told.severity, told.title) == (
        "healthy",
        "DRILL passed: shop/web goes back in 44s, and that is proved",
    )
    assert dict(told.facts)["Drill: rollback"] == "30s"
    assert told.dedup == "d1/ended"


def test_drill_that_failed_says_why_and_what_to_do() -> None:
    told = ended(Outcome.ROLLBACK_FAILED, FAILED)

    assert told.severity == "warning"
    assert "web:1 did not become steady." in told.summary
    assert "lastgood explain d1 --service shop/web" in told.summary
    assert "acknowledge" not in told.summary


def test_drill_that_was_refused_says_why_and_asks_for_no_release() -> None:
    told = ended(Outcome.REFUSED, DrillSummary())

    assert (told.title, told.severity) == ("DRILL refused: shop/web", "warning")
    assert told.summary == "This is a drill that proved nothing. It was so."


def test_no_drill_opens_an_incident() -> None:
    pager = {"pagerduty": {"routing_key": "env:PAGER"}, "slack": {"webhook_url": "env:SLACK"}}
    notify = NotifyPolicy.model_validate(pager)
    ways = {
        drill: [one.way for one in routing.messages_of(_failure(drill=drill), notify, {})]
        for drill in (False, True)
    }
    assert ways == {False: ["slack", "incident"], True: ["slack"]}


def _failure(*, drill: bool) -> Notice:
    summary = FAILED if drill else None
    told = result(Outcome.ROLLBACK_FAILED, summary)
    return notices.ended(context(drill=drill), result=told)


def test_real_release_is_told_as_ever() -> None:
    told = notices.ended(context(drill=False), result=result(Outcome.ROLLBACK_FAILED))

    assert (told.severity, "DRILL" in told.title) == ("critical", False)
