"""The front door: finds out what is called, applies faults, lets one request in at a time."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from sandbox.cloud.faults import Faults
from sandbox.cloud.journal import Call, Journal
from sandbox.cloud.refusals import Refusal, refuse
from sandbox.cloud.validation import refusal_of, simulated

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]
_REST_ACTIONS = {
    ("POST", "/v2/email/outbound-emails"): "SendEmail",
    ("POST", "/v2/email/identities"): "CreateEmailIdentity",
}


def identify(environ: Environ, body: bytes) -> tuple[str, str]:
    """Return service and action of a request, as far as they can be told."""
    scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].split("/")
    service = scope[3] if len(scope) > 4 else ""
    path = environ.get("PATH_INFO", "")
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return service, target.rsplit(".", 1)[-1]
    if "/operation/" in path:
        return service, path.rsplit("/", 1)[-1]
    if "x-www-form-urlencoded" in environ.get("CONTENT_TYPE", ""):
        action = parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]
        return service, action
    method = environ.get("REQUEST_METHOD", "")
    return service, _REST_ACTIONS.get((method, path), f"{method} {path}")


class Gate:
    """A WSGI application around moto's and the control API's."""

    def __init__(
        self,
        moto: Wsgi,
        control: Wsgi,
        lock: threading.RLock,
        faults: Faults,
        journal: Journal,
    ) -> None:
        self._moto = moto
        self._control = control
        self._lock: Any = lock
        self._faults = faults
        self._journal = journal

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one HTTP request."""
        if environ.get("PATH_INFO", "").startswith("/sandbox/"):
            return self._control(environ, start_response)
        body = _take_body(environ)
        service, action = identify(environ, body)
        call = self._journal.begin(service, action, _about(body))
        refusal = self._refusal(action) or refusal_of(action, body, self._faults)
        if refusal is not None:
            call.fault, call.status = refusal.kind, refusal.status
            return refuse(refusal, service, environ, start_response)
        if action == "SimulatePrincipalPolicy":
            call.status = 200
            return _xml(simulated(body, self._faults), start_response)
        return self._carry_out(environ, start_response, call)

    def _refusal(self, action: str) -> Refusal | None:
        if self._faults.take("deny", action):
            message = f"User is not authorized to perform: {action}"
            return Refusal("deny", 400, "AccessDeniedException", message)
        if self._faults.take("unsupported", action):
            message = f"{action} is not supported in this Region."
            return Refusal("unsupported", 400, "UnsupportedFeatureException", message)
        if self._faults.take("throttle", action):
            return Refusal("throttle", 400, "ThrottlingException", "Rate exceeded")
        if self._faults.take("error", action):
            return Refusal("error", 500, "ServerException", "Service Unavailable")
        return None

    def _carry_out(
        self, environ: Environ, start_response: StartResponse, call: Call
    ) -> Iterable[bytes]:
        answer: list[Any] = []

        def remember(status: str, headers: list[tuple[str, str]], *_: object) -> None:
            answer[:] = [status, headers]

        with self._lock:
            content = b"".join(self._moto(environ, remember))
        call.status = int(answer[0].split(" ", 1)[0])
        if fault := self._faults.take("delay", call.action):
            call.fault = "delay"
            time.sleep(fault.seconds)
        if self._faults.take("lose_answer", call.action):
            call.fault, call.answered = "lose_answer", False
            _hang_up(environ)
            return []
        start_response(*answer)
        return [content]


def _hang_up(environ: Environ) -> None:
    """Close the connection with no answer."""
    connection = environ["werkzeug.socket"]
    connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError("the answer is lost, as asked for")


def _xml(content: bytes, start_response: StartResponse) -> Iterable[bytes]:
    headers = [("Content-Type", "text/xml"), ("Content-Length", str(len(content)))]
    start_response("200 OK", headers)
    return [content]


def _take_body(environ: Environ) -> bytes:
    import io

    length = int(environ.get("CONTENT_LENGTH") or 0)
    body: bytes = environ["wsgi.input"].read(length) if length else b""
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _about(body: bytes) -> str:
    """Return what a JSON call is about: its service, or the first of its services."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(parsed, dict):
        return ""
    if "serviceDeploymentArn" in parsed:
        return str(parsed["serviceDeploymentArn"]).split("/")[-2:][0]
    found = parsed.get("service") or parsed.get("serviceName") or parsed.get("services")
    first = found[0] if isinstance(found, list) and found else found
    return str(first).rsplit("/", 1)[-1] if first else ""
