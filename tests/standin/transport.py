"""transport: what a behaviour does on the wire (acts), and HTTP/1.x to and from bytes; no I/O."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

# --- the few things a server can do on a connection, as plain values.
#
# A behaviour is a generator of acts and never touches a socket; the connection performs them in order.
# Plain `bytes` are a piece of the body, sent as one HTTP chunk where the answer is chunked. Pieces
# that follow one another without a `Wait` leave in one write. When the acts are over, the answer is
# ended properly: the last chunk is sent, or the connection is closed if no `Head` was.


JSON = "application/json; charset=utf-8"
NDJSON = "application/x-ndjson"
TEXT = "text/plain"

# Go's HTTP server announces a length only for bodies that fit its first buffer.
BUFFERED = 2048


@dataclass(frozen=True)
class Head:
    """The status line and the headers; without a length the body is chunked."""

    status: int = 200
    content_type: str | None = NDJSON
    length: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    http: str = "1.1"


@dataclass(frozen=True)
class Wire:
    """Bytes for the socket itself, past all of HTTP's framing."""

    data: bytes


@dataclass(frozen=True)
class Wait:
    """Silence for some seconds, or, with None, until the client or the server goes away."""

    seconds: float | None


@dataclass(frozen=True)
class Drop:
    """The connection ends here and now; with `reset` the client sees a reset, not an end."""

    reset: bool = False


Act = Head | bytes | Wire | Wait | Drop


def answer(
    body: bytes, status: int = 200, content_type: str | None = JSON, headers: Mapping[str, str] | None = None
) -> Iterator[Act]:
    """A whole answer at once, as Go's server frames it."""
    length = len(body) if len(body) <= BUFFERED else None
    yield Head(status, content_type, length, headers or {})
    if body:
        yield body


def upto(acts: Iterable[Act], lines: int, extra: int) -> Iterator[Act]:
    """The same acts, as far as `lines` whole lines and `extra` more bytes of the body."""
    for act in acts:
        if not isinstance(act, bytes):
            yield act
            continue
        whole, rest = _after_lines(act, lines)
        part = whole + rest[:extra]
        lines -= whole.count(b"\n")
        extra -= len(part) - len(whole)
        if part:
            yield part
        if len(part) < len(act) or not (lines or extra):
            return


def _after_lines(data: bytes, count: int) -> tuple[bytes, bytes]:
    """The first `count` lines, and what comes after them."""
    pieces = data.split(b"\n", count)
    if len(pieces) <= count:
        return data, b""
    rest = pieces[-1]
    return data[: len(data) - len(rest)], rest


# --- the bytes of HTTP/1.x to requests, and answers to bytes; no I/O.


class BadRequest(Exception):
    """The bytes are not HTTP."""


class Received(NamedTuple):
    """A whole request and how many bytes it took."""

    method: str
    target: str
    http: str
    headers: dict[str, str]
    body: bytes
    size: int

    @property
    def keeps(self) -> bool:
        """Whether the client means to send more requests on this connection."""
        connection = self.headers.get("connection", "").lower()
        return connection == "keep-alive" if self.http == "1.0" else connection != "close"


def read_request(data: bytearray) -> Received | None:
    """The first request in the data, or None while it is not all there."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    first, *lines = data[:end].decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise BadRequest(first)
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadRequest(line)
        headers[name.lower()] = value.strip()
    body = _body(data, end + 4, headers)
    return Received(words[0], words[1], words[2][5:], headers, *body) if body else None


def _body(data: bytearray, start: int, headers: dict[str, str]) -> tuple[bytes, int] | None:
    """The body and where it ends, or None while it is not all there."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _chunks(data, start)
    length = headers.get("content-length", "0")
    if not length.isdigit():
        raise BadRequest(length)
    end = start + int(length)
    return (bytes(data[start:end]), end) if len(data) >= end else None


def _chunks(data: bytearray, start: int) -> tuple[bytes, int] | None:
    body = b""
    while (newline := data.find(b"\r\n", start)) >= 0:
        try:
            size = int(data[start:newline].split(b";")[0], 16)
        except ValueError as error:
            raise BadRequest(str(error)) from None
        end = newline + 2 + size
        if len(data) < end + 2:
            return None
        body, start = body + data[newline + 2 : end], end + 2
        if not size:
            return body, start
    return None


def head_bytes(head: Head, keeps: bool) -> bytes:
    """The status line and the headers."""
    if not head.headers:
        return _plain_head(head.status, head.content_type, head.length, head.http, keeps)
    return _head_bytes(head, keeps, "".join(f"{name}: {value}\r\n" for name, value in head.headers.items()))


@lru_cache(maxsize=256)
def _plain_head(status: int, content_type: str | None, length: int | None, http: str, keeps: bool) -> bytes:
    return _head_bytes(Head(status, content_type, length, http=http), keeps, "")


def _head_bytes(head: Head, keeps: bool, more: str) -> bytes:
    lines = f"HTTP/{head.http} {head.status} {_reason(head.status)}\r\n"
    if head.content_type is not None:
        lines += f"Content-Type: {head.content_type}\r\n"
    if head.length is not None:
        lines += f"Content-Length: {head.length}\r\n"
    elif head.http != "1.0":
        lines += "Transfer-Encoding: chunked\r\n"
    if not keeps:
        lines += "Connection: close\r\n"
    return f"{lines}{more}\r\n".encode("latin-1")


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Whatever"


def chunk(data: bytes) -> bytes:
    """A piece of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"
NOT_HTTP = head_bytes(Head(400, "text/plain; charset=utf-8", 15), keeps=False) + b"400 Bad Request"
