"""http: the bytes of HTTP/1.x to requests, and answers to bytes; no I/O."""

from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

from .acts import Head


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
