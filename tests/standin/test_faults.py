"""What can go wrong between a server and its client, each thing on purpose."""

import http.client
import json
import zlib
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from tests.standin import (
    QUEUE_FULL,
    Behaviour,
    Body,
    Cut,
    Drip,
    EngineError,
    Error,
    Garbage,
    Gzip,
    Hang,
    HugeHeaders,
    Mangle,
    Model,
    Raw,
    Redirect,
    Say,
    Split,
    StandIn,
    Text,
    Together,
    WithHead,
)
from tests.standin.client import MODEL, ask, asking, chat, everything, plug, said, until_silence
from tests.standin.server import PATIENCE

BUSY = '{"error":"server busy, please try again.  maximum pending requests exceeded"}'


@pytest.fixture
def server() -> Iterator[StandIn]:
    """One model."""
    with StandIn([Model(MODEL)]) as server:
        yield server


@pytest.mark.parametrize(
    ("behaviour", "status", "content_type", "body"),
    [
        (Error(503, QUEUE_FULL), 503, "application/json; charset=utf-8", BUSY),
        (Error(404, "no 'x'"), 404, "application/json; charset=utf-8", """{"error":"no 'x'"}"""),
        (Error(400, "nope"), 400, "application/json; charset=utf-8", '{"error":"nope"}'),
        (Error(418, "teapot"), 418, "application/json; charset=utf-8", '{"error":"teapot"}'),
        (Error(403), 403, None, ""),
        (Text(404, "404 page not found"), 404, "text/plain", "404 page not found"),
        (Text(502, "<html>", "text/html"), 502, "text/html", "<html>"),
        (Body(b"[1, 2]", "application/json"), 200, "application/json", "[1, 2]"),
    ],
)
def test_errors(server: StandIn, behaviour: Behaviour, status: int, content_type: str, body: str) -> None:
    """An error comes as it was written; nothing is loaded for it."""
    server.script(behaviour)
    answer = chat(server)
    assert (answer.status, answer.headers["Content-Type"], answer.text) == (status, content_type, body)
    assert not server.loads


def test_error_headers(server: StandIn) -> None:
    """An error can bring headers along, and a redirect says where to go."""
    server.script(Error(503, QUEUE_FULL, headers={"Retry-After": "1"}), Redirect("/elsewhere"))
    assert chat(server).headers["Retry-After"] == "1"
    answer = chat(server)
    assert (answer.status, answer.headers["Location"]) == (307, "/elsewhere")


def test_engine_error(server: StandIn) -> None:
    """An error of the engine is JSON inside the text."""
    server.script(EngineError("no", "server_error", 500, {"n_ctx": 512}))
    answer = chat(server)
    assert answer.status == 500
    assert json.loads(answer.json["error"]) == {
        "error": {"code": 500, "message": "no", "type": "server_error", "n_ctx": 512}
    }


def test_openai_error(server: StandIn) -> None:
    """On the OpenAI side errors have that side's shape."""
    server.script(Error(503, QUEUE_FULL))
    error = ask(server, "POST", "/v1/chat/completions", said()).json["error"]
    assert error == {"message": QUEUE_FULL, "type": "api_error", "param": None, "code": None}


@pytest.mark.parametrize("offsets", [[1], [5, 6, 7, 200], range(1, 400)])
def test_split(server: StandIn, offsets: Any) -> None:
    """Lines can be torn anywhere; put together they are whole."""
    server.script(Split(Say("é<b> c"), at=offsets, pause=0))
    assert chat(server).contents == ["é<b>", " c", ""]


def test_split_arrives_in_pieces(server: StandIn) -> None:
    """A torn line really arrives torn."""
    server.script(Split(Say("one"), at=[40], pause=0.05))
    with asking(server, "POST", "/api/chat", said()) as response:
        assert len(response.read1()) == 40
        assert response.read().count(b"\n") == 2


def test_drip(server: StandIn) -> None:
    """A body can come byte by byte."""
    server.script(Drip(Say("one", done=False), interval=0.001))
    with asking(server, "POST", "/api/chat", said()) as response:
        pieces = list(iter(response.read1, b""))
    assert {len(piece) for piece in pieces} == {1}
    assert json.loads(b"".join(pieces))["message"]["content"] == "one"


def test_together(server: StandIn) -> None:
    """Two lines can come in one write, and the last one alone."""
    server.script(Together(Say("one two", gap=0.02), lines=2))
    with asking(server, "POST", "/api/chat", said()) as response:
        pieces = list(iter(response.read1, b""))
    assert [piece.count(b"\n") for piece in pieces] == [2, 1]


def test_cut_before_the_headers(server: StandIn) -> None:
    """A connection can end without a word."""
    server.script(Cut())
    with pytest.raises(http.client.RemoteDisconnected):
        chat(server)


@pytest.mark.parametrize(("lines", "extra"), [(0, 0), (0, 30), (2, 0), (2, 17)])
def test_cut(server: StandIn, lines: int, extra: int) -> None:
    """A connection can break between lines and in the middle of one; what came before is there."""
    server.script(Cut(Say("one two three four"), lines=lines, extra=extra))
    with asking(server, "POST", "/api/chat", said()) as response:
        assert response.status == 200
        with pytest.raises(http.client.IncompleteRead) as cut:
            response.read()
    whole, _, rest = cut.value.partial.rpartition(b"\n")
    assert (len(whole.splitlines()), len(rest)) == (lines, extra)


def test_reset(server: StandIn) -> None:
    """A connection can be reset, which is more than ended."""
    server.script(Cut(reset=True))
    with plug(server) as bare, pytest.raises(ConnectionResetError):
        bare.recv(1)


def test_cut_of_a_whole_answer(server: StandIn) -> None:
    """An answer that is not streamed can break too: it is shorter than its length says."""
    server.script(Cut(Say("one two"), extra=25))
    with (
        asking(server, "POST", "/api/chat", said(stream=False)) as response,
        pytest.raises(http.client.IncompleteRead) as cut,
    ):
        response.read()
    assert len(cut.value.partial) == 25


@pytest.mark.parametrize(("inner", "lines"), [(None, None), (Say("one two"), 0), (Say("one two"), 1)])
def test_hang(server: StandIn, inner: Behaviour | None, lines: int | None) -> None:
    """A server can fall silent before the headers, after them, and after some lines."""
    server.script(Hang(inner, lines=lines or 0))
    with plug(server) as bare:
        received = until_silence(bare)
    assert received.startswith(b"HTTP/1.1 200") == (inner is not None)
    assert received.count(b'"done"') == (lines or 0)
    assert server.chats[0].gone.wait(PATIENCE)


def test_head(server: StandIn) -> None:
    """Status, content type and headers can be anything, the body stays."""
    server.script(WithHead(Say("one"), 201, "text/html", {"X-Cache": "HIT"}), HugeHeaders(Say("x"), 60_000))
    answer = chat(server)
    assert (answer.status, answer.headers["Content-Type"]) == (201, "text/html")
    assert answer.headers["X-Cache"] == "HIT"
    assert answer.contents == ["one", ""]
    assert len(chat(server).headers["X-Padding"]) == 60_000


def test_http_1_0(server: StandIn) -> None:
    """HTTP/1.0 has no chunks: the end of the connection is the end of the body."""
    server.script(WithHead(Say("one two"), http="1.0"))
    with plug(server) as bare:
        head, _, body = everything(bare).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200 OK")
    assert b"chunked" not in head
    assert [json.loads(line)["done"] for line in body.splitlines()] == [False, False, True]


@pytest.mark.parametrize("stream", [True, False])
def test_gzip(server: StandIn, stream: bool) -> None:
    """A body can be compressed, each line so that it can be read when it arrives."""
    server.script(Gzip(Say("one two")))
    unpack = zlib.decompressobj(wbits=31)
    with asking(server, "POST", "/api/chat", said(stream=stream)) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        lines = [unpack.decompress(piece) for piece in iter(response.read1, b"")]
    contents = [json.loads(line)["message"]["content"] for line in lines if line]
    assert contents == (["one", " two", ""] if stream else ["one two"])
    assert unpack.eof


def test_garbage(server: StandIn) -> None:
    """A body can be noise, the same each time."""
    server.script(Garbage(1000), Garbage(1000), Garbage(1000, seed=1))
    bodies = [chat(server).body for _ in range(3)]
    assert bodies[0] == bodies[1] != bodies[2]
    assert len(bodies[0]) == 1000


def test_mangle(server: StandIn) -> None:
    """Any bytes of a reply can be others: here they are not UTF-8 any more."""
    server.script(Mangle(Say("one @ two"), b"@", b"\xc3\x28"))
    server.script(Mangle(Say("one"), b'"done":true', b'"done":1'))
    with pytest.raises(UnicodeDecodeError):
        _ = chat(server).text
    assert chat(server).lines[-1]["done"] == 1
    server.script(Mangle(Say("one"), b"one", b"very much more"))
    assert chat(server, stream=False).json["message"]["content"] == "very much more"


def test_raw(server: StandIn) -> None:
    """What is sent need not be HTTP at all."""
    server.script(Raw(b"220 mail.example ready\r\n"), Raw(b""))
    with plug(server) as bare:
        assert everything(bare) == b"220 mail.example ready\r\n"
    with plug(server) as bare:
        assert everything(bare) == b""


def test_wrapped_in_one_another(server: StandIn) -> None:
    """Wrappers go around one another."""
    server.script(Cut(Split(Together(Say("one two three")), every=50), lines=3, extra=5))
    with (
        asking(server, "POST", "/api/chat", said()) as response,
        pytest.raises(http.client.IncompleteRead) as cut,
    ):
        response.read()
    assert cut.value.partial.count(b"\n") == 3


def test_interception(server: StandIn) -> None:
    """Any path can be made to fail, and a load too, which no script touches."""
    server.intercept("/api/ps", Error(500, "no"), Hang())
    server.intercept("/api/chat", Error(500, "llama-server process has terminated"))
    assert ask(server, "GET", "/api/ps").status == 500
    assert chat(server, messages=[]).status == 500
    assert chat(server, messages=[]).status == 200
    with plug(server, path="/api/ps"):
        server.wait_for_requests(4)
    assert server.requests[-1].gone.wait(PATIENCE)
    assert ask(server, "GET", "/api/ps").json["models"]


def test_in_order(server: StandIn) -> None:
    """A script is taken in order by requests that generate, the model's own part first."""
    server.script(Say("one"), Error(500, "two"), Say("four"))
    server.script(Say("three"), model="DEMO:1b")
    assert chat(server, messages=[]).json["done_reason"] == "load"
    assert chat(server, model="absent").status == 404
    statuses = [(answer.status, answer.body.count(b"three")) for answer in (chat(server) for _ in range(4))]
    assert statuses == [(200, 1), (200, 0), (500, 0), (200, 0)]
    assert server.script_left == 0
    assert len(server.chats) == 4
    assert all(sooner.arrived_at <= later.arrived_at for sooner, later in pairwise(server.requests))
