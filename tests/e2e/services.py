"""Slack's Web API, PagerDuty's Events API and a Teams webhook, as they look from outside.

One HTTP server. What it is told to do wrong, it does once for each time it was told: ``busy`` is
429 with Retry-After, ``down`` is 503, ``lost`` carries the request out and hangs up unanswered;
anything else is Slack's word for a refusal.
"""

from __future__ import annotations

import itertools
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

TOKEN = "xoxb-T0KEN-4712"
ROUTING_KEY = "r0uting-T0KEN-of-32-characters-1"
TEAMS_SECRET = "T0KEN-in-the-signature-4713"
SECRETS = (TOKEN, ROUTING_KEY, TEAMS_SECRET)
CHANNEL = "C0123456789"
_ERRORS = {"busy": 429, "down": 503}


@dataclass
class Request:
    """One request, and whether it was answered."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    raw: bytes


@dataclass
class Incident:
    """An incident at PagerDuty, with the actions that made it what it is."""

    status: str
    actions: list[str] = field(default_factory=list)
    summaries: list[str] = field(default_factory=list)


class Services:
    """The server, and what it knows."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.messages: list[dict[str, Any]] = []
        """Slack's, as they are now."""
        self.incidents: dict[str, list[Incident]] = {}
        """PagerDuty's, by their key: a key may have one after the other."""
        self.cards: list[dict[str, Any]] = []
        self.faults: dict[str, list[str]] = {}
        """What the last part of a path does wrong next."""
        self.scopes = {"chat:write", "channels:history", "files:write"}
        self.uploads: dict[str, bytes] = {}
        """Slack's files, by their ids."""
        self.shared: list[dict[str, Any]] = []
        """Which of them were put where."""
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        services = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                services._post(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.02])
        self._thread.start()

    @property
    def slack_api(self) -> str:
        return f"{self.address}/api"

    @property
    def teams_url(self) -> str:
        return f"{self.address}/workflows/1/invoke?sig={TEAMS_SECRET}"

    def told(self, method: str) -> list[Request]:
        """The requests of one method, oldest first."""
        with self._lock:
            return [one for one in self.requests if one.path.endswith(method)]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _post(self, handler: BaseHTTPRequestHandler) -> None:
        raw = handler.rfile.read(int(handler.headers["Content-Length"]))
        path = handler.path.partition("?")[0]
        body = _body(handler.headers["Content-Type"], raw)
        with self._lock:
            self.requests.append(Request(path, dict(handler.headers), body, raw))
            waiting = self.faults.get(path.rsplit("/", 1)[-1]) or []
            fault = waiting.pop(0) if waiting else ""
            status, answer = 200, {"ok": False, "error": fault}
            if fault in _ERRORS:
                status, answer = _ERRORS[fault], {}
            elif fault in ("", "lost"):
                status, answer = self._carry_out(path, body, handler)
        if fault == "lost":
            handler.close_connection = True
            return
        text = json.dumps(answer).encode()
        handler.send_response(status)
        if status == 429:
            handler.send_header("Retry-After", "1")
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    def _carry_out(
        self, path: str, body: dict[str, Any], handler: BaseHTTPRequestHandler
    ) -> tuple[int, dict[str, Any]]:
        if path == "/v2/enqueue":
            return self._event(body)
        if path == "/workflows/1/invoke":
            self.cards.append(body)
            return 202, {}
        if path.startswith("/upload/"):
            self.uploads[path.removeprefix("/upload/")] = body["content"]
            return 200, {}
        if handler.headers["Authorization"] != f"Bearer {TOKEN}":
            return 200, {"ok": False, "error": "invalid_auth"}
        if body.get("channel", body.get("channel_id", CHANNEL)) != CHANNEL:
            return 200, {"ok": False, "error": "channel_not_found"}
        method = {
            "files.getUploadURLExternal": self._upload_url,
            "files.completeUploadExternal": self._share,
            "chat.postMessage": self._message,
            "chat.update": self._update,
            "conversations.history": self._history,
            "conversations.replies": self._history,
        }[path.removeprefix("/api/")]
        error = method(body)
        return 200, {"ok": False, "error": error} if isinstance(error, str) else error

    def _message(self, body: dict[str, Any]) -> dict[str, Any] | str:
        parent = body.get("thread_ts")
        if parent and not any(one["ts"] == parent for one in self.messages):
            return "thread_not_found"
        ts = f"1769829165.{next(self._numbers):06d}"
        self.messages.append({**body, "ts": ts})
        return {"ok": True, "channel": CHANNEL, "ts": ts}

    def _update(self, body: dict[str, Any]) -> dict[str, Any] | str:
        for one in self.messages:
            if one["ts"] == body["ts"]:
                one |= body
                return {"ok": True, "channel": CHANNEL, "ts": body["ts"]}
        return "message_not_found"

    def _history(self, body: dict[str, Any]) -> dict[str, Any] | str:
        if "channels:history" not in self.scopes:
            return "missing_scope"
        of = body.get("ts")
        found = [m for m in self.messages if m.get("thread_ts") == of or (of and m["ts"] == of)]
        return {"ok": True, "messages": found}

    def _upload_url(self, body: dict[str, Any]) -> dict[str, Any] | str:
        if "files:write" not in self.scopes:
            return "missing_scope"
        ident = f"F{next(self._numbers)}"
        return {"ok": True, "upload_url": f"{self.address}/upload/{ident}", "file_id": ident}

    def _share(self, body: dict[str, Any]) -> dict[str, Any] | str:
        if any(one["id"] not in self.uploads for one in body["files"]):
            return "file_not_found"
        self.shared.append(body)
        return {"ok": True, "files": body["files"]}

    def _event(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if body.get("routing_key") != ROUTING_KEY:
            return 400, {"status": "invalid event", "errors": [f"bad {body.get('routing_key')}"]}
        action, found = body["event_action"], self.incidents.setdefault(body["dedup_key"], [])
        alive = found[-1] if found and found[-1].status != "resolved" else None
        if action == "trigger" and alive is None:
            alive = Incident("triggered")
            found.append(alive)
        if alive:  # else it is dropped, as PagerDuty does
            alive.actions.append(action)
            changed = {"acknowledge": "acknowledged", "resolve": "resolved"}
            alive.status = changed.get(action, alive.status)
            alive.summaries += [body["payload"]["summary"]] if "payload" in body else []
        return 202, {"status": "success", "dedup_key": body["dedup_key"]}


def _body(kind: str, raw: bytes) -> dict[str, Any]:
    if kind.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(raw.decode()))
    if kind.startswith("image/"):
        return {"content": raw}
    body: dict[str, Any] = json.loads(raw)
    return body
