"""A notice as a mail: plain text with an HTML alternative.

The rule. Every mail about one release belongs to one thread, and a mail that was sent twice has
the same Message-ID. No text of a notice can add a header, and none is HTML.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape

from lastgood.contracts import Notice
from lastgood.decisions.plain import one_line
from lastgood.decisions.rendering.text import as_text, rows, title_of
from lastgood.model import Model

_COLOURS = {"healthy": "#1a7f37", "warning": "#9a6700", "critical": "#b42318"}
_CELL = "padding:2px 12px 2px 0;vertical-align:top"


class Mail(Model):
    """What a mail says, whoever carries it."""

    subject: str
    text: str
    html: str
    message_id: str
    thread: str
    """In References: what all mails about this release have in common."""


def mail(notice: Notice, sender: str) -> Mail:
    """The mail for a notice; its ids are in the sender's domain."""
    domain = sender.rpartition("@")[2]
    return Mail(
        subject=f"[{notice.severity}] {title_of(notice, 180)}",
        text=as_text(notice),
        html=_html(notice),
        message_id=_identifier(notice.dedup, domain),
        thread=_identifier(f"{notice.service} {notice.release}", domain),
    )


def mime(content: Mail, sender: str, to: Sequence[str], notice: Notice) -> EmailMessage:
    """The mail as MIME.

    Raises:
        ValueError: if an address holds a line break.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = ", ".join(to)
    message["Subject"] = content.subject
    message["Date"] = format_datetime(notice.at)
    message["Message-ID"] = content.message_id
    message["References"] = content.thread
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(content.text)
    message.add_alternative(content.html, subtype="html")
    return message


def _identifier(text: str, domain: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:40]
    fit = domain if domain.isascii() else "lastgood.invalid"
    return f"<lastgood.{digest}@{fit}>"


def _html(notice: Notice) -> str:
    colour = _COLOURS[notice.severity]
    table = "\n".join(
        f'<tr><td style="{_CELL};color:#57606a">{escape(label)}</td>'
        f'<td style="{_CELL}">{escape(value)}</td></tr>'
        for label, value in rows(notice)
    )
    parts = [
        '<!doctype html><html lang="en"><body style="font:14px/1.5 sans-serif">',
        f'<h1 style="font-size:18px;color:{colour}">{escape(title_of(notice))}</h1>',
        f"<p>{escape(one_line(notice.summary, 3000))}</p>",
        f"<table>{table}</table>",
    ]
    if notice.link and notice.link.startswith(("http://", "https://")):
        link = escape(one_line(notice.link, 1000))
        parts.append(f'<p><a href="{link}">Open the workflow</a></p>')
    parts.append(f'<p style="color:#57606a">{notice.at:%Y-%m-%d %H:%M:%S} UTC</p></body></html>')
    return "\n".join(parts)
