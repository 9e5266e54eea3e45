"""How a webhook's receiver knows that a request came from us: Standard Webhooks.

The rule. Three headers: an id, the same for each copy of a notice; the time of sending, so that an
old request cannot be sent again by somebody else; and HMAC-SHA256 over both and the body, in
base64. A secret is ``whsec_`` and base64 of 24 to 64 random bytes. Several secrets, with white
space between them, make several signatures: so a secret is replaced without a gap.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

_LEAST, _MOST = 24, 64
"""Bytes of a secret, as the specification has it."""


def signature_headers(secrets: str, key: str, at: int, body: bytes) -> dict[str, str]:
    """The headers that sign a request.

    Args:
        secrets: one or more, with white space between them.
        key: the notice's key.
        at: when it is sent, in Unix time.
        body: exactly as it is sent.

    Raises:
        ValueError: if a secret is none; without the secret.
    """
    ident = f"msg_{hashlib.sha256(key.encode('utf-8', 'replace')).hexdigest()[:32]}"
    return {
        "webhook-id": ident,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(sign(one, ident, at, body) for one in secrets.split()),
    }


def sign(secret: str, ident: str, at: int, body: bytes) -> str:
    """One signature.

    Raises:
        ValueError: if the secret is none; without the secret.
    """
    signed = f"{ident}.{at}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(_key(secret), signed, 'sha256')).decode()}"


def _key(secret: str) -> bytes:
    kind, _, rest = secret.partition("_")
    try:
        key = base64.b64decode(rest, validate=True)
    except ValueError:
        key = b""
    if kind != "whsec" or not _LEAST <= len(key) <= _MOST:
        raise ValueError("must be whsec_ and 24 to 64 bytes in base64")
    return key
