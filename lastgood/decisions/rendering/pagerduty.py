"""A notice as an event of PagerDuty's Events API v2.

The rule. All events about one release have one deduplication key, so that it is one incident: a
second trigger adds to it, a resolve ends it. PagerDuty's limits hold (summary 1,024 characters,
key 255).
"""

from __future__ import annotations

from typing import Any, Literal

from lastgood.contracts import Notice
from lastgood.decisions.plain import cut, one_line
from lastgood.decisions.rendering.text import BUILT_IN, Wording, key, rows, title_of

_SEVERITIES = {"healthy": "info", "warning": "warning", "critical": "critical"}
_OWN = 10_000


def pagerduty_event(
    notice: Notice,
    words: Wording = BUILT_IN,
    *,
    action: Literal["trigger", "acknowledge", "resolve"],
    region: str,
) -> dict[str, Any]:
    """The body of an event, without its routing key, which is a secret."""
    event: dict[str, Any] = {"event_action": action, "dedup_key": incident_key(notice, region)}
    if action != "trigger":
        return event
    cluster, _, service = notice.service.partition("/")
    own = words.text
    text = one_line(notice.summary, 3000) if own is None else cut(own, _OWN)
    event["payload"] = {
        "summary": title_of(notice, 1024, words),
        "source": one_line(notice.service, 255),
        "severity": _SEVERITIES[notice.severity],
        "timestamp": notice.at.isoformat(),
        "component": one_line(service or cluster, 255),
        "group": one_line(cluster, 255),
        "class": notice.kind,
        "custom_details": {"What": text, **_details(notice)},
    }
    event["client"] = "Lastgood"
    if notice.link and notice.link.startswith(("http://", "https://")):
        link = one_line(notice.link, 1000)
        event["client_url"] = link
        event["links"] = [{"href": link, "text": "Open the workflow"}]
    return event


def incident_key(notice: Notice, region: str) -> str:
    """What all events about one release have in common."""
    return key(f"lastgood/{region}/{notice.service}/{notice.release}", 255)


def _details(notice: Notice) -> dict[str, str]:
    """The facts by their labels; those of one label one after the other."""
    details: dict[str, str] = {}
    for label, value in rows(notice):
        details[label] = f"{details[label]}; {value}" if label in details else value
    return details
