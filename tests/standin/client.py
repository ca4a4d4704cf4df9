"""client: the bluntest client there is, for the stand-in's own tests: it helps nothing and hides nothing."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPMessage, HTTPResponse
from typing import Any

import pytest

from . import app
from .server import StandIn

Headers = Mapping[str, str]
NONE: Headers = {}

MODEL = "demo:1b"
_TIMEOUT = 30.0


@dataclass(frozen=True)
class Answer:
    """A whole answer, and when each of its lines was there."""

    status: int
    headers: HTTPMessage
    body: bytes
    seconds: list[float] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def json(self) -> Any:
        """The body as one JSON value."""
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        """The body as JSON lines."""
        return [json.loads(line) for line in self.body.splitlines()]

    @property
    def contents(self) -> list[str]:
        """What each line of a chat says."""
        return [line["message"]["content"] for line in self.lines]


@contextmanager
def asking(
    server: StandIn | int, method: str, path: str, body: Any = None, headers: Headers = NONE
) -> Iterator[HTTPResponse]:
    """A request, to a server or to a port, whose answer has begun."""
    port = server if isinstance(server, int) else server.port
    connection = HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
    data = json.dumps(body) if isinstance(body, dict) else body
    try:
        connection.request(method, path, data, headers)
        with connection.getresponse() as response:
            yield response
    finally:
        connection.close()


def ask(server: StandIn | int, method: str, path: str, body: Any = None, headers: Headers = NONE) -> Answer:
    """A request and its whole answer."""
    start = time.monotonic()
    with asking(server, method, path, body, headers) as response:
        lines, seconds = [], []
        while line := response.readline():
            lines.append(line)
            seconds.append(time.monotonic() - start)
        return Answer(response.status, response.headers, b"".join(lines), seconds)


def said(text: str = "Hi", **fields: Any) -> dict[str, Any]:
    """The body of a chat with one message."""
    return {"model": MODEL, "messages": [{"role": "user", "content": text}]} | fields


def chat(server: StandIn | int, text: str = "Hi", **fields: Any) -> Answer:
    """One message of the user, and its whole answer."""
    return ask(server, "POST", "/api/chat", said(text, **fields))


@contextmanager
def plug(server: StandIn, body: Any = None, path: str = "/api/chat") -> Iterator[socket.socket]:
    """A bare socket on which a request was sent, and nothing read."""
    data = json.dumps(body or said()).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=_TIMEOUT) as bare:
        bare.sendall(head.encode() + data)
        yield bare


class Pauses:
    """The server's silences: how long each of them would be. They take no time.

    Once ``hold`` is called, they last until ``let_go`` is.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take their place."""
        self.seconds: list[float | None] = []
        self._going = threading.Event()
        self._going.set()
        self.hold, self.let_go = self._going.clear, self._going.set
        monkeypatch.setattr(app, "_pause", self._pause)

    async def _pause(self, seconds: float | None) -> None:
        self.seconds.append(seconds)
        await asyncio.to_thread(self._going.wait, _TIMEOUT)


def everything(bare: socket.socket) -> bytes:
    """All bytes until the server closes the connection."""
    return b"".join(iter(lambda: bare.recv(65536), b""))


def until_silence(bare: socket.socket, seconds: float = 0.25) -> bytes:
    """All bytes until the server says nothing for some time."""
    received = b""
    bare.settimeout(seconds)
    while True:
        try:
            received += bare.recv(65536)
        except TimeoutError:
            return received
