"""A notice as a mail: plain text with an HTML alternative.

The rule. Every mail about one release is an answer to one mail that was never sent, so that mail
programs show them as one thread; a mail that was sent twice has the same Message-ID. No text of a
notice can add a header, and none is HTML, nor is what a template makes.
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
from lastgood.decisions.rendering.attachments import Attachment
from lastgood.decisions.rendering.text import BUILT_IN, Wording, as_text, rows, title_of, wire_key
from lastgood.model import Model

_COLOURS = {"healthy": "#1a7f37", "warning": "#9a6700", "critical": "#b42318"}
_CELL = "padding:2px 12px 2px 0;vertical-align:top"
_NOBODYS = "lastgood.invalid"


class Mail(Model):
    """What a mail says, whoever carries it."""

    subject: str
    text: str
    html: str
    message_id: str
    thread: str
    """In References and In-Reply-To: what all mails about this release have in common."""
    picture_id: str
    """What the HTML calls the picture, if it shows one: its Content-ID without brackets."""


def mail(
    notice: Notice,
    sender: str,
    words: Wording = BUILT_IN,
    picture: Attachment | None = None,
) -> Mail:
    """The mail for a notice, which may show a picture; its own ids are in the sender's domain.

    A title of the policy's own is the whole subject: some mail programs show mails as one thread
    only if their subjects are the same.
    """
    domain = sender.rpartition("@")[2]
    title = title_of(notice, 180, words)
    own = wire_key(notice)
    picture_id = _identifier(f"{own} picture", _NOBODYS).strip("<>")  # SES takes 78 characters
    return Mail(
        subject=title if words.title else f"[{notice.severity}] {title}",
        text=as_text(notice, words),
        html=_html(notice, words, _shown(picture, picture_id) if picture else ""),
        message_id=_identifier(own, domain),
        thread=_identifier(f"{notice.region} {notice.service} {notice.release}", domain),
        picture_id=picture_id,
    )


def mime(
    content: Mail,
    sender: str,
    to: Sequence[str],
    notice: Notice,
    picture: Attachment | None = None,
) -> EmailMessage:
    """The mail as MIME, with the picture that its HTML shows.

    Raises:
        ValueError: if an address holds a line break.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = ", ".join(to)
    message["Subject"] = content.subject
    message["Date"] = format_datetime(notice.at)
    message["Message-ID"] = content.message_id
    message["In-Reply-To"] = content.thread
    message["References"] = content.thread
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(content.text)
    message.add_alternative(content.html, subtype="html")
    if picture:
        _, html = message.iter_parts()
        html.add_related(
            picture.content,
            "image",
            "png",
            cid=f"<{content.picture_id}>",
            filename=picture.name,
            disposition="inline",
        )
    return message


def _shown(picture: Attachment, ident: str) -> str:
    alt = escape(one_line(picture.alt, 300))
    return f'<p><img src="cid:{ident}" alt="{alt}" style="max-width:100%"></p>'


def _identifier(text: str, domain: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:40]
    fit = domain if domain.isascii() else _NOBODYS
    return f"<lastgood.{digest}@{fit}>"


def _html(notice: Notice, words: Wording, picture: str) -> str:
    colour = _COLOURS[notice.severity]
    head = '<!doctype html><html lang="en"><body style="font:14px/1.5 sans-serif">'
    if words.text is not None:
        text = escape(as_text(notice, words))
        return f'{head}\n<div style="white-space:pre-wrap">{text}</div>{picture}</body></html>'
    table = "\n".join(
        f'<tr><td style="{_CELL};color:#57606a">{escape(label)}</td>'
        f'<td style="{_CELL}">{escape(value)}</td></tr>'
        for label, value in rows(notice)
    )
    parts = [
        head,
        f'<h1 style="font-size:18px;color:{colour}">{escape(title_of(notice, words=words))}</h1>',
        f"<p>{escape(one_line(notice.summary, 3000))}</p>",
        f"<table>{table}</table>",
        *([picture] if picture else []),
    ]
    if notice.link and notice.link.startswith(("http://", "https://")):
        link = escape(one_line(notice.link, 1000))
        parts.append(f'<p><a href="{link}">Open the workflow</a></p>')
    parts.append(f'<p style="color:#57606a">{notice.at:%Y-%m-%d %H:%M:%S} UTC</p></body></html>')
    return "\n".join(parts)
