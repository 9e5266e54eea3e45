"""Notices delivered over real sockets: webhooks, SES and SNS in moto, mail servers."""

import asyncio
import json
import logging
import threading
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from moto.core import DEFAULT_ACCOUNT_ID
from moto.server import DomainDispatcherApplication, create_backend_app
from moto.ses.models import ses_backends
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from werkzeug.serving import make_server

from activities.notifications import NotificationActivities
from activities.posting import Poster
from lastgood.contracts import EmailOrder, Notice, Picture, SlackOrder, SnsOrder, WebhookOrder
from lastgood.decisions.rendering.attachments import Attachment
from lastgood.model import Outcome, Status, Verdict
from lastgood.policy import EmailChannel, SlackChannel, SnsChannel, WebhookChannel
from lastgood.policy_triggers import ErrorRateTrigger

REGION = "eu-west-1"
MARKER = "hush-T0KEN-42"
"""Part of every secret here; must never be seen."""

NOTICE = Notice(
    dedup="run-17/ended",
    kind="ended",
    severity="critical",
    title="shop/web: release run-17 was rolled back",
    summary="error-rate 8.0 % over 60s (threshold 5.0 %).",
    facts=(("Service", "shop/web"), ("Measured", "8.0 % (threshold 5 %)")),
    link="http://temporal.test/workflow",
    outcome=Outcome.ROLLED_BACK,
    service="shop/web",
    region="us-east-1",
    release="run-17",
    at=datetime(2026, 1, 31, 3, 12, 45, tzinfo=UTC),
)


class Receiver:
    """An HTTP server that answers as it is told and remembers what it was sent."""

    def __init__(self) -> None:
        self.status, self.headers, self.body = 200, {}, b"ok"
        self.received: list[tuple[str, dict[str, str], Any]] = []
        self.ended = threading.Event()
        self.stalls = self.drops = self.drips = False
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received.append((self.path, dict(self.headers), json.loads(body)))
                if receiver.stalls:
                    receiver.ended.wait(60)
                while receiver.drips and not receiver.ended.wait(0.02):
                    self.wfile.write(b"H")
                if receiver.stalls or receiver.drops or receiver.drips:
                    return
                self.send_response(receiver.status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(receiver.body)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/{MARKER}"

    def says(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.status, self.body = status, body
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, args=[0.02])
    thread.start()
    yield made
    made.ended.set()
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture(scope="module")
def clients() -> Iterator[Callable[[str, str], Any]]:
    """boto3 clients for a moto server on the loopback address."""
    server = make_server(
        "127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    made = []

    def client(service: str, region: str) -> Any:
        made.append(
            boto3.client(
                service,
                region_name=region,
                endpoint_url=f"http://127.0.0.1:{server.port}",
                aws_access_key_id="testing",
                aws_secret_access_key="testing",
                config=Config(retries={"total_max_attempts": 1}),
            )
        )
        return made[-1]

    yield client
    for one in made:
        one.close()
    server.shutdown()
    thread.join()
    server.server_close()


Tell = Callable[..., Awaitable[Any]]


@pytest.fixture
async def tell(
    clients: Callable[[str, str], Any], receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Tell]:
    """Runs one activity by name; no secret may be in what it raises, returns or logs."""
    caplog.set_level(logging.DEBUG)
    secrets = {
        "SLACK": receiver.url + "\n",
        "HOOK": receiver.url,
        "NOT_A_URL": f"not a url {MARKER}",
        "FTP": f"ftp://127.0.0.1/{MARKER}",
        "EMPTY": " ",
    }

    async def run(name: str, order: Any, deadline: float = 10.0) -> Any:
        activities = NotificationActivities(clients, Poster(http, secrets, deadline))
        try:
            async with asyncio.timeout(60):  # far above every deadline used here
                result = await ActivityEnvironment().run(getattr(activities, name), order)
        except ApplicationError as error:
            failure = Failure()
            await DataConverter.default.encode_failure(error, failure)
            assert MARKER not in str(failure)
            told = "".join(traceback.format_exception(error))
            assert MARKER not in told
            raise
        finally:
            assert MARKER not in caplog.text
        assert MARKER not in str(result)
        return result

    async with httpx.AsyncClient() as http:
        yield run


def slack(secret: str = "SLACK", notice: Notice = NOTICE) -> SlackOrder:
    return SlackOrder(notice=notice, channel=SlackChannel(webhook_url=f"env:{secret}"))


def webhook(secret: str = "HOOK", notice: Notice = NOTICE) -> WebhookOrder:
    return WebhookOrder(notice=notice, channel=WebhookChannel(url=f"env:{secret}"))


# --- Slack and webhooks ------------------------------------------------------------------------


async def test_slack_gets_blocks_and_a_fallback(tell: Tell, receiver: Receiver) -> None:
    assert await tell("notify_slack", slack()) is None
    path, headers, body = receiver.received[0]
    assert path == f"/services/{MARKER}"
    assert headers["Content-Type"] == "application/json"
    assert "8.0 %" in body["text"]
    assert body["blocks"][0]["text"]["text"].endswith(NOTICE.title)


async def test_a_webhook_gets_json_with_a_key(tell: Tell, receiver: Receiver) -> None:
    await tell("notify_webhook", webhook())
    _, headers, body = receiver.received[0]
    assert headers["Idempotency-Key"] == "us-east-1/shop/web/run-17/ended"
    assert body["outcome"] == "rolled_back"
    assert {"label": "Measured", "value": "8.0 % (threshold 5 %)"} in body["facts"]


async def test_two_services_under_one_release_id_have_keys_of_their_own(
    tell: Tell, receiver: Receiver
) -> None:
    for one in (NOTICE, NOTICE.model_copy(update={"service": "shop/api"})):
        await tell("notify_webhook", webhook(notice=one))
    assert len({headers["Idempotency-Key"] for _, headers, _ in receiver.received}) == 2
    assert len({body["dedup"] for _, _, body in receiver.received}) == 1


async def test_a_key_that_no_header_can_hold_is_digested(tell: Tell, receiver: Receiver) -> None:
    odd = NOTICE.model_copy(update={"dedup": "a\r\nX-Evil: 1 ü/ended"})
    await tell("notify_webhook", webhook(notice=odd))
    _, headers, _ = receiver.received[0]
    assert "X-Evil" not in headers
    assert len(headers["Idempotency-Key"]) == 64


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("1", 1), ("0", 1), ("600", 60), ("9" * 30, 60), ("soon", 5), ("-3", 5), ("", 5), (None, 5)],
)
async def test_slack_says_when_to_come_again(
    tell: Tell, receiver: Receiver, header: str | None, seconds: int
) -> None:
    receiver.says(429, **({} if header is None else {"Retry_After": header}))
    with pytest.raises(ApplicationError, match="slack: answered 429") as caught:
        await tell("notify_slack", slack())
    assert caught.value.type == "ReceiverBusy"
    assert not caught.value.non_retryable
    assert caught.value.next_retry_delay == timedelta(seconds=seconds)


async def test_slack_says_it_with_a_date(tell: Tell, receiver: Receiver) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    receiver.says(429, Retry_After=later)
    with pytest.raises(ApplicationError) as caught:
        await tell("notify_slack", slack())
    assert caught.value.next_retry_delay == timedelta(seconds=60)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
async def test_what_may_pass_is_retried(tell: Tell, receiver: Receiver, status: int) -> None:
    receiver.says(status, b"<html>oops")
    with pytest.raises(ApplicationError, match=f"answered {status}") as caught:
        await tell("notify_slack", slack())
    assert not caught.value.non_retryable
    assert caught.value.next_retry_delay is None


@pytest.mark.parametrize("status", [301, 400, 403, 404, 410])
async def test_what_will_not_pass_is_not_retried(
    tell: Tell, receiver: Receiver, status: int
) -> None:
    receiver.says(status, b"no_service", Location="/elsewhere")
    with pytest.raises(ApplicationError, match=rf"answered {status} \(no_service\)") as caught:
        await tell("notify_slack", slack())
    assert caught.value.type == "ReceiverRefused"
    assert caught.value.non_retryable
    assert len(receiver.received) == 1


async def test_an_answer_that_repeats_the_secret_is_not_shown(
    tell: Tell, receiver: Receiver
) -> None:
    receiver.says(404, f"nothing at {receiver.url}".encode())
    for name, order in (("notify_slack", slack()), ("notify_webhook", webhook())):
        with pytest.raises(ApplicationError):
            await tell(name, order)


@pytest.mark.parametrize("how", ["stalls", "drips"])
async def test_no_answer_in_time_is_retried(tell: Tell, receiver: Receiver, how: str) -> None:
    setattr(receiver, how, True)
    with pytest.raises(ApplicationError, match="no answer in time") as caught:
        await tell("notify_slack", slack(), deadline=0.3)
    assert caught.value.type == "OutcomeUnknown"
    assert not caught.value.non_retryable


async def test_a_connection_that_is_lost_is_retried(tell: Tell, receiver: Receiver) -> None:
    receiver.drops = True
    with pytest.raises(ApplicationError, match="no usable answer") as caught:
        await tell("notify_webhook", webhook())
    assert caught.value.type == "OutcomeUnknown"
    assert not caught.value.non_retryable
    assert len(receiver.received) == 1  # it may have arrived


@pytest.mark.parametrize("secret", ["NOT_A_URL", "FTP"])
async def test_secrets_that_are_no_address(tell: Tell, secret: str) -> None:
    with pytest.raises(ApplicationError, match="no http or https URL") as caught:
        await tell("notify_slack", slack(secret))
    assert caught.value.non_retryable


@pytest.mark.parametrize("secret", ["NOWHERE", "EMPTY"])
async def test_a_secret_that_is_missing_is_named(tell: Tell, secret: str) -> None:
    with pytest.raises(ApplicationError, match=f"has no {secret}") as caught:
        await tell("notify_webhook", webhook(secret))
    assert caught.value.type == "MissingSecret"
    assert caught.value.non_retryable


# --- SES and SNS -------------------------------------------------------------------------------


def email(sender: str = "deploys@shop.test") -> EmailOrder:
    channel = EmailChannel.model_validate({"from": sender, "to": ["oncall@shop.test"]})
    return EmailOrder(notice=NOTICE, channel=channel, region=REGION)


async def test_ses_sends_text_and_html(tell: Tell, clients: Callable[[str, str], Any]) -> None:
    clients("sesv2", REGION).create_email_identity(EmailIdentity="deploys@shop.test")
    assert await tell("notify_email_ses", email())
    sent = ses_backends[DEFAULT_ACCOUNT_ID][REGION].sent_messages[-1]
    assert sent.source == "deploys@shop.test"
    assert sent.destinations["ToAddresses"] == ["oncall@shop.test"]
    assert sent.subject == "[critical] shop/web: release run-17 was rolled back"
    assert "8.0 % (threshold 5 %)" in sent.body


async def test_ses_gets_the_picture_that_the_mail_shows(
    clients: Callable[[str, str], Any],
) -> None:
    """As boto3 sends it: moto keeps no attachments."""
    sent: list[dict[str, Any]] = []
    ses = clients("sesv2", REGION)
    ses.create_email_identity(EmailIdentity="deploys@shop.test")
    ses.meta.events.register(
        "provide-client-params.sesv2.SendEmail", lambda params, **_: sent.append(params)
    )
    verdict = Verdict(
        trigger="error-rate", status=Status.FAIL, reason="bad", at=NOTICE.at, record="recorded"
    )
    picture = Picture(trigger=ErrorRateTrigger(), verdict=verdict)
    async with httpx.AsyncClient() as http:
        activities = NotificationActivities(
            lambda *_: ses, Poster(http, {}), draw=lambda _: Attachment("a.png", b"png", "It rose")
        )
        order = email().model_copy(update={"picture": picture})
        await ActivityEnvironment().run(activities.notify_email_ses, order)
    simple = sent[0]["Content"]["Simple"]
    (attached,) = simple["Attachments"]
    assert attached["RawContent"] == b"png"
    assert attached["ContentDisposition"] == "INLINE"
    assert f"cid:{attached['ContentId']}" in simple["Body"]["Html"]["Data"]


async def test_ses_refuses_who_is_not_verified(tell: Tell) -> None:
    with pytest.raises(ApplicationError, match="ses:SendEmail: MessageRejected") as caught:
        await tell("notify_email_ses", email("stranger@elsewhere.test"))
    assert caught.value.type == "MessageRejected"
    assert caught.value.non_retryable


@pytest.mark.parametrize("fifo", [False, True])
async def test_sns_reaches_a_queue(
    tell: Tell, clients: Callable[[str, str], Any], fifo: bool
) -> None:
    sns, sqs = clients("sns", REGION), clients("sqs", REGION)
    name = "notices.fifo" if fifo else "notices"
    attributes = {"FifoTopic": "true"} if fifo else {}
    topic = sns.create_topic(Name=name, Attributes=attributes)["TopicArn"]
    queue = sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"} if fifo else {})
    arn = topic.replace(":sns:", ":sqs:")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    order = SnsOrder(notice=NOTICE, channel=SnsChannel(topic_arn=topic))
    assert await tell("notify_sns", order)
    if fifo:
        await tell("notify_sns", order)  # again: delivered once
    got = sqs.receive_message(QueueUrl=queue["QueueUrl"], MaxNumberOfMessages=10)["Messages"]
    assert len(got) == 1
    envelope = json.loads(got[0]["Body"])
    assert envelope["Subject"] == NOTICE.title
    assert json.loads(envelope["Message"])["release"] == "run-17"
    assert envelope["MessageAttributes"]["outcome"]["Value"] == "rolled_back"


async def test_sns_without_the_topic(tell: Tell) -> None:
    topic = f"arn:aws:sns:{REGION}:{DEFAULT_ACCOUNT_ID}:nowhere"
    order = SnsOrder(notice=NOTICE, channel=SnsChannel(topic_arn=topic))
    with pytest.raises(ApplicationError) as caught:
        await tell("notify_sns", order)
    assert caught.value.type == "NotFound"
    assert caught.value.non_retryable


async def test_links_are_completed_where_the_ui_is_known(
    clients: Callable[[str, str], Any], receiver: Receiver
) -> None:
    known = NOTICE.model_copy(update={"link": "/namespaces/default/workflows/w"})
    async with httpx.AsyncClient() as http:
        poster = Poster(http, {"HOOK": receiver.url}, ui_url="http://ui.test")
        activities = NotificationActivities(clients, poster)
        await ActivityEnvironment().run(activities.notify_webhook, webhook(notice=known))
    _, _, body = receiver.received[0]
    assert body["link"] == "http://ui.test/namespaces/default/workflows/w"
