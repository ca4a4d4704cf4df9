"""No answer of a server, however it is made, takes more memory or time than it may."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from llm_gc.backends.http.hosts import find_address
from llm_gc.backends.http.server import Server
from llm_gc.backends.http.server_errors import Failed
from llm_gc.backends.http.stream import load_json
from llm_gc.backends.ollama import Ollama
from llm_gc.backends.ollama.pulling import pull
from llm_gc.backends.openai import OpenAI
from llm_gc.errors import LlmGcError
from llm_gc.protocol import Failure, ModelConfig, Reply
from tests.backends.ollama.asking import an_ask, done, lines, run, said
from tests.standin import Act, Model, Raw, StandIn, Wait
from tests.standin.behaviours import Behaviour, Job
from tests.standin.transport import Wire

DEMO = Model("demo:1b")
BOMB = gzip.compress(gzip.compress(b"\0" * 2**26))
CODINGS = ["gzip", "gzip, gzip", "GZIP,gzip", "x-gzip", "br", "zstd", "deflate", "identity, br"]
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
Make = Callable[[str], Ollama | OpenAI]
KINDS: dict[str, tuple[Make, str]] = {
    "ollama": (Ollama, "/api/version"),
    "openai": (lambda url: OpenAI(url, environ={"OPENAI_API_KEY": "q7w8e9r0t1"}), "/v1/models"),
}  # fmt: skip


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> tuple[Make, str]:
    """How a backend is made, and where it looks first."""
    return KINDS[request.param]


class Flood(Behaviour):
    """A beginning on the socket, and then the same for ever, as fast as it is read or with a pause."""

    def __init__(self, begin: bytes, again: bytes, pause: float | None = None) -> None:
        self.begin, self.again, self.pause = begin, again, pause

    @property
    def occupies(self) -> bool:
        """No model is needed for it."""
        return False

    def acts(self, job: Job) -> Iterator[Act]:
        """Begin, and never stop."""
        yield Wire(self.begin)
        while True:
            yield Wire(self.again)
            yield Wait(0 if self.pause is None else self.pause)


def chunk(data: bytes, extension: bytes = b"") -> bytes:
    """A chunk of a body."""
    return b"%x%s\r\n%s\r\n" % (len(data), extension, data)


def encoded(coding: str, status: str = "200 OK", body: bytes = BOMB) -> Raw:
    """An answer in an encoding that nobody asked for."""
    head = f"HTTP/1.1 {status}\r\nContent-Encoding: {coding}\r\nContent-Length: {len(body)}\r\n\r\n"
    return Raw(head.encode() + body)


def heard(make: Make, behaviour: Behaviour, timeout: float = 3.0) -> Reply:
    """The reply of a server that answers so; the memory that it took is bounded."""
    with StandIn([DEMO]) as server:
        server.script(behaviour)
        backend = make(server.url)

        async def go() -> Reply:
            try:
                return await backend.reply(an_ask(timeout=timeout))
            finally:
                await backend.aclose()

        tracemalloc.start()
        try:
            reply = run(go())
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 25_000_000
    return reply


def failure_of(reply: Reply) -> Failure:
    """Why there is no reply."""
    assert reply.failure is not None
    return reply.failure


@pytest.mark.parametrize("coding", CODINGS)
def test_an_encoded_reply_is_refused(kind: tuple[Make, str], coding: str) -> None:
    """Nothing of it is decoded."""
    make, _ = kind
    failure = failure_of(heard(make, encoded(coding)))
    assert (failure.kind, failure.retry) == ("broken", False)
    assert f"encoded ({coding.lower().replace(',', ', ').replace('  ', ' ')}), unasked" in failure.message


@pytest.mark.parametrize("coding", CODINGS)
def test_an_encoded_error_keeps_its_status(kind: tuple[Make, str], coding: str) -> None:
    """What it says stays unread; what it is does not."""
    make, _ = kind
    failure = failure_of(heard(make, encoded(coding, "503 No"), timeout=2))
    assert (failure.kind, failure.retry) == ("server", True)
    assert "encoded as" in failure.message


@pytest.mark.parametrize("coding", ["gzip, gzip", "br"])
def test_an_encoded_answer_before_the_start_is_refused(kind: tuple[Make, str], coding: str) -> None:
    """The server is asked what it has before anything else."""
    make, first = kind
    with StandIn([DEMO]) as server:
        server.intercept(first, encoded(coding))
        backend = make(server.url)

        async def go() -> None:
            try:
                await backend.preflight([ModelConfig("demo:1b")], 5.0)
            finally:
                await backend.aclose()

        with pytest.raises(LlmGcError, match="unasked"):
            run(go())


@pytest.mark.parametrize("status", ["200 OK", "404 No"])
def test_an_encoded_download_is_refused(status: str) -> None:
    """Neither its lines nor its errors are decoded."""
    with StandIn([DEMO]) as server:
        server.intercept("/api/pull", encoded("gzip, gzip", status))
        with pytest.raises(Failed, match="encoded"):
            run(pulled(server.url))


async def pulled(url: str, silence: float = 5.0) -> None:
    """Pull a model."""
    server = Server(find_address(url, None, {}))
    try:
        await pull(server, "demo:1b", lambda _: None, silence)
    finally:
        await server.aclose()


@pytest.mark.parametrize("coding", ["identity", "", "utf-8", "aws-chunked"])
def test_a_body_as_it_is_may_say_so(coding: str) -> None:
    """An encoding that is none is not refused."""
    body = lines(done("hello"))
    assert heard(KINDS["ollama"][0], encoded(coding, body=body)).content == "hello"


@pytest.mark.parametrize(
    ("begin", "again", "words"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 100, "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX-A: ", b"b" * 4096, "not HTTP"),
        (CHUNKED, b"f" * 4096, "not HTTP"),
        (CHUNKED + b"5;a=", b"b" * 4096, "not HTTP"),
        (CHUNKED + chunk(lines(said("a"))) + b"0\r\n", b"X-A: b\r\n" * 100, "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", b"x" * 65536, "too large"),
    ],
    ids=["headers", "a header", "a chunk's size", "a chunk's extension", "trailers", "a line"],
)
def test_what_has_no_end_is_given_up(kind: tuple[Make, str], begin: bytes, again: bytes, words: str) -> None:
    """At a bound, long before the deadline."""
    make, _ = kind
    failure = failure_of(heard(make, Flood(begin, again), timeout=30))
    assert words in failure.message


@pytest.mark.parametrize(
    "again",
    [b"HTTP/1.1 100 Continue\r\n\r\n" * 100, CHUNKED + chunk(b"\n"), CHUNKED + chunk(b"\n", b";a=" + b"b" * 900)],
    ids=["not yet", "blank lines", "chunks' extensions"],
)
def test_a_flood_that_says_nothing_is_silence(kind: tuple[Make, str], again: bytes) -> None:
    """Others get their turn meanwhile, so that the deadline comes in time."""
    make, _ = kind
    begin, again = (CHUNKED, again.removeprefix(CHUNKED)) if again.startswith(CHUNKED) else (b"", again)
    failure = failure_of(heard(make, Flood(begin, again * 20), timeout=0.4))
    assert failure.kind == "timeout"
    assert "no token came" in failure.message


DELTA = b'data: {"choices": [{"index": 0, "delta": {"content": "a"}}]}\n\n'
EMPTY = b'data: {"choices": [{"index": 0, "delta": {"content": ""}}]}\n\n'


@pytest.mark.parametrize("is_begun", [True, False])
@pytest.mark.parametrize(
    ("kind_name", "again"),
    [
        ("openai", b": keep-alive\n\n"),
        ("openai", b":"),
        ("openai", b"\n"),
        ("openai", EMPTY),
        ("openai", b"event: ping\n"),
        ("openai", b"d"),
        ("ollama", b"\n"),
        ("ollama", b" "),
        ("ollama", b"{"),
        ("ollama", lines(said(""))),
    ],
)
def test_a_drip_that_says_nothing_is_silence(kind_name: str, again: bytes, is_begun: bool) -> None:
    """Signs of life are no words: neither before the first token nor between two."""
    make, _ = KINDS[kind_name]
    begun = (DELTA if kind_name == "openai" else lines(said("a"))) if is_begun else b""
    begin = CHUNKED + (chunk(begun) if begun else b"")
    reply = heard(make, Flood(begin, chunk(again), pause=0.02), timeout=0.4)
    if is_begun:  # what was said is kept
        assert reply.content == "a"
        assert reply.cut_by is not None
        assert reply.cut_by.limit == "timeout"
    else:
        assert failure_of(reply).kind == "timeout"
        assert "no token came" in failure_of(reply).message


def test_a_download_that_says_the_same_for_ever_is_silent() -> None:
    """Progress is what is new."""
    line = json.dumps({"status": "pulling", "digest": "sha256:1", "total": 9, "completed": 3}).encode() + b"\n"
    with StandIn([DEMO]) as server:
        server.intercept("/api/pull", Flood(CHUNKED, chunk(line), pause=0.02))
        with pytest.raises(Failed, match=r"nothing new for 0\.2s"):
            run(pulled(server.url, silence=0.2))


@pytest.mark.parametrize("garbage", [b"x", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"\r\n" * 9])
@pytest.mark.parametrize("head", ["length", "chunks"])
def test_bytes_after_the_end_close_the_connection(garbage: bytes, head: str) -> None:
    """They are not taken for the answer to the next question."""
    body = b'{"version": "9.9.9"}'
    answer = WHOLE % len(body) + body if head == "length" else CHUNKED + chunk(body) + b"0\r\n\r\n"
    with StandIn([DEMO]) as server:
        server.intercept("/api/version", Raw(answer + garbage))

        async def go() -> None:
            here = Server(find_address(server.url, None, {}))
            assert await here.ask("GET", "/api/version") == {"version": "9.9.9"}
            assert here._client is not None
            assert here._client._transport._pool.connections == []  # type: ignore[attr-defined]
            assert "models" in await here.ask("GET", "/api/tags")
            await here.aclose()

        run(go())


def test_a_connection_is_kept_where_nothing_came_after_the_end() -> None:
    """What closes it looks at the state of h11, deep in httpx: this tells that it is found there."""
    with StandIn([DEMO]) as server:

        async def go() -> None:
            here = Server(find_address(server.url, None, {}))
            for _ in range(3):
                await here.ask("GET", "/api/tags")
            await here.aclose()

        run(go())
        assert server.connections == 1


@pytest.mark.parametrize(
    "text", ["[" * 101 + "]" * 101, '{"a":' * 101 + "1" + "}" * 101, "[" + "{}," * 600_000 + "{}]"]
)
def test_json_that_would_take_much_memory_is_refused(text: str) -> None:
    """Deeper than any answer is, or with more parts."""
    with pytest.raises(ValueError, match=r"too deeply|too many"):
        load_json(text)
    assert load_json("[" * 99 + '"[{{{' + '"' + "]" * 99)


def test_one_large_answer_does_not_hold_up_the_others() -> None:
    """A body in very many small pieces is read in turns."""
    turns = 0

    async def go() -> None:
        nonlocal turns
        here = Server(find_address(server.url, None, {}))

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        await here.fetch("GET", "/api/version")
        counting.cancel()
        await here.aclose()

    with StandIn([DEMO]) as server:
        server.intercept("/api/version", Raw(CHUNKED + chunk(b" ") * 20_000 + b"0\r\n\r\n"))
        run(go())
    assert turns > 60
