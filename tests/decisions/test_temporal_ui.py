"""What Temporal's UI shows: text from outside stays text, the verdict comes first, all is small."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastgood.contracts import (
    CheckReport,
    CurrentRelease,
    Examination,
    Freeze,
    GroupOrder,
    GroupProgress,
    Member,
    Overview,
    Progress,
    ReleaseOrder,
    RollbackOrder,
    RollbackReport,
    Step,
    Tally,
    WatchedTrigger,
)
from lastgood.decisions.examining.lines import broken, fine
from lastgood.decisions.rendering.temporal_ui import places
from lastgood.decisions.rendering.temporal_ui.check import check_details, check_now
from lastgood.decisions.rendering.temporal_ui.doctor import doctor_details, doctor_now
from lastgood.decisions.rendering.temporal_ui.group import GroupNow, group_details, group_now
from lastgood.decisions.rendering.temporal_ui.guard import GuardNow, guard_details, guard_now
from lastgood.decisions.rendering.temporal_ui.markdown import (
    MOST,
    bullets,
    code,
    link,
    summary,
    table,
    text,
    whole,
)
from lastgood.decisions.rendering.temporal_ui.release import (
    Place,
    ReleaseNow,
    release_details,
    release_now,
)
from lastgood.decisions.rendering.temporal_ui.rollback import (
    RollbackNow,
    rollback_details,
    rollback_now,
)
from lastgood.model import (
    ContainerImage,
    Outcome,
    Reading,
    ReleaseResult,
    Revision,
    ServiceRef,
    Status,
    Verdict,
)
from lastgood.policy import Policy

NOW = datetime(2026, 1, 31, 3, 12, 45, tzinfo=UTC)
SERVICE = ServiceRef(region="eu-west-1", cluster="shop", name="web")
PLACE = Place(namespace="default", workflow_id="release/eu-west-1/shop/web", run_id="run-1")
AT_HOME = PLACE.model_copy(update={"ui": "http://temporal.example.com"})
ARN = "arn:aws:ecs:eu-west-1:123456789012:task-definition/web"
OLD = Revision(
    task_definition=f"{ARN}:41", images=(ContainerImage(container="app", image="shop/web:1.2"),)
)
NEW = Revision(
    task_definition=f"{ARN}:42", images=(ContainerImage(container="app", image="shop/web:1.3"),)
)
POLICY = Policy.model_validate(
    {
        "service": "shop/web",
        "region": "eu-west-1",
        "triggers": [
            {"type": "error-rate", "threshold": "5%"},
            {"type": "response-time"},
            {"type": "health-check", "url": "https://shop.example/health"},
            {"type": "alarm", "alarm": "web 5xx/é"},
            {"type": "regression", "dry_run": True},
            {"type": "band", "metric": {"namespace": "Shop", "name": "Queue|Depth"}},
        ],
    }
)
ORDER = ReleaseOrder(id="2.4.0", image="shop/web:1.3", policy=POLICY, actor="octocat")
WATCHED = tuple(
    WatchedTrigger(key=f"{number} {one.type}", trigger=one)
    for number, one in enumerate(POLICY.triggers)
)
EVIL = '<img src=x onerror=alert(1)> [click](http://evil.example) **now** `x` | $a$ --x <!-- "'
FAILED = Verdict(
    trigger="error-rate",
    key="0 error-rate",
    status=Status.FAIL,
    reason="8.0 % of requests failed for 60s",
    at=NOW,
    value=0.08,
    threshold=0.05,
)


def spaced(shown: str) -> list[str]:
    """The lines as they are read, whatever kind of space holds their words apart."""
    return [" ".join(line.split()) for line in shown.splitlines()]


def result(outcome: Outcome, reason: str = "8.0 % of requests failed.") -> ReleaseResult:
    return ReleaseResult(
        release="2.4.0",
        workflow_id="x",
        run_id="y",
        service="shop/web",
        outcome=outcome,
        reason=reason,
        finished_at=NOW,
        actor="octocat",
    )


def progress(*steps: Step, **more: object) -> Progress:
    return Progress.model_validate(
        {
            "release": "2.4.0",
            "service": "shop/web",
            "what": "shop/web:1.3",
            "step": steps[-1].name if steps else "preflight",
            "steps": steps,
            "notes": ("Rollback target: it ran steadily.",),
            **more,
        }
    )


MONITOR = Step(name="monitor", started_at=NOW, text="until 03:22:45 UTC")


def now(of: Progress, **more: object) -> ReleaseNow:
    return ReleaseNow.model_validate(
        {
            "place": PLACE,
            "service": SERVICE,
            "progress": of,
            "running": OLD,
            "released": NEW,
            "target": OLD,
            "triggers": WATCHED,
            "at": NOW,
            **more,
        }
    )


# --- Markdown ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("a *b* _c_ `d`", r"a \*b\* \_c\_ \`d\`"),
        ("<b>x</b>", r"\<b\>x\</b\>"),
        ("[x](https://e.example)", r"\[x\](https\://e.example)"),
        ("a | b", r"a \| b"),
        ("--reason", r"\--reason"),
        ("$5 and $6", r"\$5 and \$6"),
        ("mailto:a@b.c", r"mailto\:a@b.c"),
        ("two\nlines\x1b[31m", "two lines"),
        ("1. x", r"1\. x"),
        ("- x", r"\- x"),
        ("5 % for 1m, 2.4.0: fine!", "5 % for 1m, 2.4.0: fine!"),
    ],
)
def test_text_from_outside_shows_as_it_is_written(written: str, shown: str) -> None:
    assert text(written) == shown


@given(st.text(max_size=300))
def test_no_text_makes_html_a_link_or_a_cell(written: str) -> None:
    shown = text(written)
    for character in "<>`[]|*_$":
        bare = shown.replace("\\\\", "").replace(f"\\{character}", "")
        assert character not in bare
    assert "\n" not in shown


@given(st.text(max_size=300))
def test_no_name_leaves_its_code_span(written: str) -> None:
    assert code(written).strip("`").count("`") == 0


def test_only_a_whole_web_address_is_a_link() -> None:
    assert link("CI", "https://ci.example/1?a=b") == "[CI](https://ci.example/1?a=b)"
    for address in ("javascript:alert(1)", "/namespaces/x", "https://a b", "https://a)[b](c"):
        assert link("CI", address) == "CI"


@given(st.text(max_size=600))
def test_summary_is_one_short_line(written: str) -> None:
    line = summary(written)
    assert "\n" not in line
    assert len(line.encode()) <= 400


def test_summary_of_wide_characters_is_short_too() -> None:
    assert len(summary("\U0001f600" * 500).encode()) <= 400


def test_what_does_not_fit_is_left_out_by_whole_lines_and_said() -> None:
    shown = whole(bullets(f"line {number} {'x' * 80}" for number in range(200)))

    assert len(shown) <= MOST
    assert shown.splitlines()[-1].startswith("- … more does not fit")


def test_table_without_rows_is_none() -> None:
    assert table(("a", "b"), []) == []


# --- Places ------------------------------------------------------------------------------------


def test_place_is_a_link_only_where_the_ui_is_known() -> None:
    known = AT_HOME.other("Guard", "service/eu-west-1/shop/web")
    expected = "http://temporal.example.com/namespaces/default/workflows/"
    assert known == f"[Guard]({expected}service%2Feu-west-1%2Fshop%2Fweb)"
    assert PLACE.other("Guard", "service/x") == "Guard: `service/x`"
    tab = AT_HOME.tab("Pending Activities", "pending-activities")
    assert tab.endswith("release%2Feu-west-1%2Fshop%2Fweb/run-1/pending-activities)")
    assert PLACE.tab("Pending Activities", "pending-activities") == "Pending Activities"


@pytest.mark.parametrize(
    ("region", "domain"),
    [
        ("eu-west-1", "eu-west-1.console.aws.amazon.com"),
        ("cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
    ],
)
def test_console_of_each_partition(region: str, domain: str) -> None:
    service = SERVICE.model_copy(update={"region": region})

    assert f"https://{domain}/ecs/v2/clusters/shop/services/web/" in places.ecs_console(service)


def test_alarm_is_found_in_the_console_by_its_escaped_name() -> None:
    shown = places.alarm_console("eu-west-1", "web 5xx/é")

    assert shown.endswith("#alarmsV2:alarm/web$25205xx$252F$25C3$25A9)")


def test_command_never_holds_what_a_shell_would_read_otherwise() -> None:
    assert places.command("explain", "2.4.0") == "`lastgood explain 2.4.0`"
    assert places.command("explain", "$(rm -rf ~)") == "`lastgood explain …`"


# --- A release ---------------------------------------------------------------------------------


def test_details_say_what_where_by_whom_and_from_where() -> None:
    order = ORDER.model_copy(update={"ci_url": "https://ci.example/7", "force": True})
    shown = release_details(order, SERVICE)

    for words in ("`2.4.0`", "`shop/web:1.3`", "`shop/web`", "octocat", "https://ci.example/7"):
        assert words in shown
    assert "**Forced**: no reason given" in shown


def test_each_trigger_has_a_row_with_its_limit_before_anything_is_measured() -> None:
    shown = release_now(now(progress(MONITOR)))

    rows = [line for line in spaced(shown) if line.startswith("| ")]
    assert len(rows) == 1 + len(WATCHED)
    assert all("nothing reported yet" in row for row in rows[1:])
    for words in ("5 % for 1m", "1s for 1m", "3 failed in a row", "in ALARM", "(dry run)"):
        assert any(words in row for row in spaced(shown))
    assert "healthy" not in shown


def test_latest_values_stand_in_the_table() -> None:
    seen = Tally(
        key="0 error-rate",
        latest="error-rate 0.3 % (threshold 5.0 %)",
        reading=Reading.HEALTHY,
    )
    blind = Tally(key="1 response-time", latest="no data", reading=Reading.NO_DATA)
    shown = release_now(now(progress(MONITOR), tallies=(seen, blind)))

    rows = spaced(shown)
    assert "| error-rate | 5 % for 1m | 0.3 % | healthy |" in rows
    assert "| response-time | 1s for 1m | no data | no data |" in rows
    assert "Live values, a few seconds old: Pending Activities" in shown


def test_what_fired_is_seen_with_its_number() -> None:
    back = Step(name="roll back", started_at=NOW, text="web:41")
    shown = release_now(now(progress(MONITOR, back), verdicts=(FAILED,)))

    assert shown.startswith("**roll back** since 03:12:45 UTC: **Goes back** web:41")
    assert "| error-rate | 5 % for 1m | 8.0 % | **FAIL** |" in spaced(shown)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_verdict_comes_first(outcome: Outcome) -> None:
    ended = MONITOR.model_copy(update={"finished_at": NOW + timedelta(minutes=10)})
    shown = release_now(now(progress(ended, result=result(outcome))))

    first, *rest = shown.splitlines()
    assert first.startswith("**")
    assert "8.0 % of requests failed." in first
    assert "Steps: monitor 10m" in rest
    assert "Live values" not in shown


def test_held_release_says_that_a_person_is_waited_for_and_what_to_type() -> None:
    hold = Step(name="hold", started_at=NOW)
    shown = release_now(now(progress(hold, held=True, result=result(Outcome.HELD))))

    assert shown.startswith("**HELD for a person**: 8.0 % of requests failed.")
    assert 'lastgood approve shop/web --reason "…"' in shown


def test_nothing_from_outside_is_markup_anywhere() -> None:
    ended = progress(MONITOR, result=result(Outcome.ROLLED_BACK, EVIL), notes=(EVIL,))
    seen = Tally(key="0 error-rate", latest=EVIL, reading=Reading.ERROR)
    order = ORDER.model_copy(update={"id": EVIL, "actor": EVIL, "image": EVIL, "ci_url": EVIL})
    shown = [
        release_now(now(ended, tallies=(seen,), target_reason=EVIL)),
        release_details(order, SERVICE),
        rollback_details(rollback(reason=EVIL, actor=EVIL, release=EVIL)),
        rollback_now(RollbackNow(place=PLACE, order=rollback(), calls=(EVIL,))),
        guard_now(guard(frozen=Freeze(at=NOW, actor=EVIL, reason=EVIL))),
        guard_now(guard(results=(result(Outcome.HEALTHY, EVIL),))),
        check_now(CheckReport(service="shop/web", verdicts=(), warnings=(EVIL,))),
    ]

    for one in shown:
        without = one.replace("`" + EVIL.replace("`", "'") + "`", "")  # as code it is text
        assert "<img" not in without.replace("\\<img", "")
        assert "](http://evil" not in without
        assert "**now**" not in without.replace("\\*", "")


# --- Others ------------------------------------------------------------------------------------


def rollback(**more: object) -> RollbackOrder:
    return RollbackOrder.model_validate(
        {
            "service": SERVICE,
            "release": "2.4.0",
            "target": OLD,
            "from_task_definition": f"{ARN}:42",
            "policy": POLICY,
            "fired": FAILED,
            **more,
        }
    )


def test_rollback_says_from_what_to_what_why_and_for_whom() -> None:
    shown = rollback_details(rollback(actor="ann", reason="checkout is broken"))

    for words in ("back to `web:41` (`shop/web:1.2`)", "from `web:42`", "ann", "is broken"):
        assert words in shown


@pytest.mark.parametrize(
    ("outcome", "verified", "begins"),
    [
        (Outcome.ROLLED_BACK, True, "**verified**: Brought it back."),
        (Outcome.ROLLBACK_FAILED, False, "**THE ROLLBACK FAILED**: Brought it back."),
        (Outcome.SUPERSEDED, False, "**superseded**: Brought it back."),
    ],
)
def test_rollbacks_verdict_comes_first(outcome: Outcome, verified: bool, begins: str) -> None:
    report = RollbackReport(
        outcome=outcome,
        reason="Brought it back.",
        to=OLD.task_definition,
        started_at=NOW,
        finished_at=NOW,
        verified=verified,
    )
    shown = rollback_now(RollbackNow(place=PLACE, order=rollback(), report=report))

    assert shown.startswith(begins)
    assert "8.0 %" in shown


def guard(**more: object) -> GuardNow:
    overview = {
        "service": "shop/web",
        "current": None,
        "queued": (),
        "last_known_good": OLD,
        "rollbacks_counted": 1,
        "max_rollbacks": 3,
        "cooldown_until": None,
        "results": (),
        "rollbacks": (),
        "actions": (),
        **more,
    }
    return GuardNow(place=PLACE, service=SERVICE, overview=Overview.model_validate(overview))


def test_guard_says_what_runs_what_waits_and_what_is_good() -> None:
    current = CurrentRelease(
        release="2.4.0", what="web:1.3", workflow_id="release/x", run_id="r", actor="ann", since=NOW
    )
    shown = guard_now(guard(current=current, queued=("2.5.0",)))

    assert shown.startswith(
        "**Release under way**: `2.4.0` of `web:1.3` since 03:12:45 UTC, by ann"
    )
    for words in ("queued: `2.5.0`", "last known good: `web:41`", "1 of 3"):
        assert words in shown
    assert guard_now(guard()).startswith("**Idle**")
    assert "no work that hangs" in guard_details(SERVICE)


def test_guard_says_first_what_needs_a_person() -> None:
    frozen = Freeze(at=NOW, actor="ann", reason="sale", until=NOW + timedelta(hours=1))
    shown = guard_now(guard(alerts=("2.4.0",), frozen=frozen)).splitlines()

    assert shown[0].startswith("**ROLLBACK FAILED** (2.4.0)")
    assert shown[1] == "**Frozen** until 2026-01-31 04:12 UTC by ann: sale"


def test_group_lists_its_members_with_what_became_of_them() -> None:
    order = GroupOrder(
        id="g1",
        group="shop",
        region="eu-west-1",
        order="in-order",
        members=(ORDER,),
        what="app:2",
        actor="ann",
    )
    members = (
        Member(service=SERVICE, release="a", asked=True, result=result(Outcome.ROLLED_BACK)),
        Member(service=SERVICE, release="b", asked=True, leaving=True),
        Member(service=SERVICE, release="c"),
    )
    state = GroupProgress(release="g1", group="shop", members=members, notes=(), started_at=NOW)
    shown = group_now(GroupNow(place=PLACE, progress=state))

    assert "one after the other" in group_details(order)
    assert shown.startswith("**Under way**: 1 of 3 have ended")
    for words in ("rolled back: 8.0 %", "**goes back**", "not begun"):
        assert words in shown


@pytest.mark.parametrize(
    ("status", "begins"),
    [
        (Status.FAIL, "**A release would be ROLLED BACK**"),
        (Status.INCONCLUSIVE, "**Inconclusive"),
        (Status.PASS, "**A release would not be rolled back**"),
    ],
)
def test_check_says_what_a_release_would_meet(status: Status, begins: str) -> None:
    verdict = FAILED.model_copy(update={"status": status})
    shown = check_now(CheckReport(service="shop/web", verdicts=(verdict,)))

    assert shown.startswith(begins)
    assert "Nothing is changed" in check_details(SERVICE)


def test_all_of_it_is_small_however_much_there_is() -> None:
    many = tuple(f"{number} {'x' * 400}" for number in range(500))
    order = ORDER.model_copy(update={"image": "x" * 5000, "actor": "y" * 5000})
    shown = [
        release_now(now(progress(*[MONITOR] * 300, notes=many), target_reason="z" * 9000)),
        release_details(order, SERVICE),
        rollback_now(RollbackNow(place=PLACE, order=rollback(), calls=many)),
        guard_now(guard(queued=many, results=(result(Outcome.HEALTHY, "x" * 9000),) * 50)),
    ]

    assert all(len(one) <= MOST for one in shown)


def test_an_examination_shows_what_is_not_fine_and_what_to_do() -> None:
    service = ServiceRef(region="eu-west-1", cluster="shop", name="web")
    assert "`shop/web`" in doctor_details(service)
    assert doctor_now(None) == "**Reads** what a release will need"
    found = Examination(
        subject="shop/web",
        where="eu-west-1",
        lines=(
            fine("service", "shop/web", "2 of 2 tasks run"),
            broken("triggers", "4 alarm [x](y)", "does not exist", "Create the alarm."),
        ),
    )
    said = doctor_now(found)
    assert said.startswith("**Not ready**: 1 broken, 1 fine")
    assert "**broken** 4 alarm \\[x\\](y): does not exist → Create the alarm." in said
    assert "2 of 2" not in said
