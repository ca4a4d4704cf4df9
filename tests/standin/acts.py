"""acts: the few things a server can do on a connection, as plain values.

A behaviour is a generator of acts and never touches a socket; the connection performs them in order.
Plain `bytes` are a piece of the body, sent as one HTTP chunk where the answer is chunked. Pieces
that follow one another without a `Wait` leave in one write. When the acts are over, the answer is
ended properly: the last chunk is sent, or the connection is closed if no `Head` was.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

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
