"""Slack's bots, PagerDuty, Teams and signed webhooks: real requests to servers that go wrong."""

import base64
import hashlib
import hmac
import logging
import re
import shutil
import subprocess
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.incidents import IncidentActivities
from activities.notifications import NotificationActivities
from activities.pictures import Draw, draws_nothing
from activities.posting import Poster
from activities.slack import SlackActivities
from lastgood.contracts import (
    Notice,
    PagerDutyOrder,
    Picture,
    SlackOrder,
    SlackPicture,
    SlackPost,
    SlackPosted,
    TeamsOrder,
    Thread,
    WebhookOrder,
)
from lastgood.decisions.rendering.attachments import Attachment
from lastgood.model import Outcome, Status, Verdict
from lastgood.policy_notify import PagerDutyChannel, SlackChannel, TeamsChannel, WebhookChannel
from lastgood.policy_triggers import ErrorRateTrigger
from tests.e2e.services import CHANNEL, ROUTING_KEY, SECRETS, TOKEN, Services

KEY = b"0123456789-T0KEN-0123456789-abcd"
WHSEC = "whsec_" + base64.b64encode(KEY).decode()
OLD_WHSEC = "whsec_" + base64.b64encode(KEY[::-1]).decode()
NOTICE = Notice(
    dedup="run-17/held",
    kind="held",
    severity="critical",
    title="shop/web: release run-17 is held",
    summary="error-rate 8.0 % over 60s (threshold 5.0 %).",
    facts=(("Service", "shop/web"), ("Measured", "8.0 % (threshold 5 %)")),
    link="http://temporal.test/workflow",
    outcome=Outcome.HELD,
    service="shop/web",
    region="us-east-1",
    release="run-17",
    at=datetime(2026, 1, 31, 3, 12, 45, tzinfo=UTC),
)
ENDED = NOTICE.model_copy(
    update={"dedup": "run-17/ended", "kind": "ended", "title": "shop/web: rolled back"}
)
SLACK = SlackChannel(token="env:TOKEN", channel=CHANNEL)
PAGER = PagerDutyChannel(routing_key="env:ROUTING_KEY")
TEAMS = TeamsChannel(webhook_url="env:TEAMS")


@pytest.fixture
def services() -> Iterator[Services]:
    made = Services()
    yield made
    made.stop()


Tell = Callable[..., Awaitable[Any]]


def no_aws(service: str, region: str) -> Any:
    raise AssertionError(f"{service} in {region} was asked for")


@pytest.fixture
async def tell(services: Services, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Tell]:
    """Runs one activity by name; no secret may be in what it raises, returns or logs."""
    caplog.set_level(logging.DEBUG)
    secrets = {
        "TOKEN": TOKEN,
        "WRONG": "xoxb-T0KEN-wrong",
        "ROUTING_KEY": ROUTING_KEY,
        "TEAMS": services.teams_url,
        "HOOK": services.teams_url,
        "WHSEC": WHSEC,
        "BOTH": f"{WHSEC} {OLD_WHSEC}",
        "NO_WHSEC": "T0KEN",
    }
    hidden = (*SECRETS, *secrets.values(), "T0KEN")

    async def run(
        name: str,
        order: Any,
        attempt: int = 1,
        deadline: float = 10.0,
        draw: Draw = draws_nothing,
    ) -> Any:
        poster = Poster(http, secrets, deadline)
        those = (
            NotificationActivities(no_aws, poster),
            SlackActivities(poster, services.slack_api, draw),
            IncidentActivities(poster, services.address),
        )
        method = next(getattr(one, name) for one in those if hasattr(one, name))
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, attempt=attempt)
        try:
            result = await environment.run(method, order)
        except ApplicationError as error:
            failure = Failure()
            await DataConverter.default.encode_failure(error, failure)
            told = "".join(traceback.format_exception(error)) + str(failure)
            assert not [one for one in hidden if one in told]
            raise
        finally:
            assert not [one for one in hidden if one in caplog.text]
        return result

    async with httpx.AsyncClient() as http:
        yield run


def post(
    notice: Notice = NOTICE, first: str | None = None, channel: SlackChannel = SLACK, **more: Any
) -> SlackPost:
    place = CHANNEL if first else None
    thread = Thread(channel="slack", place=place, first=first, notice=NOTICE if first else None)
    return SlackPost(notice=notice, channel=channel, thread=thread, **more)


# --- Slack ---------------------------------------------------------------------------------------


async def test_a_bot_keeps_one_thread_and_its_title_current(tell: Tell, services: Services) -> None:
    first = await tell("post_slack_message", post())
    assert first == SlackPosted(place=CHANNEL, ts=first.ts, first=first.ts)
    reply = await tell("post_slack_message", post(ENDED, first.ts, aloud=True))
    await tell("update_slack_message", post(ENDED, first.ts))

    assert reply.first == first.ts != reply.ts
    top, answer = services.messages
    assert (answer["thread_ts"], answer["reply_broadcast"]) == (first.ts, True)
    assert top["blocks"][0]["text"]["text"] == "🔴 shop/web: rolled back"
    assert "8.0 %" in top["blocks"][1]["text"]["text"], "what it said first is still there"
    assert "now, at 2026-01-31" in str(top["blocks"][-1])
    assert "thread_ts" not in top
    assert services.requests[0].headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("first", [False, True])
async def test_a_lost_answer_of_slack_is_no_second_message(
    tell: Tell, services: Services, first: bool
) -> None:
    parent = (await tell("post_slack_message", post())).ts if first else None
    order = post(ENDED, parent)
    before = len(services.messages)
    services.faults["chat.postMessage"] = ["lost"]
    with pytest.raises(ApplicationError, match="no usable answer") as caught:
        await tell("post_slack_message", order)
    assert not caught.value.non_retryable

    found = await tell("post_slack_message", order, attempt=2)

    assert len(services.messages) == before + 1
    assert found.ts == services.messages[-1]["ts"]
    assert found.first == (parent or found.ts)


async def test_another_notices_message_is_not_taken_for_ones_own(
    tell: Tell, services: Services
) -> None:
    await tell("post_slack_message", post())
    await tell("post_slack_message", post(ENDED), attempt=2)
    assert len(services.messages) == 2


async def test_a_bot_that_may_not_read_posts_rather_twice_than_never(
    tell: Tell, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    services.scopes.clear()
    services.faults["chat.postMessage"] = ["lost"]
    with pytest.raises(ApplicationError):
        await tell("post_slack_message", post())
    await tell("post_slack_message", post(), attempt=2)
    assert len(services.messages) == 2
    assert "It may be posted twice: slack: refused: missing_scope" in caplog.text


async def test_another_services_message_under_the_same_release_is_not_taken_for_its_own(
    tell: Tell, services: Services
) -> None:
    other = NOTICE.model_copy(update={"service": "shop/api"})
    await tell("post_slack_message", post(other))
    services.faults["chat.postMessage"] = ["down"]
    with pytest.raises(ApplicationError):
        await tell("post_slack_message", post())
    await tell("post_slack_message", post(), attempt=2)
    assert len(services.messages) == 2


async def test_a_thread_that_somebody_deleted_begins_anew(tell: Tell, services: Services) -> None:
    posted = await tell("post_slack_message", post(ENDED, "1.000001"))
    assert posted.first == posted.ts
    assert "thread_ts" not in services.messages[0]


@pytest.mark.parametrize("error", ["ratelimited", "internal_error", "service_unavailable"])
async def test_what_passes_at_slack_is_retried(tell: Tell, services: Services, error: str) -> None:
    services.faults["chat.postMessage"] = [error]
    with pytest.raises(ApplicationError, match=f"slack: refused: {error}") as caught:
        await tell("post_slack_message", post())
    assert (caught.value.type, caught.value.non_retryable) == ("ReceiverBusy", False)


async def test_slack_says_when_to_come_again(tell: Tell, services: Services) -> None:
    services.faults["chat.postMessage"] = ["busy"]
    with pytest.raises(ApplicationError, match="answered 429") as caught:
        await tell("post_slack_message", post())
    assert caught.value.next_retry_delay == timedelta(seconds=1)


async def test_what_slack_refuses_for_good_is_said_in_its_word(
    tell: Tell, services: Services
) -> None:
    for channel, why in (
        (SLACK.model_copy(update={"token": "env:WRONG"}), "invalid_auth"),
        (SLACK.model_copy(update={"channel": "C99999"}), "channel_not_found"),
    ):
        with pytest.raises(ApplicationError, match=f"refused: {why}") as caught:
            await tell("post_slack_message", post(channel=channel))
        assert (caught.value.type, caught.value.non_retryable) == ("ReceiverRefused", True)
    missing = SLACK.model_copy(update={"token": "env:NOWHERE"})
    with pytest.raises(ApplicationError, match="has no NOWHERE"):
        await tell("post_slack_message", post(channel=missing))
    assert services.messages == []


FIRED = Verdict(
    trigger="error-rate", status=Status.FAIL, reason="too many", at=NOTICE.at, record="recorded"
)
PICTURE = Picture(trigger=ErrorRateTrigger(), verdict=FIRED)
PNG = Attachment("error-rate.png", b"\x89PNG...", "Error rate against its threshold")


def to_thread(first: str | None) -> SlackPicture:
    thread = Thread(channel="slack", place=CHANNEL, first=first)
    return SlackPicture(channel=SLACK, thread=thread, picture=PICTURE)


async def test_a_picture_goes_into_the_thread(tell: Tell, services: Services) -> None:
    first = (await tell("post_slack_message", post())).ts

    assert await tell("add_slack_picture", to_thread(first), draw=lambda _: PNG)

    ((ident, content),) = services.uploads.items()
    assert content == PNG.content
    assert services.shared == [
        {"files": [{"id": ident, "title": PNG.alt}], "channel_id": CHANNEL, "thread_ts": first}
    ]
    asked = services.told("getUploadURLExternal")[0].body
    assert asked == {"filename": PNG.name, "length": "7", "alt_txt": PNG.alt}


def breaks(_: Picture) -> Attachment:
    raise ValueError("T0KEN")


def is_huge(_: Picture) -> Attachment:
    return PNG._replace(content=b"x" * 3_000_000)


@pytest.mark.parametrize("draw", [draws_nothing, breaks, is_huge])
async def test_without_a_picture_slack_is_not_asked(
    tell: Tell, services: Services, draw: Draw
) -> None:
    assert not await tell("add_slack_picture", to_thread("1.1"), draw=draw)
    assert services.requests == []


async def test_a_bot_that_may_not_upload_says_so(tell: Tell, services: Services) -> None:
    services.scopes.discard("files:write")
    with pytest.raises(ApplicationError, match="slack: refused: missing_scope"):
        await tell("add_slack_picture", to_thread("1.1"), draw=lambda _: PNG)


# --- PagerDuty -----------------------------------------------------------------------------------


def event(action: Any, notice: Notice = NOTICE, channel: PagerDutyChannel = PAGER) -> Any:
    return PagerDutyOrder(notice=notice, channel=channel, action=action, region="eu-west-1")


async def test_one_incident_is_triggered_acknowledged_and_resolved(
    tell: Tell, services: Services
) -> None:
    for action, notice in (("trigger", NOTICE), ("trigger", ENDED), ("acknowledge", ENDED)):
        await tell("send_pagerduty_event", event(action, notice))
    ((incident,),) = services.incidents.values()
    assert incident.status == "acknowledged"
    assert incident.summaries == [NOTICE.title, ENDED.title]
    await tell("send_pagerduty_event", event("resolve", ENDED))
    assert incident.status == "resolved"
    assert list(services.incidents) == ["lastgood/eu-west-1/shop/web/run-17"]


async def test_events_that_come_twice_are_one_incident(tell: Tell, services: Services) -> None:
    services.faults["enqueue"] = ["lost"]
    with pytest.raises(ApplicationError, match="no usable answer") as caught:
        await tell("send_pagerduty_event", event("trigger"))
    assert not caught.value.non_retryable
    await tell("send_pagerduty_event", event("trigger"), attempt=2)
    ((incident,),) = services.incidents.values()
    assert incident.actions == ["trigger", "trigger"]


@pytest.mark.parametrize(("fault", "status"), [("busy", 429), ("down", 503)])
async def test_a_busy_pagerduty_is_retried(
    tell: Tell, services: Services, fault: str, status: int
) -> None:
    services.faults["enqueue"] = [fault]
    with pytest.raises(ApplicationError, match=f"pagerduty: answered {status}") as caught:
        await tell("send_pagerduty_event", event("trigger"))
    assert not caught.value.non_retryable


async def test_a_wrong_routing_key_is_refused_and_never_shown(tell: Tell) -> None:
    """PagerDuty repeats what it was sent: nothing of that may get into a history."""
    wrong = PAGER.model_copy(update={"routing_key": "env:WRONG"})
    with pytest.raises(ApplicationError, match=r"pagerduty: answered 400$") as caught:
        await tell("send_pagerduty_event", event("trigger", channel=wrong))
    assert caught.value.non_retryable


# --- Teams ---------------------------------------------------------------------------------------


async def test_teams_gets_a_card(tell: Tell, services: Services) -> None:
    await tell("notify_teams", TeamsOrder(notice=NOTICE, channel=TEAMS))
    (message,) = services.cards
    (attachment,) = message["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert attachment["content"]["actions"][0]["url"] == NOTICE.link


@pytest.mark.parametrize(("fault", "status"), [("busy", 429), ("down", 503)])
async def test_a_busy_teams_is_retried(
    tell: Tell, services: Services, fault: str, status: int
) -> None:
    services.faults["invoke"] = [fault]
    with pytest.raises(ApplicationError, match=f"teams: answered {status}") as caught:
        await tell("notify_teams", TeamsOrder(notice=NOTICE, channel=TEAMS))
    assert not caught.value.non_retryable


# --- Templates -----------------------------------------------------------------------------------


async def test_a_template_words_a_message_and_what_it_inserts_is_escaped(
    tell: Tell, services: Services
) -> None:
    channel = SLACK.model_copy(
        update={"title": "{{ release }}!", "template": "<!here> {{ title }}"}
    )
    evil = NOTICE.model_copy(update={"title": "<!channel> & co"})
    await tell("post_slack_message", post(evil, channel=channel))
    header, text, _ = services.messages[0]["blocks"]
    assert header["text"]["text"] == "🔴 run-17!"
    assert text["text"]["text"] == "<!here> &lt;!channel&gt; &amp; co"


@pytest.mark.parametrize("broken", ["{{ fact['Nope'] }}", "{{ nope", "{% set a = 1 %}"])
async def test_a_template_that_breaks_loses_nothing(
    tell: Tell, services: Services, broken: str
) -> None:
    channel = SLACK.model_copy(update={"template": broken})
    await tell("post_slack_message", post(channel=channel))
    text = str(services.messages[0]["blocks"])
    assert "8.0 %" in text, "the built-in words"
    assert "*Template*\\ncould not be used, so this is the built-in text: line 1" in text


async def test_a_webhooks_template_makes_its_body(tell: Tell, services: Services) -> None:
    for template, body in (
        ('{"text": {{ title | tojson }}}', {"text": NOTICE.title}),
        ("no JSON", {"dedup": "run-17/held"}),
    ):
        channel = WebhookChannel(url="env:HOOK", template=template)
        await tell("notify_webhook", WebhookOrder(notice=NOTICE, channel=channel))
        assert body.items() <= services.cards[-1].items()


# --- Signed webhooks -----------------------------------------------------------------------------


async def signed(
    tell: Tell, services: Services, secret: str = "env:WHSEC", notice: Notice = NOTICE
) -> tuple[Any, ...]:
    channel = WebhookChannel(url="env:HOOK", secret=secret)
    await tell("notify_webhook", WebhookOrder(notice=notice, channel=channel))
    request = services.requests[-1]
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    return request.raw, *(request.headers[name] for name in names)


async def test_a_webhook_is_signed_over_id_time_and_body(tell: Tell, services: Services) -> None:
    body, ident, at, signature = await signed(tell, services)
    expected = hmac.new(KEY, f"{ident}.{at}.".encode() + body, hashlib.sha256).digest()
    assert signature == f"v1,{base64.b64encode(expected).decode()}"
    assert abs(int(at) - datetime.now(UTC).timestamp()) < 60
    again = await signed(tell, services)
    assert again[1] == ident, "the same notice, the same id"
    other = NOTICE.model_copy(update={"service": "shop/api"})
    assert (await signed(tell, services, notice=other))[1] != ident, "another service, another id"


async def test_two_secrets_make_two_signatures(tell: Tell, services: Services) -> None:
    _, _, _, one = await signed(tell, services)
    _, _, _, both = await signed(tell, services, "env:BOTH")
    assert len(both.split()) == 2
    assert len(one.split()) == 1


async def test_a_secret_that_is_none_is_refused_and_nothing_is_sent(
    tell: Tell, services: Services
) -> None:
    with pytest.raises(ApplicationError, match="must be whsec_ and 24 to 64 bytes") as caught:
        await signed(tell, services, "env:NO_WHSEC")
    assert caught.value.non_retryable
    assert services.requests == []


DOCS = (Path(__file__).parents[2] / "docs/notifications.md").read_text()


def documented(language: str) -> str:
    """The code that the documentation gives to whoever verifies a signature."""
    section = DOCS.split("### Verify a signature")[1]
    found = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found
    return found[1]


async def test_the_documented_python_verifies(tell: Tell, services: Services) -> None:
    body, ident, at, signature = await signed(tell, services, "env:BOTH")
    names: dict[str, Any] = {}
    exec(documented("python"), names)
    headers = {"webhook-id": ident, "webhook-timestamp": at, "webhook-signature": signature}
    verify = names["verify"]
    assert verify(WHSEC, headers, body)
    assert verify(OLD_WHSEC, headers, body)
    assert not verify(WHSEC, headers, body + b" ")
    assert not verify(WHSEC, headers | {"webhook-timestamp": str(int(at) - 600)}, body)
    assert not verify("whsec_" + base64.b64encode(b"x" * 32).decode(), headers, body)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl on this machine")
async def test_the_documented_shell_verifies(
    tell: Tell, services: Services, tmp_path: Path
) -> None:
    body, ident, at, signature = await signed(tell, services)
    (tmp_path / "body").write_bytes(body)

    def verified(**changes: str) -> bool:
        values = {"SECRET": WHSEC, "ID": ident, "TIMESTAMP": at, "SIGNATURE": signature}
        ran = subprocess.run(
            ["bash", "-c", documented("sh")],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", **values, **changes},
            capture_output=True,
            check=False,
        )
        assert ran.returncode in (0, 1), ran.stderr
        return ran.returncode == 0

    assert verified()
    assert not verified(ID="msg_other")
    assert not verified(TIMESTAMP=str(int(at) - 600))
    assert not verified(SECRET=OLD_WHSEC)


async def test_a_slack_webhook_takes_templates_too(tell: Tell, services: Services) -> None:
    channel = SlackChannel(webhook_url="env:HOOK", template="*{{ fact['Measured'] }}*")
    await tell("notify_slack", SlackOrder(notice=NOTICE, channel=channel))
    assert services.cards[0]["blocks"][1]["text"]["text"] == "*8.0 % (threshold 5 %)*"
