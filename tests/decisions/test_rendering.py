"""Notices in each channel's form, with texts that want to be more than text."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastgood.contracts import Notice
from lastgood.decisions.plain import one_line
from lastgood.decisions.rendering.mail import mail, mime
from lastgood.decisions.rendering.slack import slack_message, slack_text
from lastgood.decisions.rendering.sns import publication, subject
from lastgood.decisions.rendering.text import as_json, as_text, key
from lastgood.decisions.rendering.waiting import retry_after
from lastgood.model import Outcome

NOW = datetime(2026, 1, 31, 3, 12, 45, tzinfo=UTC)
TOPIC = "arn:aws:sns:eu-west-1:123456789012:notices"
HOSTILE = (
    "<!here> <@U123> @channel <http://evil.test|click> & \x1b[31mred\x1b[0m\u202egnp\u200b\x00\r\n"
)


def notice(**changes: Any) -> Notice:
    values: dict[str, Any] = {
        "dedup": "run-17/held",
        "kind": "held",
        "severity": "critical",
        "title": "shop/web: release run-17 is held",
        "summary": "error-rate 8.0 % (threshold 5 %).",
        "facts": (("Trigger", "error-rate"), ("From", "web:41")),
        "link": "http://temporal.test/w?a=1&b=2",
        "outcome": Outcome.HELD,
        "service": "shop/web",
        "release": "run-17",
        "at": NOW,
    }
    return Notice.model_validate(values | changes)


def check_slack(message: dict[str, Any]) -> None:
    """Slack's limits, as its documentation gives them."""
    assert len(message["blocks"]) <= 50
    assert len(json.dumps(message, ensure_ascii=False)) < 12_000
    header = message["blocks"][0]["text"]
    assert header["type"] == "plain_text"
    assert 1 <= len(header["text"]) <= 150
    for block in message["blocks"][1:]:
        assert len(block.get("fields", [])) <= 10
        assert len(block.get("elements", [])) <= 10
        for field in block.get("fields", []):
            assert 1 <= len(field["text"]) <= 2000
        if "text" in block:
            assert 1 <= len(block["text"]["text"]) <= 3000


def test_slack_blocks() -> None:
    message = slack_message(notice())
    check_slack(message)
    header, summary, facts, footer = message["blocks"]
    assert header["text"]["text"] == "🔴 shop/web: release run-17 is held"
    assert summary["text"]["text"] == "error-rate 8.0 % (threshold 5 %)."
    assert [field["text"] for field in facts["fields"]] == [
        "*Trigger*\nerror-rate",
        "*From*\nweb:41",
    ]
    assert footer["elements"][0]["text"] == (
        "<http://temporal.test/w?a=1&amp;b=2|Open the workflow> "
        "· 2026-01-31 03:12:45 UTC · run-17/held"
    )
    assert message["text"] == "shop/web: release run-17 is held — error-rate 8.0 % (threshold 5 %)."


def test_slack_mentions_nobody_and_links_nowhere() -> None:
    message = slack_message(
        notice(
            title=HOSTILE, summary=HOSTILE, facts=((HOSTILE, HOSTILE),), dedup=HOSTILE, link=None
        )
    )
    check_slack(message)
    text = json.dumps(message, ensure_ascii=False)
    assert "<" not in text
    assert "@channel" not in text
    assert "&lt;!here&gt;" in text
    assert "\u202e" not in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "ftp://x", "", "http://x/>|<!here>", "http://x/|y"]
)
def test_slack_links_are_http_and_end_where_they_should(link: str) -> None:
    footer = slack_message(notice(link=link))["blocks"][-1]["elements"][0]["text"]
    assert "javascript" not in footer
    assert footer.count("|") <= 1
    assert "<!here>" not in footer


def test_ten_kilobytes_of_reason_and_three_hundred_facts() -> None:
    many = tuple((f"Alarm {number}", "<&>" * 3000) for number in range(300))
    full = notice(summary="&" * 10_000, title="<" * 500, facts=many)
    message = slack_message(full)
    check_slack(message)
    assert "more: see the workflow" in json.dumps(message)
    arguments = publication(full, TOPIC)
    assert len(arguments["Message"].encode()) < 256 * 1024
    assert len(as_text(full)) < 64 * 1024


@given(st.text(max_size=200), st.integers(1, 100))
def test_slack_text_is_never_too_long_and_never_cuts_an_entity(text: str, limit: int) -> None:
    shown = slack_text(text, limit)
    assert len(shown) <= limit
    rest = shown.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
    assert not set(rest) & {"&", "<", ">"}


@given(st.text(max_size=300))
def test_one_line_is_one_visible_line(text: str) -> None:
    shown = one_line(text)
    assert len(shown.splitlines()) <= 1
    assert all(character.isprintable() or character in "\u200c\u200d" for character in shown)
    assert one_line(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m alert", "red alert"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://evil.test\x1b\\click\x1b]8;;\x1b\\", "click"),
        ("\x9b31mred", "red"),
        ("a\r\n\tb\u2028c", "a b c"),
        ("user\u202etxt.exe\u2066!", "usertxt.exe!"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("مرحبا שלום 👩\u200d💻", "مرحبا שלום 👩\u200d💻"),
        ("x" * 600, "x" * 499 + "…"),
    ],
)
def test_one_line(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_text_says_everything() -> None:
    assert as_text(notice()) == (
        "shop/web: release run-17 is held\n"
        "\n"
        "error-rate 8.0 % (threshold 5 %).\n"
        "\n"
        "Trigger: error-rate\n"
        "From:    web:41\n"
        "\n"
        "Where to look: http://temporal.test/w?a=1&b=2\n"
        "\n"
        "2026-01-31 03:12:45 UTC · run-17/held\n"
    )


def test_json_says_everything() -> None:
    body = as_json(notice())
    assert body == {
        "version": 1,
        "dedup": "run-17/held",
        "kind": "held",
        "severity": "critical",
        "outcome": "held",
        "service": "shop/web",
        "release": "run-17",
        "title": "shop/web: release run-17 is held",
        "summary": "error-rate 8.0 % (threshold 5 %).",
        "facts": [
            {"label": "Trigger", "value": "error-rate"},
            {"label": "From", "value": "web:41"},
        ],
        "link": "http://temporal.test/w?a=1&b=2",
        "at": "2026-01-31T03:12:45+00:00",
    }


def test_mail_is_text_and_html_and_html_is_escaped() -> None:
    content = mail(notice(title="<script>", facts=(("<b>", '"&'),)), "deploys@shop.test")
    assert content.subject == "[critical] <script>"
    assert "<script>" not in content.html
    assert "&lt;script&gt;" in content.html
    assert "&lt;b&gt;" in content.html
    assert "&quot;&amp;" in content.html
    assert '<a href="http://temporal.test/w?a=1&amp;b=2">' in content.html
    assert "javascript" not in mail(notice(link="javascript:1"), "a@b.c").html


def test_mails_of_one_release_share_a_thread_and_doubles_an_id() -> None:
    first, again = mail(notice(), "a@b.test"), mail(notice(), "a@b.test")
    other = mail(notice(dedup="run-17/ended"), "a@b.test")
    assert first.message_id == again.message_id != other.message_id
    assert first.thread == other.thread
    assert mail(notice(release="run-18"), "a@b.test").thread != first.thread
    assert first.message_id.endswith("@b.test>")


def test_no_text_adds_a_header() -> None:
    evil = notice(title=HOSTILE + "Bcc: all@shop.test", dedup=HOSTILE, release="a\r\nBcc: b")
    message = mime(mail(evil, "a@b.test"), "a@b.test", ["c@d.test"], evil)
    assert message["Bcc"] is None
    assert b"\nBcc:" not in message.as_bytes()


def test_sns_arguments() -> None:
    arguments = publication(notice(), TOPIC)
    message = json.loads(arguments["Message"])
    assert json.loads(message["default"]) == as_json(notice())
    assert message["email"] == as_text(notice())
    values = {name: one["StringValue"] for name, one in arguments["MessageAttributes"].items()}
    assert values == {
        "severity": "critical",
        "kind": "held",
        "service": "shop/web",
        "release": "run-17",
        "outcome": "held",
    }
    assert "MessageGroupId" not in arguments
    assert "outcome" not in publication(notice(outcome=None), TOPIC)["MessageAttributes"]


def test_sns_fifo() -> None:
    arguments = publication(notice(), TOPIC + ".fifo")
    assert arguments["MessageGroupId"] == "shop/web"
    assert arguments["MessageDeduplicationId"] == "run-17/held"


@pytest.mark.parametrize(
    ("title", "shown"),
    [("Zurück → good", "Zuruck -> good"), ("日本語", "Lastgood: held"), ("a\r\nb", "a b")],
)
def test_sns_subjects_are_ascii(title: str, shown: str) -> None:
    assert subject(notice(title=title)) == shown


def test_sns_subjects_are_short() -> None:
    assert len(subject(notice(title="…" * 300))) < 100


@pytest.mark.parametrize(
    ("text", "fit"),
    [("run-17/held", True), ("a b", False), ("a\r\nb", False), ("ü", False), ("x" * 129, False)],
)
def test_keys(text: str, fit: bool) -> None:
    assert (key(text) == text) is fit
    assert len(key(text)) <= 128
    assert key(text).isascii()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("1", 1),
        ("30", 30),
        (" 30 ", 30),
        ("0", 1),
        ("600", 60),
        ("9" * 5000, 60),
        ("-1", 5),
        ("1.5", 5),
        ("٣", 5),
        ("soon", 5),
        ("", 5),
        (None, 5),
        (format_datetime(NOW + timedelta(seconds=20), usegmt=True), 20),
        (format_datetime(NOW + timedelta(days=20), usegmt=True), 60),
        (format_datetime(NOW - timedelta(days=20), usegmt=True), 1),
        ("Sat, 31 Jan 2026 03:13:00", 15),
        ("Sat, 99 Jan 2026 03:13:00 GMT", 5),
    ],
)
def test_retry_after(header: str | None, seconds: int) -> None:
    assert retry_after(header, NOW) == timedelta(seconds=seconds)
