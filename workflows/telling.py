"""Telling people: every channel by itself, none of them able to change an outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any
from urllib.parse import quote

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows.calls import why
from workflows.options import NOTIFY

with workflow.unsafe.imports_passed_through():
    from activities.notifications import NotificationActivities
    from lastgood.contracts import EmailOrder, Notice, SlackOrder, SnsOrder, WebhookOrder
    from lastgood.decisions.rendering.temporal_ui.markdown import summary
    from lastgood.model import ChannelFailure
    from lastgood.policy import NotifyPolicy


def here() -> str:
    """Where this run is in the Temporal UI, below the UI's own address."""
    info = workflow.info()
    parts = (info.namespace, info.workflow_id, info.run_id)
    namespace, ident, run = (quote(part, safe="") for part in parts)
    return f"/namespaces/{namespace}/workflows/{ident}/{run}/history"


async def tell(notice: Notice, notify: NotifyPolicy, region: str) -> tuple[ChannelFailure, ...]:
    """Tell everybody whom the policy names.

    Returns:
        The channels that could not be reached.
    """
    if notice.severity == "healthy" and not notify.healthy:
        return ()
    attempts = [_attempt(channel, call) for channel, call in _calls(notice, notify, region)]
    failures = await asyncio.gather(*attempts)
    return tuple(failure for failure in failures if failure)


def _calls(
    notice: Notice, notify: NotifyPolicy, region: str
) -> list[tuple[str, Coroutine[Any, Any, Any]]]:
    told: list[tuple[str, Coroutine[Any, Any, Any]]] = []

    def add(channel: str, method: Any, order: Any) -> None:
        text = summary(f"Tell {channel}: {notice.title}")
        call = workflow.execute_activity_method(method, order, summary=text, **NOTIFY)
        told.append((channel, call))

    if notify.slack:
        order = SlackOrder(notice=notice, channel=notify.slack)
        add("slack", NotificationActivities.notify_slack, order)
    if notify.email:
        mail = EmailOrder(notice=notice, channel=notify.email, region=region)
        ses = notify.email.via == "ses"
        method = (
            NotificationActivities.notify_email_ses
            if ses
            else NotificationActivities.notify_email_smtp
        )
        add("email", method, mail)
    if notify.sns:
        topic = SnsOrder(notice=notice, channel=notify.sns)
        add("sns", NotificationActivities.notify_sns, topic)
    if notify.webhook:
        hook = WebhookOrder(notice=notice, channel=notify.webhook)
        add("webhook", NotificationActivities.notify_webhook, hook)
    return told


async def _attempt(channel: str, call: Coroutine[Any, Any, Any]) -> ChannelFailure | None:
    try:
        await call
    except ActivityError as error:
        return ChannelFailure(channel=channel, error=why(error)[:300], at=workflow.now())
    return None
