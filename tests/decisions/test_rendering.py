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
from lastgood.decisions.rendering.attachments import Attachment
from lastgood.decisions.rendering.mail import mail, mime
from lastgood.decisions.rendering.pagerduty import incident_key, pagerduty_event
from lastgood.decisions.rendering.signing import sign, signature_headers
from lastgood.decisions.rendering.slack import slack_message, slack_text, slack_update
from lastgood.decisions.rendering.sns import publication, subject
from lastgood.decisions.rendering.teams import teams_message
from lastgood.decisions.rendering.text import BUILT_IN, Wording, as_json, as_text, key, wire_key
from lastgood.decisions.rendering.waiting import retry_after
from lastgood.message_templates import values_of
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
        "region": "eu-west-1",
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
        "region": "eu-west-1",
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
    assert arguments["MessageDeduplicationId"] == "eu-west-1/shop/web/run-17/held"


ELSEWHERE = [{"service": "shop/api"}, {"region": "us-east-1"}]
"""What another notice with the same ``dedup`` may be about: two services under one release id."""


@pytest.mark.parametrize("changes", ELSEWHERE, ids=str)
def test_no_two_services_share_a_key(changes: dict[str, str]) -> None:
    own, other = notice(), notice(**changes)
    assert own.dedup == other.dedup
    assert wire_key(own) == wire_key(notice()) != wire_key(other)
    fifo = [publication(one, TOPIC + ".fifo") for one in (own, other)]
    assert len({one["MessageDeduplicationId"] for one in fifo}) == 2
    mails = [mail(one, "a@b.test") for one in (own, other)]
    for what in ("message_id", "picture_id", "thread"):
        assert len({getattr(one, what) for one in mails}) == 2, what
    assert values_of(own)["key"] != values_of(other)["key"]
    assert as_json(other) | changes == as_json(other), "JSON says which one it is"


def test_a_notice_of_an_older_version_has_a_key_too() -> None:
    old = {name: value for name, value in notice().model_dump().items() if name != "region"}
    assert Notice.model_validate(old).region == ""
    assert len(wire_key(Notice.model_validate(old))) == 64


@pytest.mark.parametrize("domain", ["b.test", f"{'long.' * 20}test", "bücher.test"])
def test_a_pictures_id_is_short_enough_for_ses(domain: str) -> None:
    content = mail(notice(), f"deploys@{domain}", picture=Attachment("a.png", b"png", "It rose"))
    assert 1 <= len(content.picture_id) <= 78
    assert f"cid:{content.picture_id}" in content.html


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


PNG = Attachment("error-rate.png", b"\x89PNG...", 'Error rate > "5 %"')


@pytest.mark.parametrize("words", [BUILT_IN, Wording(None, "mine")])
def test_a_mail_shows_its_picture_and_says_what_it_is(words: Wording) -> None:
    content = mail(notice(), "a@b.test", words, PNG)
    message = mime(content, "a@b.test", ["c@d.test"], notice(), PNG)
    text, related = message.iter_parts()
    html, picture = related.iter_parts()
    assert text.get_content_type() == "text/plain"
    shown = html.get_content()
    assert f'src="cid:{content.picture_id}" alt="Error rate &gt; &quot;5 %&quot;"' in shown
    assert picture["Content-ID"] == f"<{content.picture_id}>"
    assert picture.get_content_disposition() == "inline"
    assert (picture.get_filename(), picture.get_content()) == (PNG.name, PNG.content)
    assert "<img" not in mail(notice(), "a@b.test", words).html


# --- PagerDuty -----------------------------------------------------------------------------------


def test_a_trigger_says_everything() -> None:
    event = pagerduty_event(notice(), action="trigger", region="eu-west-1")
    assert event == {
        "event_action": "trigger",
        "dedup_key": "lastgood/eu-west-1/shop/web/run-17",
        "payload": {
            "summary": "shop/web: release run-17 is held",
            "source": "shop/web",
            "severity": "critical",
            "timestamp": "2026-01-31T03:12:45+00:00",
            "component": "web",
            "group": "shop",
            "class": "held",
            "custom_details": {
                "What": "error-rate 8.0 % (threshold 5 %).",
                "Trigger": "error-rate",
                "From": "web:41",
            },
        },
        "client": "Lastgood",
        "client_url": "http://temporal.test/w?a=1&b=2",
        "links": [{"href": "http://temporal.test/w?a=1&b=2", "text": "Open the workflow"}],
    }


@pytest.mark.parametrize("action", ["acknowledge", "resolve"])
def test_other_events_name_the_incident_and_nothing_else(action: Any) -> None:
    event = pagerduty_event(notice(), action=action, region="eu-west-1")
    assert event == {
        "event_action": action,
        "dedup_key": pagerduty_event(notice(), action="trigger", region="eu-west-1")["dedup_key"],
    }


def test_pagerdutys_limits_hold_and_no_fact_is_lost() -> None:
    facts = (("Alarm", "one"), ("Alarm", "two"), (HOSTILE, "x" * 9000))
    full = notice(title="x" * 5000, release="r" * 400, facts=facts, link="javascript:alert(1)")
    event = pagerduty_event(full, action="trigger", region="eu-west-1")
    assert len(event["payload"]["summary"]) <= 1024
    assert len(event["dedup_key"]) <= 255
    assert event["payload"]["custom_details"]["Alarm"] == "one; two"
    assert "javascript" not in json.dumps(event)
    assert "\x1b" not in json.dumps(event, ensure_ascii=False)


def test_a_release_of_the_same_name_elsewhere_is_another_incident() -> None:
    keys = {incident_key(notice(), "eu-west-1"), incident_key(notice(), "us-east-1")}
    keys |= {incident_key(notice(service="shop/api"), "eu-west-1")}
    keys |= {incident_key(notice(release="run-18"), "eu-west-1")}
    assert len(keys) == 4


# --- Teams ---------------------------------------------------------------------------------------


def texts(card: dict[str, Any]) -> list[str]:
    """All texts of a card that are read as they are, one for each paragraph."""
    blocks = [*card["body"][0]["items"], *card["body"][1:]]
    assert {one["type"] for one in blocks} == {"RichTextBlock"}, "TextBlocks read Markdown"
    return ["".join(run["text"] for run in one["inlines"]) for one in blocks]


def card_of(message: dict[str, Any]) -> dict[str, Any]:
    (attachment,) = message["attachments"]
    assert message["type"] == "message"
    card: dict[str, Any] = attachment["content"]
    return card


def test_a_card_says_everything() -> None:
    card = card_of(teams_message(notice()))
    assert card["body"][0]["style"] == "attention"
    assert texts(card) == [
        "🔴 shop/web: release run-17 is held",
        "error-rate 8.0 % (threshold 5 %).",
        "Trigger: error-rate",
        "From: web:41",
        "2026-01-31 03:12:45 UTC · run-17/held",
    ]
    assert [one["url"] for one in card["actions"]] == ["http://temporal.test/w?a=1&b=2"]
    assert "actions" not in card_of(teams_message(notice(link="javascript:alert(1)")))


def test_a_card_works_out_no_dates() -> None:
    card = card_of(teams_message(notice(summary="{{DATE(2017-02-14T06:00:00Z, SHORT)}}")))
    assert "{{" not in str(texts(card))


@pytest.mark.parametrize("letter", ["x", "ü", "日", "👩"])
def test_a_card_is_never_too_large_for_teams(letter: str) -> None:
    many = tuple((f"Alarm {number}", letter * 3000) for number in range(300))
    full = notice(summary=letter * 9000, title=letter * 900, facts=many, dedup=letter * 900)
    for words in (BUILT_IN, Wording(letter * 900, f"{letter * 50}\n" * 600)):
        message = teams_message(full, words)
        assert len(json.dumps(message, ensure_ascii=False).encode()) < 20_000
    assert "more: see the workflow" in texts(card_of(teams_message(full)))[-2]


# --- A policy's own words ------------------------------------------------------------------------

OWN = Wording("Mine <b>", "First <b> line\n\nsecond & line")


def test_own_words_in_every_form() -> None:
    header, own, footer = slack_message(notice(), OWN)["blocks"]
    assert header["text"]["text"] == "🔴 Mine &lt;b&gt;"
    assert own["text"]["text"] == OWN.text, "it was escaped as it was made"
    assert "run-17/held" in footer["elements"][0]["text"]
    content = mail(notice(), "a@b.test", OWN)
    assert content.subject == "Mine <b>"
    assert content.text == "First <b> line\n\nsecond & line\n"
    assert "First &lt;b&gt; line\n\nsecond &amp; line" in content.html
    arguments = publication(notice(), TOPIC, OWN)
    said = json.loads(arguments["Message"])
    assert (arguments["Subject"], said["sms"]) == ("Mine <b>", "Mine <b>")
    assert said["email"] == content.text
    assert json.loads(said["default"]) == as_json(notice()), "what machines read stays"
    event = pagerduty_event(notice(), OWN, action="trigger", region="")
    assert event["payload"]["summary"] == "Mine <b>"
    assert event["payload"]["custom_details"]["What"] == OWN.text
    assert texts(card_of(teams_message(notice(), OWN)))[:3] == [
        "🔴 Mine <b>",
        "First <b> line",
        "second & line",
    ]
    assert as_json(notice(), OWN)["title"] == "Mine <b>"


def test_own_words_that_are_too_long_are_cut_but_not_within_an_entity() -> None:
    for text in ("&amp;" * 2000, "x&lt;" * 2000, "x" * 9000):
        message = slack_message(notice(), Wording(None, text))
        check_slack(message)
        shown = message["blocks"][1]["text"]["text"].removesuffix("…")
        assert not shown.replace("&amp;", "").replace("&lt;", "").replace("x", "")


def test_own_words_that_say_nothing_leave_title_and_footer() -> None:
    message = slack_message(notice(), Wording(None, ""))
    check_slack(message)
    assert [block["type"] for block in message["blocks"]] == ["header", "context"]


def test_the_first_message_of_a_thread_says_how_the_release_stands() -> None:
    later = notice(severity="healthy", title="all well", summary="done")
    message = slack_update((notice(), BUILT_IN), (later, BUILT_IN))
    check_slack(message)
    assert message["blocks"][0]["text"]["text"] == "🟢 all well"
    assert message["blocks"][1] == slack_message(notice())["blocks"][1]
    assert message["text"] == "all well — done"


# --- Signatures ----------------------------------------------------------------------------------


def test_a_signature_as_the_specifications_example_has_it() -> None:
    secret, ident = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    signature = sign(secret, ident, 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    headers = signature_headers(secret, "run-17/held", 7, b"{}")
    again = sign(secret, headers["webhook-id"], 7, b"{}")
    assert (headers["webhook-timestamp"], headers["webhook-signature"]) == ("7", again)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!!!", "whsec_YQ==", "abc", "whsec_" * 2])
def test_what_is_no_secret_is_refused_and_not_repeated(secret: str) -> None:
    if not secret:
        assert signature_headers(secret, "k", 1, b"")["webhook-signature"] == ""
        return
    with pytest.raises(ValueError, match="must be whsec_ and 24 to 64 bytes") as caught:
        signature_headers(secret, "k", 1, b"")
    assert "!!!" not in str(caught.value)
