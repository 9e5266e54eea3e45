"""Mails through mail servers on real sockets: TLS, passwords, refusals, servers that drip."""

import contextlib
import datetime as dt
import email
import ipaddress
import socket
import ssl
import threading
import traceback
from collections.abc import Callable, Iterator
from email.message import Message
from email.policy import default
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.channels import ChannelActivities
from activities.notifications import NotificationActivities
from activities.posting import Poster
from activities.smtp import Account
from lastgood.contracts import ChannelFacts, ChannelQuery, EmailOrder, Notice
from lastgood.policy import EmailChannel, SmtpServer

PASSWORD = "hush-T0KEN-42"
SECRETS = {"USER_NAME": "lastgood", "PASSWORD": PASSWORD}
WITH_ACCOUNT = {"username": "env:USER_NAME", "password": "env:PASSWORD"}


class Mailbox:
    """What a mail server took, and from whom."""

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.recipients: list[list[str]] = []
        self.logins: list[str] = []
        self.refuse: dict[str, str] = {}
        """SMTP's answer by command."""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.refuse.get("RCPT") or self.refuse.get(address)
        if answer:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - as above
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if "DATA" in self.refuse:
            return self.refuse["DATA"]
        assert isinstance(envelope.content, bytes)
        self.mails.append(email.message_from_bytes(envelope.content, policy=default))
        self.recipients.append(envelope.rcpt_tos)
        return "250 OK"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.password.decode())
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context for 127.0.0.1, and a client's that trusts it."""
    folder = tmp_path_factory.mktemp("tls")
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
    public, private = folder / "public.pem", folder / "private.pem"
    public.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(public, private)
    return server, ssl.create_default_context(cafile=public)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


StartServer = Callable[..., SmtpServer]


@pytest.fixture
def start(mailbox: Mailbox) -> Iterator[StartServer]:
    """Starts a mail server and says how a policy names it."""
    with contextlib.ExitStack() as running:

        def begin(policy: dict[str, Any], **options: Any) -> SmtpServer:
            controller = Controller(
                mailbox,
                "127.0.0.1",
                port=free_port(),
                authenticator=mailbox.authenticate,
                **options,
            )
            controller.start()
            running.callback(controller.stop)
            return SmtpServer(host="127.0.0.1", port=controller.port, **policy)

        yield begin


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def notice(**changes: Any) -> Notice:
    values: dict[str, Any] = {
        "dedup": "run-17/ended",
        "kind": "ended",
        "severity": "critical",
        "title": "shop/web: release run-17 was rolled back",
        "summary": "error-rate 8.0 % → too much",
        "facts": (("Measured", "8.0 % (threshold 5 %)"),),
        "service": "shop/web",
        "release": "run-17",
        "at": dt.datetime(2026, 1, 31, 3, 12, 45, tzinfo=dt.UTC),
    }
    return Notice.model_validate(values | changes)


async def send(
    server: SmtpServer,
    trust: ssl.SSLContext | None = None,
    deadline: float = 20.0,
    to: tuple[str, ...] = ("oncall@shop.test", "lead@shop.test"),
    **changes: Any,
) -> str:
    channel = EmailChannel.model_validate(
        {"from": "deploys@shop.test", "to": list(to), "via": "smtp", "smtp": server}
    )
    order = EmailOrder(notice=notice(**changes), channel=channel, region="")
    async with httpx.AsyncClient() as http:
        activities = NotificationActivities(no_aws, Poster(http, SECRETS, deadline), trust)
        try:
            sent: str = await ActivityEnvironment().run(activities.notify_email_smtp, order)
        except ApplicationError as error:
            told = "".join(traceback.format_exception(error))
            assert PASSWORD not in told
            raise
    return sent


def no_aws(service: str, region: str) -> Any:
    raise AssertionError(f"a mail server was asked for, not {service}")


async def test_a_mail_has_text_html_and_its_ids(start: StartServer, mailbox: Mailbox) -> None:
    server = start({"tls": "none"})
    sent = await send(server)
    assert await send(server) == sent
    first, second = mailbox.mails
    assert first["Message-ID"] == second["Message-ID"] == sent
    assert first["References"] == second["References"] != sent
    assert first["References"].endswith("@shop.test>")
    assert first["Subject"] == "[critical] shop/web: release run-17 was rolled back"
    assert first["Date"].datetime == notice().at
    assert mailbox.recipients[0] == ["oncall@shop.test", "lead@shop.test"]
    text, html = first.iter_parts()
    assert text.get_content_type() == "text/plain"
    assert "error-rate 8.0 % → too much" in text.get_content()
    assert html.get_content_type() == "text/html"


async def test_one_release_is_one_thread(start: StartServer, mailbox: Mailbox) -> None:
    server = start({"tls": "none"})
    await send(server, dedup="run-17/rollback_started")
    await send(server, dedup="run-17/ended")
    first, second = mailbox.mails
    assert first["Message-ID"] != second["Message-ID"]
    assert first["References"] == second["References"]


async def test_no_header_can_be_added(start: StartServer, mailbox: Mailbox) -> None:
    evil = "x\r\nBcc: everyone@shop.test\r\n\r\nbody\nX-Evil: 1"
    await send(start({"tls": "none"}), title=evil, dedup=evil, service=evil, release=evil)
    mail = mailbox.mails[0]
    assert mail["Bcc"] is None
    assert mail["X-Evil"] is None
    assert mail["Subject"] == "[critical] x Bcc: everyone@shop.test body X-Evil: 1"


async def test_starttls_with_a_password(
    start: StartServer, mailbox: Mailbox, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    server = start(WITH_ACCOUNT, tls_context=tls[0], require_starttls=True)
    await send(server, tls[1])
    assert mailbox.logins == [PASSWORD]
    assert len(mailbox.mails) == 1


async def test_nothing_is_said_when_starttls_is_stripped(
    start: StartServer, mailbox: Mailbox, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    server = start(WITH_ACCOUNT, auth_require_tls=False)
    with pytest.raises(ApplicationError, match="does not offer what is needed") as caught:
        await send(server, tls[1])
    assert caught.value.non_retryable
    assert mailbox.logins == []
    assert mailbox.mails == []


async def test_a_certificate_that_nobody_vouches_for(
    start: StartServer, mailbox: Mailbox, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    server = start(WITH_ACCOUNT, tls_context=tls[0])
    with pytest.raises(ApplicationError, match="certificate cannot be trusted"):
        await send(server)
    assert mailbox.logins == []
    assert mailbox.mails == []


async def test_a_wrong_password_is_final(
    start: StartServer,
    mailbox: Mailbox,
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(SECRETS, "PASSWORD", "wrong-" + PASSWORD)
    with pytest.raises(ApplicationError, match=r"refused user name and password \(535\)") as caught:
        await send(start(WITH_ACCOUNT, tls_context=tls[0]), tls[1])
    assert caught.value.non_retryable
    assert mailbox.mails == []


@pytest.mark.parametrize("command", ["RCPT", "DATA"])
@pytest.mark.parametrize(("code", "final"), [(450, False), (550, True)])
async def test_refusals(
    start: StartServer, mailbox: Mailbox, command: str, code: int, final: bool
) -> None:
    mailbox.refuse[command] = f"{code} no\x1b[31m"
    with pytest.raises(ApplicationError, match=str(code)) as caught:
        await send(start({"tls": "none"}))
    assert caught.value.non_retryable is final


async def test_one_bad_recipient_does_not_keep_it_from_the_others(
    start: StartServer, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    mailbox.refuse["lead@shop.test"] = "550 gone"
    await send(start({"tls": "none"}))
    assert mailbox.recipients == [["oncall@shop.test"]]
    assert "refused 1 of the recipients" in caplog.text


async def test_nobody_listens() -> None:
    server = SmtpServer(host="127.0.0.1", port=free_port(), tls="none")
    with pytest.raises(ApplicationError, match="ConnectionRefusedError") as caught:
        await send(server)
    assert caught.value.type == "OutcomeUnknown"
    assert not caught.value.non_retryable


async def test_a_server_that_drips_is_hung_up_on() -> None:
    hung_up = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.settimeout(0.02)
                for _ in range(1500):  # half a minute, should nobody hang up
                    try:
                        connection.sendall(b"2")
                        if not connection.recv(1):
                            break
                    except TimeoutError:
                        continue
                    except OSError:
                        break
                else:
                    return
                hung_up.set()

        thread = threading.Thread(target=drip)
        thread.start()
        server = SmtpServer(host="127.0.0.1", port=listening.getsockname()[1], tls="none")
        with pytest.raises(ApplicationError) as caught:
            await send(server, deadline=0.5)
        assert caught.value.type == "OutcomeUnknown"
        thread.join()
        assert hung_up.is_set()


def test_accounts_do_not_show_their_password() -> None:
    assert PASSWORD not in repr(Account("lastgood", PASSWORD))


async def look(server: SmtpServer, tls: ssl.SSLContext) -> ChannelFacts:
    """As `doctor` looks at a mail server."""
    query = ChannelQuery(
        channel="email",
        secrets=tuple(
            one.removeprefix("env:") for one in (server.username, server.password) if one
        ),
        smtp=server,
    )
    async with httpx.AsyncClient() as http:
        return await ChannelActivities(http, SECRETS, tls).look_at_channel(query)


async def test_a_server_is_greeted_and_gets_no_mail(
    start: StartServer, mailbox: Mailbox, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    server = start(WITH_ACCOUNT, tls_context=tls[0], require_starttls=True)
    facts = await look(server, tls[1])
    assert facts == ChannelFacts(receiver="127.0.0.1")
    assert mailbox.logins == [PASSWORD]
    assert mailbox.mails == []


async def test_what_a_greeting_finds_wrong_is_said_without_the_password(
    start: StartServer,
    mailbox: Mailbox,
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = start(WITH_ACCOUNT, tls_context=tls[0])
    nobody_known = ssl.create_default_context()
    assert "certificate cannot be trusted" in str((await look(server, nobody_known)).trouble)
    monkeypatch.setitem(SECRETS, "PASSWORD", "wrong-" + PASSWORD)
    facts = await look(server, tls[1])
    assert facts.trouble == "smtp: the server refused user name and password (535)"
    monkeypatch.delitem(SECRETS, "PASSWORD")
    assert (await look(server, tls[1])).missing == ("PASSWORD",)
    assert mailbox.mails == []
