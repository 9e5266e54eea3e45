"""HTTP checks against servers that misbehave, on real sockets."""

import asyncio
import datetime as dt
import gzip
import ipaddress
import itertools
import ssl
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.http import HttpActivities, Prober, check_transport
from lastgood.contracts import ProbeAnswer, SmokeOrder
from lastgood.policy import SmokeCheck
from lastgood.policy_triggers import Expectation

Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]
PATIENCE = 30.0
"""Seconds after which a check counts as hanging; far above every deadline used here."""


class Server:
    """One behaviour on a free port of the loopback address, and what it was asked."""

    def __init__(self, behaviour: Behaviour, speaks_first: bool) -> None:
        self.behaviour = behaviour
        self.speaks_first = speaks_first
        self.requests: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.port = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self.tasks.append(task)
        try:
            if not self.speaks_first:
                self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
            await self.behaviour(writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went away, or the test has ended
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()


Serve = Callable[..., Awaitable[Server]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    running = []

    async def start(
        behaviour: Behaviour, tls: ssl.SSLContext | None = None, speaks_first: bool = False
    ) -> Server:
        server = Server(behaviour, speaks_first)
        listening = await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=tls)
        server.port = listening.sockets[0].getsockname()[1]
        running.append((listening, server))
        return server

    yield start
    for listening, server in running:
        listening.close()
        for task in server.tasks:
            task.cancel()
        await asyncio.gather(*server.tasks, return_exceptions=True)


@pytest.fixture
async def prober() -> AsyncIterator[Prober]:
    async with check_transport() as transport:
        yield Prober(transport)


def says(answer: bytes) -> Behaviour:
    async def behaviour(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    return behaviour


def drips(first: bytes, drop: bytes) -> Behaviour:
    """One drop every now and then, for ever: no read ever times out."""

    async def behaviour(writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.02)

    return behaviour


def floods(first: bytes, wave: bytes) -> Behaviour:
    async def behaviour(writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while True:
            writer.write(wave)
            await writer.drain()

    return behaviour


def ok(body: bytes = b"fine", *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers, b"", body]
    return b"\r\n".join(lines)


async def check(
    prober: Prober, url: str, seconds: float = 10.0, **expect: int | str
) -> ProbeAnswer:
    order = SmokeOrder(
        check=SmokeCheck(
            url=url, expect=Expectation(**expect), timeout=dt.timedelta(seconds=seconds)
        )
    )
    async with asyncio.timeout(PATIENCE):
        return await ActivityEnvironment().run(HttpActivities(prober).smoke_test, order)


async def test_a_good_answer(prober: Prober, serve: Serve) -> None:
    server = await serve(says(ok()))
    answer = await check(prober, f"http://127.0.0.1:{server.port}/health?token=hush")
    assert answer.ok
    assert answer.status == 200
    assert answer.text.startswith(f"GET http://127.0.0.1:{server.port}/health answered 200 in ")
    assert "hush" not in answer.text
    assert server.requests[0].startswith("GET /health?token=hush HTTP/1.1\r\n")


async def test_another_status_is_a_failed_check(prober: Prober, serve: Serve) -> None:
    server = await serve(says(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"))
    answer = await check(prober, f"http://127.0.0.1:{server.port}/")
    assert not answer.ok
    assert answer.status == 503
    assert answer.text.endswith(" ms (expected 200)")
    assert (await check(prober, f"http://127.0.0.1:{server.port}/", status=503)).ok


async def test_text_that_is_asked_for(prober: Prober, serve: Serve) -> None:
    page = await serve(says(ok(b"<h1>Sorry \xff\xfe</h1>")))
    url = f"http://127.0.0.1:{page.port}/"
    assert (await check(prober, url, contains="Sorry")).ok
    missing = await check(prober, url, contains="ready")
    assert not missing.ok
    assert "without 'ready' in its first 64 KiB" in missing.text


async def test_text_is_found_when_compressed_but_not_beyond_64_kib(
    prober: Prober, serve: Serve
) -> None:
    encoded = b"Content-Encoding: gzip"
    near = await serve(says(ok(gzip.compress(b" " * 60_000 + b"ready"), encoded)))
    far = await serve(says(ok(gzip.compress(b" " * 70_000 + b"ready"), encoded)))
    assert (await check(prober, f"http://127.0.0.1:{near.port}/", contains="ready")).ok
    assert not (await check(prober, f"http://127.0.0.1:{far.port}/", contains="ready")).ok


@pytest.mark.parametrize(
    "behaviour",
    [
        drips(b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n", b"x"),
        drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        drips(b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n"),
        drips(b"", b""),
        drips(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfi", b""),
    ],
    ids=["body", "chunks", "headers", "silence", "stalled"],
)
async def test_dripping_ends_at_the_deadline(
    prober: Prober, serve: Serve, behaviour: Behaviour
) -> None:
    server = await serve(behaviour)
    answer = await check(prober, f"http://127.0.0.1:{server.port}/", seconds=0.4)
    assert not answer.ok
    assert answer.text.endswith(": no answer within 0.4 s")


async def test_endless_bodies_are_not_read_to_their_end(prober: Prober, serve: Serve) -> None:
    first = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    server = await serve(floods(first, b"1000\r\n" + b"x" * 4096 + b"\r\n"))
    assert (await check(prober, f"http://127.0.0.1:{server.port}/")).ok


async def test_endless_headers_are_no_answer(prober: Prober, serve: Serve) -> None:
    server = await serve(floods(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 4000 + b"\r\n"))
    answer = await check(prober, f"http://127.0.0.1:{server.port}/")
    assert not answer.ok
    assert answer.text.endswith(": what it answered is no HTTP")


async def test_a_gzip_bomb_stays_small(prober: Prober, serve: Serve) -> None:
    bomb = gzip.compress(b"\0" * 64_000_000)
    server = await serve(says(ok(bomb, b"Content-Encoding: gzip")))
    tracemalloc.start()
    try:
        assert (await check(prober, f"http://127.0.0.1:{server.port}/")).ok
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000


async def test_redirects_are_answers_and_are_not_followed(prober: Prober, serve: Serve) -> None:
    elsewhere = await serve(says(ok()))
    location = f"http://user:hush@127.0.0.1:{elsewhere.port}/next?token=hush"
    moved = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n" % location.encode()
    server = await serve(says(moved))
    answer = await check(prober, f"http://127.0.0.1:{server.port}/")
    assert not answer.ok
    assert f"leading to http://127.0.0.1:{elsewhere.port}/next (not followed)" in answer.text
    assert "hush" not in answer.text
    assert elsewhere.requests == []


async def test_a_redirect_to_metadata_is_only_told(prober: Prober, serve: Serve) -> None:
    moved = b"HTTP/1.1 301 Moved\r\nContent-Length: 0\r\nLocation: http://169.254.169.254/x\r\n\r\n"
    server = await serve(says(moved))
    answer = await check(prober, f"http://127.0.0.1:{server.port}/")
    assert not answer.ok
    assert "leading to http://169.254.169.254/x (not followed) (expected 200)" in answer.text


async def test_control_characters_are_not_shown(prober: Prober, serve: Serve) -> None:
    moved = b"HTTP/1.1 302 \x1b[31m\r\nContent-Length: 0\r\nLocation: /\xc2\x9b31mred\xff\r\n\r\n"
    server = await serve(says(moved))
    answer = await check(prober, f"http://127.0.0.1:{server.port}/")
    assert answer.text.isprintable()


@pytest.mark.parametrize(
    "garbage", [b"", b"SSH-2.0-OpenSSH\r\n", b"<html>hi", b"HTTP/1.1 abc\r\n\r\n"]
)
async def test_garbage_is_a_failed_check(prober: Prober, serve: Serve, garbage: bytes) -> None:
    server = await serve(says(garbage))
    answer = await check(prober, f"http://127.0.0.1:{server.port}/")
    assert not answer.ok
    assert answer.status is None


async def test_a_refused_connection_is_a_failed_check(prober: Prober, serve: Serve) -> None:
    free = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    port = free.sockets[0].getsockname()[1]
    free.close()
    await free.wait_closed()
    answer = await check(prober, f"http://127.0.0.1:{port}/")
    assert not answer.ok
    assert answer.text == f"GET http://127.0.0.1:{port}/: connection refused"


@pytest.mark.parametrize("addresses", [["127.0.0.2", "127.0.0.1"], ["127.0.0.1", "127.0.0.2"]])
async def test_one_address_that_listens_is_enough(serve: Serve, addresses: list[str]) -> None:
    server = await serve(says(ok()))

    async def resolve(host: str, port: int) -> list[str]:
        return addresses

    async with check_transport() as transport:
        answer = await check(Prober(transport, resolve), f"http://two.test:{server.port}/")
    assert answer.ok


async def test_a_name_that_does_not_resolve_is_a_failed_check(prober: Prober) -> None:
    answer = await check(prober, "http://nothing.invalid/")
    assert not answer.ok
    assert answer.text == "GET http://nothing.invalid/: its name does not resolve"


METADATA = [
    "169.254.169.254",
    "169.254.170.2",
    "2852039166",
    "0xA9FEA9FE",
    "0xa9.0xfe.0xa9.0xfe",
    "0251.0376.0251.0376",
    "0251.254.43518",
    "169.254.43518",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[::a9fe:a9fe]",
    "[64:ff9b::169.254.169.254]",
    "[2002:a9fe:a9fe::1]",
    "[fd00:ec2::254]",
    "[FD00:0EC2:0:0:0:0:0:254]",
    "[fe80::1]",
    "\uff11\uff16\uff19.254.169.254",
    "0",
    "0.0.0.0",
    "0.1.2.3",
    "[::]",
    "[::ffff:0.0.0.0]",
    "224.0.0.1",
    "[ff02::1]",
    "255.255.255.255",
    "240.0.0.1",
]


@pytest.mark.parametrize("host", METADATA)
async def test_addresses_where_checks_never_go(prober: Prober, host: str) -> None:
    with pytest.raises(ApplicationError) as caught:
        await check(prober, f"http://{host}:8080/latest?token=hush", seconds=5)
    assert caught.value.type == "BlockedAddress"
    assert caught.value.non_retryable
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"])
async def test_loopback_is_fine_however_it_is_spelled(
    prober: Prober, serve: Serve, host: str
) -> None:
    server = await serve(says(ok()))
    assert (await check(prober, f"http://{host}:{server.port}/")).ok


async def test_one_bad_address_of_many_is_enough(serve: Serve) -> None:
    server = await serve(says(ok()))

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1", "169.254.169.254"]

    async with check_transport() as transport:
        with pytest.raises(ApplicationError, match="metadata"):
            await check(Prober(transport, resolve), f"http://mixed.test:{server.port}/")
    assert server.requests == []


async def test_a_name_is_resolved_once(serve: Serve) -> None:
    server = await serve(says(ok()))
    answers = itertools.chain([["127.0.0.1"]], itertools.repeat(["169.254.169.254"]))

    async def resolve(host: str, port: int) -> list[str]:
        return next(answers)

    async with check_transport() as transport:
        answer = await check(Prober(transport, resolve), f"http://rebinding.test:{server.port}/")
    assert answer.ok
    assert f"Host: rebinding.test:{server.port}\r\n" in server.requests[0]
    assert next(answers) == ["169.254.169.254"]


@pytest.mark.parametrize(
    "url",
    [
        "http://user:hush@127.0.0.1/",
        "http://127.0.0.1:99999/hush",
        "http://good.test\\@169.254.169.254/hush",
        "http://[::/hush",
        "file:///etc/hush",
        "gopher://127.0.0.1/hush",
    ],
)
async def test_urls_that_no_policy_lets_through_are_not_asked_either(
    prober: Prober, url: str
) -> None:
    with pytest.raises(ApplicationError, match="http://HOST or https://HOST") as caught:
        await prober.probe(url, Expectation(), dt.timedelta(seconds=5))
    assert caught.value.type == "Misconfigured"
    assert caught.value.non_retryable
    assert "hush" not in str(caught.value)


async def test_proxies_of_the_environment_are_not_asked(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = await serve(says(ok()))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    server = await serve(says(b"HTTP/1.1 418 I am it\r\nContent-Length: 0\r\n\r\n"))
    async with check_transport() as transport:
        answer = await check(Prober(transport), f"http://127.0.0.1:{server.port}/")
    assert answer.status == 418
    assert proxy.requests == []


async def test_cookies_are_not_kept(prober: Prober, serve: Serve) -> None:
    server = await serve(says(ok(b"", b"Set-Cookie: hush=1; Path=/")))
    for _ in range(2):
        await check(prober, f"http://127.0.0.1:{server.port}/")
    assert "hush" not in "".join(server.requests)


# --- TLS ---------------------------------------------------------------------------------------


def certificate(folder: Path, name: str, *, days: int = 1) -> tuple[ssl.SSLContext, Path]:
    """A server's context with a certificate of its own for ``name``, and that certificate."""
    secret = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    end = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
    try:
        alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        alternative = x509.DNSName(name)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - dt.timedelta(days=30))
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
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
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return context, public


async def over_tls(server: Server, trusted: Path | None, name: str) -> ProbeAnswer:
    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    tls = ssl.create_default_context(cafile=trusted)
    async with check_transport(tls) as transport:
        return await check(Prober(transport, resolve), f"https://{name}:{server.port}/")


async def test_tls_is_checked_against_the_name(serve: Serve, tmp_path: Path) -> None:
    context, public = certificate(tmp_path, "api.test")
    server = await serve(says(ok()), context)
    assert (await over_tls(server, public, "api.test")).ok
    wrong = await over_tls(server, public, "other.test")
    assert not wrong.ok
    assert "certificate cannot be trusted: Hostname mismatch" in wrong.text


async def test_certificates_that_nobody_vouches_for(serve: Serve, tmp_path: Path) -> None:
    context, _ = certificate(tmp_path, "api.test")
    server = await serve(says(ok()), context)
    answer = await over_tls(server, None, "api.test")
    assert not answer.ok
    assert "certificate cannot be trusted: self-signed certificate" in answer.text


async def test_expired_certificates(serve: Serve, tmp_path: Path) -> None:
    context, public = certificate(tmp_path, "api.test", days=-1)
    server = await serve(says(ok()), context)
    answer = await over_tls(server, public, "api.test")
    assert not answer.ok
    assert "certificate cannot be trusted: certificate has expired" in answer.text


async def test_no_tls_where_https_is_asked(serve: Serve) -> None:
    server = await serve(says(b"HTTP/1.1 400 This is HTTP\r\n\r\n"), speaks_first=True)
    answer = await over_tls(server, None, "api.test")
    assert not answer.ok
    assert ": TLS failed: " in answer.text
