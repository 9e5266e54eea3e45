"""A notice as the arguments of SNS's Publish.

The rule. Mail subscribers get the text, telephones the title, everything else JSON. Outcome,
severity and service are attributes, so that subscriptions can filter. On a FIFO topic a notice
that is sent twice is delivered once, and a service's notices stay in their order.
"""

from __future__ import annotations

import json
import unicodedata
from typing import Any

from lastgood.contracts import Notice
from lastgood.decisions.plain import cut, one_line
from lastgood.decisions.rendering.text import (
    BUILT_IN,
    Wording,
    as_json,
    as_text,
    key,
    title_of,
    wire_key,
)


def publication(notice: Notice, topic_arn: str, words: Wording = BUILT_IN) -> dict[str, Any]:
    """The arguments of ``sns.publish``; templates word what people read, not the JSON."""
    message = {
        "default": json.dumps(as_json(notice), ensure_ascii=False),
        "email": as_text(notice, words),
        "sms": cut(title_of(notice, words=words), 140),
    }
    arguments: dict[str, Any] = {
        "TopicArn": topic_arn,
        "Subject": subject(notice, words),
        "Message": json.dumps(message, ensure_ascii=False),
        "MessageStructure": "json",
        "MessageAttributes": _attributes(notice),
    }
    if topic_arn.endswith(".fifo"):
        arguments["MessageGroupId"] = key(notice.service)
        arguments["MessageDeduplicationId"] = wire_key(notice)
    return arguments


def subject(notice: Notice, words: Wording = BUILT_IN) -> str:
    """The title as SNS takes it: less than 100 characters of ASCII, beginning with one to see."""
    title = title_of(notice, words=words)
    plain = unicodedata.normalize("NFKD", title).replace("→", "->").replace("…", "...")
    text = plain.encode("ascii", "ignore").decode().strip()
    return text[:99].strip() or f"Lastgood: {notice.kind}"


def _attributes(notice: Notice) -> dict[str, Any]:
    values = {
        "severity": notice.severity,
        "kind": notice.kind,
        "service": notice.service,
        "release": notice.release,
        "outcome": notice.outcome.value if notice.outcome else "",
    }
    return {
        name: {"DataType": "String", "StringValue": one_line(value, 256)}
        for name, value in values.items()
        if value
    }
