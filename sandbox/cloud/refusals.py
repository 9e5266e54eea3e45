"""Error answers in each service's wire format."""

import json
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

_JSON = {"ecs", "ecr", "logs", "events", "tagging"}
_QUERY_CODES = {"AccessDeniedException": "AccessDenied", "ThrottlingException": "Throttling"}


class Refusal(NamedTuple):
    """An error that the sandbox answers with, instead of carrying out a call."""

    kind: str
    status: int
    code: str
    message: str


def refuse(
    refusal: Refusal, service: str, environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """Answer with an error as the service writes it."""
    content_type = environ.get("CONTENT_TYPE", "")
    headers: list[tuple[str, str]] = []
    if "cbor" in content_type:
        body = _cbor({"__type": refusal.code, "message": refusal.message})
        headers = [("smithy-protocol", "rpc-v2-cbor"), ("Content-Type", "application/cbor")]
    elif "x-www-form-urlencoded" in content_type and service not in _JSON:
        body = _query(refusal, service).encode()
        headers = [("Content-Type", "text/xml")]
    else:
        body = json.dumps({"__type": refusal.code, "message": refusal.message}).encode()
        headers = [
            ("Content-Type", "application/x-amz-json-1.1"),
            ("x-amzn-ErrorType", refusal.code),
        ]
    headers.append(("Content-Length", str(len(body))))
    reason = "Bad Request" if refusal.status < 500 else "Internal Server Error"
    start_response(f"{refusal.status} {reason}", headers)
    return [body]


def _query(refusal: Refusal, service: str) -> str:
    code = _QUERY_CODES.get(refusal.code, refusal.code)
    error = f"<Code>{code}</Code><Message>{escape(refusal.message)}</Message>"
    if service == "ec2":
        return (
            f"<Response><Errors><Error>{error}</Error></Errors>"
            "<RequestID>sandbox</RequestID></Response>"
        )
    return (
        f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error>"
        "<RequestId>sandbox</RequestId></ErrorResponse>"
    )


def _cbor(texts: dict[str, str]) -> bytes:
    """Return a map of fewer than 24 short texts in CBOR."""

    def text(value: str) -> bytes:
        data = value.encode()
        head = bytes([0x60 + len(data)]) if len(data) < 24 else bytes([0x78, len(data)])
        return head + data

    return bytes([0xA0 + len(texts)]) + b"".join(text(k) + text(v) for k, v in texts.items())
