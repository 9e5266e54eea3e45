"""Where notices arrive: a Slack and webhook stand-in over HTTP, and a mail server with TLS."""

from __future__ import annotations

import datetime as dt
import email
import ipaddress
import json
import ssl
import threading
import time
from dataclasses import dataclass
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sandbox.scenarios.demo.parts import free_port

URL_SECRET = "T0KEN-in-the-url-4711"
PASSWORD = "hush-T0KEN-42"
USER = "lastgood"
SECRETS = (URL_SECRET, PASSWORD)


@dataclass(frozen=True)
class Post:
    """One POST, and what it was answered."""

    at: float
    way: str
    """The path without the secret: ``ok``, ``broken``, ``busy``, ``late``, ``hook``."""
    body: dict[str, Any]
    text: str
    key: str | None
    status: int


class HttpReceiver:
    """Answers POSTs by their path, and GETs of a smoke test that takes its time."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        self.asked: dict[str, list[float]] = {}
        """When each path was asked for with GET."""
        self.down: set[str] = set()
        """Paths that answer GET with 503: something outside that a service needs."""
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver._post(self)

            def do_GET(self) -> None:
                receiver._get(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def url(self, way: str) -> str:
        """The address of one way of answering; its path is a secret."""
        return f"{self.address}/{way}/{URL_SECRET}"

    def about(self, service: str, *ways: str) -> list[Post]:
        """The posts about one service, oldest first."""
        with self._lock:
            return [p for p in self.posts if service in p.text and (not ways or p.way in ways)]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _post(self, handler: BaseHTTPRequestHandler) -> None:
        text = handler.rfile.read(int(handler.headers.get("Content-Length", 0))).decode()
        way = handler.path.split("/")[1]
        with self._lock:
            again = text in self._busy
            self._busy.add(text)
        status = {"broken": 500, "busy": 200 if again else 429}.get(way, 200)
        key = handler.headers.get("Idempotency-Key")
        post = Post(time.time(), way, json.loads(text), text, key, status)
        with self._lock:
            self.posts.append(post)
        if way == "late" and not again:
            time.sleep(3)
        _answer(handler, status, {"Retry-After": "1"} if status == 429 else {})

    def _get(self, handler: BaseHTTPRequestHandler) -> None:
        with self._lock:
            first = handler.path not in self.asked
            self.asked.setdefault(handler.path, []).append(time.time())
        down = handler.path in self.down
        if first and handler.path.startswith("/smoke/"):
            time.sleep(3)
        _answer(handler, 503 if down else 200, {})


def _answer(handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
    try:
        handler.send_response(status)
        for name, value in {**headers, "Content-Length": "2"}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(b"ok")
    except (BrokenPipeError, ConnectionResetError):
        return  # who asked was killed meanwhile


class MailServer:
    """Takes mails after STARTTLS and a login; `certificate` is what clients must trust."""

    def __init__(self, folder: Path) -> None:
        self.mails: list[Message] = []
        self.logins: list[str] = []
        self.certificate, key = _certificate(folder)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self.certificate, key)
        self._controller = Controller(
            self,
            "127.0.0.1",
            port=free_port(),
            tls_context=tls,
            require_starttls=True,
            auth_required=True,
            authenticator=self._authenticate,
        )
        self._controller.start()
        self.port: int = self._controller.port

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        self.mails.append(email.message_from_bytes(envelope.content, policy=default))
        return "250 OK"

    def about(self, service: str) -> list[Message]:
        """The mails about one service, oldest first."""
        return [one for one in self.mails if service in str(one["Subject"])]

    def stop(self) -> None:
        self._controller.stop()

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login.decode())
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(secret, hashes.SHA256())
    )
    public, private = folder / "mail.pem", folder / "mail.key"
    public.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return public, private
