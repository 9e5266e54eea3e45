"""What the policy's own templates make of a notice; what is broken is told in the built-in words.

Templates are checked when a policy is read, so that this is rare: nothing is lost by it.
"""

from __future__ import annotations

import json

from temporalio import activity

from lastgood.contracts import Notice
from lastgood.decisions.plain import one_line
from lastgood.decisions.rendering.slack import slack_escape
from lastgood.decisions.rendering.text import Wording
from lastgood.message_templates import BrokenTemplateError, render, values_of
from lastgood.policy_notify import Channel


def worded(notice: Notice, channel: Channel, kind: str) -> tuple[Notice, Wording]:
    """The notice, and how a channel of this kind words it.

    A template that fails leaves the built-in words, and a fact that says so.
    """
    if channel.title is None and channel.template is None:
        return notice, Wording()
    try:
        return notice, _own(notice, channel, kind)
    except BrokenTemplateError as error:
        activity.logger.warning("A template of %s could not be used: %s", kind, error)
        note = one_line(f"could not be used, so this is the built-in text: {error}", 300)
        return notice.model_copy(update={"facts": (*notice.facts, ("Template", note))}), Wording()


def _own(notice: Notice, channel: Channel, kind: str) -> Wording:
    values = values_of(notice)
    title = one_line(render(channel.title, values), 200) if channel.title else None
    if channel.template is None:
        return Wording(title or None)
    text = render(channel.template, values, slack_escape if kind == "slack" else str)
    if kind == "webhook":
        try:
            json.loads(text)
        except ValueError:
            raise BrokenTemplateError("it made no JSON") from None
    return Wording(title or None, text)
