"""The page of a release: from real releases, whole, escaped, and without anything to fetch."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from importlib.util import find_spec

import pytest

from lastgood.contracts import GroupProgress, GroupResult, Member
from lastgood.model import Action, ChannelFailure, Outcome, ReleaseResult, ServiceRef
from lastgood.plots import canvas
from lastgood.policy_notify import NotifyPolicy
from lastgood.report import facts, grouped, page, telling
from lastgood.report.parts import Page, ReleasePart
from tests.decisions.told import recorded_release

VOID = {"meta", "br", "hr", "img", "input", "link"}
SVG_VOID = {"path", "use", "line", "rect"}
NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
SCRIPT = "<script>alert(1)</script>"


class Reader(HTMLParser):
    """Sees that what is opened is closed, and collects what a browser would act on."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.ids: Counter[str] = Counter()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        self.tags[tag] += 1
        if tag not in VOID:
            self.open.append(tag)
        self._look(tag, attrs)

    def handle_startendtag(self, tag, attrs) -> None:
        self.tags[tag] += 1
        self._look(tag, attrs)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag, (tag, self.getpos())

    def _look(self, tag, attrs) -> None:
        given = dict(attrs)
        if "id" in given:
            self.ids[given["id"]] += 1
        for name, value in given.items():
            if name == "href" and tag == "a":
                self.links.append(value)
            elif name in ("src", "href", "srcset", "data", "poster", "action"):
                self.fetched.append(value)
            elif name.startswith("on"):
                self.handlers.append(name)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def written(part: ReleasePart, *, plots: bool | None = None, **more) -> str:
    return page.html(
        Page(title=part.title, lead=part, command="lastgood report x", **more), plots=plots
    )


def part_of(name: str, **changes) -> ReleasePart:
    service, told, result = recorded_release(name)
    told = told.model_copy(update=changes.pop("told", {}))
    result = result.model_copy(update=changes.pop("result", {})) if result else None
    return telling.of_release(service, told, result, NOW)


def words(text: str) -> str:
    body = text[text.index("<body>") :]
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


# --- A rollback ----------------------------------------------------------------------------------


def test_the_verdict_comes_first_then_why_then_the_timeline_then_the_rest() -> None:
    told = words(written(part_of("rolled_back"), plots=False))
    order = [
        "rolled back Release report shop/shop: release 3.0 was rolled back",
        "Error rate exceeded threshold: error-rate 36.8 % over 5s (threshold 5.0 %)",
        "Brought shop/shop back to shop:2. Verified:",
        "error-rate fired",
        "5 measurements in words",
        "asked for by ann@ci",
        "revision shop:2 → shop:3",
        "to shop:2 in 8.8s, verified",
        "Timeline",
        "Asked for: shop:3.0-errors-0.4 by ann@ci",
        "UpdateService: shop/shop → shop:3",
        "Decided: roll back",
        "The limits allow it.",
        "Verified on shop:2",
        "Ended: rolled back",
        "The other triggers regression dry run",
        "Had not concluded: response-time, health-check, band.",
        "Who did what Nobody but Lastgood.",
        "0 of 3 rollbacks in 24h before it",
        "Calls to AWS",
        "workflow release/us-east-1/shop/shop",
    ]
    places = [told.find(text) for text in order]
    assert -1 not in places, order[places.index(-1)]
    assert places == sorted(places)


@pytest.mark.skipif(
    find_spec("matplotlib") is None,
    reason="matplotlib is an extra, for pictures only: pip install 'lastgood[plots]' removes this",
)
@pytest.mark.parametrize("name", ["rolled_back", "healthy"])
def test_it_is_whole_and_fetches_nothing(name: str) -> None:
    text = written(part_of(name))
    reader = read(text)
    assert reader.tags["svg"] >= 4, "each picture for a desk and for a phone"
    assert reader.tags["script"] == reader.tags["img"] == reader.tags["link"] == 0
    assert reader.handlers == []
    assert all(one.startswith("#") for one in reader.fetched)
    assert [n for n, count in reader.ids.items() if count > 1] == []
    assert all(one.startswith("https://us-east-1.console.aws.amazon.com/") for one in reader.links)
    assert "default-src 'none'" in text
    assert re.findall(r"url\((?!#)", text) == []
    assert "@import" not in text
    colours = set(re.findall(r"var\((--[a-z]+)\)", text))
    assert colours <= set(re.findall(r"(--[a-z]+):", text)), "each colour is defined"
    assert "prefers-color-scheme: dark" in text
    assert len(text) < 400_000


def test_a_call_stands_with_the_step_that_made_it_though_only_its_second_is_known() -> None:
    told = [(one.what, one.minor) for one in part_of("rolled_back").events]
    assert told[:6] == [
        ("Asked for: shop:3.0-errors-0.4", False),
        ("Preflight", False),
        ("Deploys", False),
        ("RegisterTaskDefinition: shop:3", True),
        ("UpdateService: shop/shop → shop:3", True),
        ("Waits for the rollout", False),
    ]
    assert told[-5:] == [
        ("Decided: roll back", False),
        ("Rolls back: shop:2", False),
        ("UpdateService to shop:2", True),
        ("Verified on shop:2", False),
        ("Ended: rolled back", False),
    ]


def test_the_steps_are_bars_on_one_line_of_time() -> None:
    phases = part_of("rolled_back").phases
    assert [one.name for one in phases] == [
        *("preflight", "deploy", "wait", "smoke test", "monitor", "roll back"),
    ]
    assert phases[0].left == 0
    assert phases[-1].left + phases[-1].width == pytest.approx(100, abs=0.1)
    assert phases[-1].took == "8.9s"


# --- Text from outside ---------------------------------------------------------------------------


def test_what_people_typed_is_text_and_no_html() -> None:
    action = Action(at=NOW, actor=SCRIPT, verb="hold", reason='"><img src=x onerror=alert(1)>')
    service, told, result = recorded_release("rolled_back")
    release = told.release.model_copy(
        update={"actor": SCRIPT, "image": f"shop:{SCRIPT}", "ci_url": "javascript:alert(1)"}
    )
    notes = ("\x1b[31mred\x1b[0m \u202egnp.exe",)
    progress = told.progress.model_copy(update={"notes": notes, "release": SCRIPT})
    told = told.model_copy(update={"release": release, "progress": progress, "actions": (action,)})
    failed = ChannelFailure(channel="slack", error=SCRIPT, at=NOW)
    result = result.model_copy(update={"reason": SCRIPT, "notification_failures": (failed,)})
    text = written(telling.of_release(service, told, result, NOW), plots=False)
    reader = read(text)
    assert reader.tags["script"] == reader.tags["img"] == 0
    assert not any("javascript:" in one for one in reader.links)
    assert text.count("&lt;script&gt;") >= 5
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_link_to_the_ci_job_is_kept() -> None:
    service, told, result = recorded_release("healthy")
    release = told.release.model_copy(update={"ci_url": "https://ci.example.com/run/7?a=1&b=2"})
    told = told.model_copy(update={"release": release})
    links = read(written(telling.of_release(service, told, result, NOW), plots=False)).links
    assert "https://ci.example.com/run/7?a=1&b=2" in links


# --- Less than all -------------------------------------------------------------------------------


def test_without_pictures_it_says_how_to_get_them(monkeypatch) -> None:
    by_choice = written(part_of("rolled_back"), plots=False)
    monkeypatch.setattr(canvas, "find_spec", lambda name: None)
    text = written(part_of("rolled_back"))
    assert read(text).tags["svg"] == 0
    assert "python -m pip install &#39;lastgood[plots]&#39;" in text
    if find_spec("matplotlib"):
        assert "Without pictures." in by_choice
        assert "pip install" not in by_choice


def test_a_verdict_without_a_record_says_that_there_is_nothing_to_draw() -> None:
    _, told, _ = recorded_release("rolled_back")
    bare = tuple(one.bare for one in told.verdicts)
    part = part_of("rolled_back", told={"verdicts": bare})
    assert part.lead is not None
    assert part.lead.chart is None
    text = words(written(part, plots=False))
    assert "Nothing to draw: it has no record." in text
    unreadable = tuple(one.model_copy(update={"record": "x"}) for one in told.verdicts)
    assert part_of("rolled_back", told={"verdicts": unreadable}).lead.chart is None


def test_what_only_counted_its_looks_says_so() -> None:
    health = next(one for one in part_of("healthy").others if one.name == "health-check")
    assert health.without == "Nothing to draw: it never fired, and its looks were only counted."


def test_of_a_release_under_way_so_far() -> None:
    service, told, _ = recorded_release("rolled_back")
    steps = (
        *told.progress.steps[:4],
        told.progress.steps[4].model_copy(update={"finished_at": None}),
    )
    progress = told.progress.model_copy(
        update={"steps": steps, "step": "monitor", "result": None, "notes": ()}
    )
    told = told.model_copy(update={"progress": progress, "verdicts": (), "decisions": ()})
    asked_at = steps[-1].started_at + timedelta(seconds=30)
    part = telling.of_release(service, told, None, asked_at, ("error-rate 0.1 %",))
    text = words(written(part, plots=False, so_far=True, made="2026-11-28 12:00:00 UTC"))
    assert "under way" in text
    assert "is under way So far nothing was decided. It is at its step monitor" in text
    assert part.phases[-1].took == "goes on"
    assert "Nothing concluded yet: error-rate, response-time, health-check," in text
    assert "regression, band. error-rate 0.1 % Details" in text
    assert "As it was 2026-11-28 12:00:00 UTC" in text
    assert "Ended" not in text


def test_a_held_release_says_what_is_to_be_decided() -> None:
    service, told, result = recorded_release("rolled_back")
    held = result.model_copy(update={"outcome": Outcome.HELD, "rollback": None})
    progress = told.progress.model_copy(update={"held": True, "result": held, "notes": ()})
    part = telling.of_release(service, told.model_copy(update={"progress": progress}), None, NOW)
    text = words(written(part, plots=False))
    assert "held Release report shop/shop: release 3.0 is held and needs a decision" in text
    assert "lastgood approve, deny or resume shop/shop" in text
    assert "Ended" not in text


def test_of_an_operators_rollback_what_the_guard_remembers() -> None:
    _, _, result = recorded_release("rolled_back")
    alone = result.model_copy(update={"release": "rollback-7", "evidence": (), "actor": SCRIPT})
    part = telling.of_result("shop/shop", alone, "No more is known.", ("UpdateService to shop:2",))
    text = words(written(part, plots=False))
    assert "shop/shop: rollback-7 was carried out" in text
    assert "No more is known." in text
    assert "Calls to AWS UpdateService to shop:2" in text


# --- Groups --------------------------------------------------------------------------------------


def a_group(outcome: Outcome | None) -> Page:
    _, _, good = recorded_release("healthy")
    _, _, bad = recorded_release("rolled_back")
    shop = ServiceRef(region="us-east-1", cluster="shop", name="shop")
    members = (
        Member(service=shop, release="3.0/1", asked=True, result=bad),
        Member(service=shop.model_copy(update={"name": "db"}), release="3.0/2", asked=True),
        Member(service=shop.model_copy(update={"name": "web"}), release="3.0/3"),
    )
    ended = None
    if outcome:
        ended = GroupResult.model_validate(
            {**ReleaseResult.model_dump(good), "outcome": outcome, "reason": SCRIPT}
        )
    progress = GroupProgress(
        release="3.0",
        group="shop",
        members=members,
        notes=("shop/shop goes first.",),
        started_at=NOW - timedelta(minutes=5),
        result=ended,
    )
    parts = (part_of("rolled_back"), part_of("healthy"), None)
    lead = grouped.of_group(progress)
    rows = zip(grouped.rows(members), parts, strict=True)
    return Page(title=lead.title, lead=lead, members=tuple(rows))


def test_a_group_is_one_verdict_and_then_each_service() -> None:
    text = page.html(a_group(Outcome.ROLLED_BACK), plots=False)
    reader = read(text)
    told = words(text)
    assert "group shop: release 3.0 was rolled back" in told
    assert "shop/shop rolled back" in told
    assert "shop/db under way" in told
    assert "shop/web waits" in told
    assert "shop/shop: release 3.0 was rolled back" in told
    assert [n for n, count in reader.ids.items() if count > 1] == []
    assert {one for one in reader.links if one.startswith("#")} == {"#service-1", "#service-2"}
    assert reader.tags["script"] == 0


def test_a_group_under_way() -> None:
    told = words(page.html(a_group(None), plots=False))
    assert "group shop: release 3.0 is under way" in told


@pytest.mark.parametrize("severities", [["critical"], ["healthy"]])
def test_whether_a_healthy_release_is_told_is_said_as_the_channels_have_it(severities) -> None:
    _, told, result = recorded_release("healthy")
    hook = {"webhook_url": "env:HOOK", "severity": severities}
    notify = NotifyPolicy.model_validate({"slack": hook})
    policy = told.release.policy.model_copy(update={"notify": notify})
    release = told.release.model_copy(update={"policy": policy})
    result = result.model_copy(update={"outcome": Outcome.HEALTHY})
    details = dict(facts.details(told.model_copy(update={"release": release}), result))
    said = "No channel wants to hear of a healthy release, as the policy is"
    assert (said in details["Notifications"]) is (severities == ["critical"])
