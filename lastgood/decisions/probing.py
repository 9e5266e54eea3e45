"""What one HTTP check says, in one line.

The rule. A check is good when the answer has the expected status and, if the policy asks for a
text, holds it in the first 64 KiB of its body. A redirect is an answer like any other. No answer
in time, a refused connection and broken TLS are failed checks. The line never shows a URL's query
or user, as tokens stand there.
"""

from __future__ import annotations

from datetime import timedelta

from lastgood.contracts import ProbeAnswer
from lastgood.decisions.plain import one_line
from lastgood.model import Model
from lastgood.policy_triggers import Expectation

MOST_OF_A_BODY = 64 * 1024
"""Bytes, decoded; more is not read."""


class Heard(Model):
    """What a server answered."""

    status: int
    location: str = ""
    body: bytes = b""
    """Its beginning, decoded."""


def judge(shown: str, expect: Expectation, heard: Heard, milliseconds: float) -> ProbeAnswer:
    """Whether an answer is the expected one. ``shown``: the URL without query and user."""
    text = f"GET {shown} answered {heard.status} in {milliseconds:,.0f} ms"
    ok = heard.status == expect.status
    if not ok:
        where = f", leading to {public(heard.location)} (not followed)" if heard.location else ""
        text += f"{where} (expected {expect.status})"
    elif expect.contains is not None and expect.contains.encode() not in heard.body:
        ok = False
        text += f", without {one_line(expect.contains, 60)!r} in its first 64 KiB"
    return ProbeAnswer(ok=ok, text=text, status=heard.status, milliseconds=milliseconds)


def no_answer(shown: str, why: str, milliseconds: float) -> ProbeAnswer:
    """A check that got no usable answer, and why."""
    text = f"GET {shown}: {one_line(why, 160)}"
    return ProbeAnswer(ok=False, text=text, milliseconds=milliseconds)


def too_late(timeout: timedelta) -> str:
    """Why there was no answer, if time ran out: ``no answer within 5 s``."""
    return f"no answer within {timeout.total_seconds():g} s"


def public(url: str) -> str:
    """A URL, or a redirect's target, without user, query and fragment; at most 120 characters."""
    path = url.partition("?")[0].partition("#")[0]
    scheme, slashes, rest = path.partition("//")
    host, slash, tail = rest.partition("/")
    return one_line(scheme + slashes + host.rpartition("@")[2] + slash + tail, 120)
