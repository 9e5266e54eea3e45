"""As much of HTTP/1.1 as a load balancer needs."""

import asyncio
import time
from dataclasses import dataclass

LIMIT = 16 * 1024 * 1024
_HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "upgrade"}


@dataclass
class Message:
    """A request or an answer, read completely."""

    start: str
    headers: list[tuple[str, str]]
    body: bytes
    seconds: float = 0.0

    def header(self, name: str) -> str:
        """Return a header's value, empty when it is absent."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    @property
    def status(self) -> int:
        """The status of an answer."""
        return int(self.start.split(" ", 2)[1])

    def encode(self, **extra: str) -> bytes:
        """Return the bytes to send, without hop-by-hop headers and with `extra` ones."""
        kept = [
            (k, v) for k, v in self.headers if k.lower() not in _HOP_BY_HOP | {"content-length"}
        ]
        if self.body or self.header("content-length"):
            length = str(len(self.body)) if self.body else self.header("content-length")
            kept.append(("Content-Length", length))
        kept += [(name.replace("_", "-"), value) for name, value in extra.items()]
        lines = [self.start, *(f"{name}: {value}" for name, value in kept)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + self.body


async def read_message(reader: asyncio.StreamReader, *, to_end: bool = False) -> Message | None:
    """Read a message; None when the peer closed instead. `to_end`: a body may end with it."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None
    started = time.monotonic()
    start, *lines = head.decode("latin-1").split("\r\n")[:-2]
    pairs = (line.partition(":") for line in lines)
    message = Message(start, [(name.strip(), value.strip()) for name, _, value in pairs], b"")
    message.seconds = started
    message.body = await _read_body(reader, message, to_end=to_end)
    return message


async def _read_body(reader: asyncio.StreamReader, message: Message, *, to_end: bool) -> bytes:
    if message.header("transfer-encoding").lower() == "chunked":
        return await _read_chunks(reader, message)
    length = message.header("content-length")
    if length:
        return await reader.readexactly(min(int(length), LIMIT))
    return await reader.read(LIMIT) if to_end else b""


async def _read_chunks(reader: asyncio.StreamReader, message: Message) -> bytes:
    body = b""
    while size := int((await reader.readline()).split(b";")[0] or b"0", 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    kept = [(k, v) for k, v in message.headers if k.lower() != "transfer-encoding"]
    message.headers = [*kept, ("Content-Length", str(len(body)))]
    return body


async def exchange(host: str, port: int, request: bytes, *, head: bool = False) -> Message | None:
    """Send a request and return the answer; None when the peer closes without one.

    Raises OSError when there is no connection. The answer's `seconds` is the time until its
    head was there.
    """
    started = time.monotonic()
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        answer = await read_message(reader, to_end=not head)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    finally:
        writer.close()
    if answer is not None:
        answer.seconds -= started
    return answer


def plain_answer(status: int, reason: str) -> Message:
    """Return an answer as the load balancer itself gives it."""
    text = f"<html><head><title>{status} {reason}</title></head></html>\r\n"
    headers = [("Server", "awselb/2.0"), ("Content-Type", "text/html")]
    return Message(f"HTTP/1.1 {status} {reason}", headers, text.encode())
