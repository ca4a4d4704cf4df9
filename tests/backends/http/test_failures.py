"""What goes wrong is told in words that say what, where and what to do, and whether to try again."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from dataclasses import replace

import pytest

from llm_gc.backends.http._httpx import httpx
from llm_gc.backends.http.server_errors import RequestPlace, late, of_bad, of_error, of_status, of_transport, why
from llm_gc.backends.http.stream import BadLine, Said
from llm_gc.backends.http.timeouts import Spoken, overdue, stalled, unbegun
from llm_gc.backends.openai import OpenAI
from llm_gc.errors import ServerUnreachable
from llm_gc.protocol import Cut, Failure, ModelConfig
from tests.backends.ollama.asking import an_ask, run

PLACE = RequestPlace("http://me:secret@gpu:9", "demo:1b")
GRAMMAR = json.dumps({"error": {"message": "JSON schema conversion failed", "type": "invalid_request_error"}})
MLX = "input length (9000 tokens) exceeds the model's maximum context length (8192 tokens)"
SHIFT = (
    "the prompt is longer than the context length currently available to the model; shorten the prompt, adjust "
    "the context length in settings, or use a model with a longer context length"
)
LOAD = "llama-server process has terminated: exit status 1: cudaMalloc failed: out of memory"
RUNNER = "model runner has unexpectedly stopped, this may be due to resource limitations or an internal error"
BUSY = "server busy, please try again.  maximum pending requests exceeded"

STATUSES = [
    (400, "model is required", "refused", False, "HTTP 400"),
    (400, "unexpected EOF", "refused", False, "unexpected EOF"),
    (400, GRAMMAR, "refused", False, "JSON schema conversion failed"),
    (400, SHIFT, "overflow", False, "does not fit the context window"),
    (400, MLX, "overflow", False, "of 9000 tokens does not fit the context window of 8192"),
    (401, "unauthorized", "refused", False, "unauthorized"),
    (403, "ollama cloud is disabled: remote model is unavailable", "refused", False, "cloud is disabled"),
    (404, "model 'demo:1b' not found", "refused", False, "`ollama pull demo:1b`"),
    (429, "slow down", "server", True, "slow down"),
    (500, 'option "stop" must be of type array', "refused", False, 'option "stop"'),
    (500, 'invalid format: "xml"', "refused", False, "invalid format"),
    (500, RUNNER, "server", True, "engine died"),
    (500, "an error was encountered while running the model: unexpected EOF", "server", True, "engine died"),
    (500, LOAD, "server", False, "out of memory"),
    (500, "x" * 5000 + " failed to allocate", "server", False, "out of memory"),
    (500, "model requires more system memory (9 GiB) than is available", "server", False, "memory"),
    (500, "timed out waiting for llama-server to start", "server", False, "timed out waiting"),
    (502, "bad gateway", "server", True, "bad gateway"),
    (503, BUSY, "server", True, "server busy, please try again. maximum"),
]


@pytest.mark.parametrize(("status", "message", "kind", "retry", "words"), STATUSES)
def test_each_status_has_its_meaning(status: int, message: str, kind: str, retry: bool, words: str) -> None:
    """A refusal is final, a busy server or a dead engine may be asked again; the model and place are named."""
    failure = of_status(PLACE, status, json.dumps({"error": message}).encode())
    assert (failure.kind, failure.retry) == (kind, retry)
    assert words in failure.message
    assert "demo:1b" in failure.message
    assert "gpu:9" in failure.message
    assert "secret" not in failure.message
    assert len(failure.message) < 500


def test_a_blocked_header_is_explained() -> None:
    """403 without a body says what it may mean."""
    failure = of_status(PLACE, 403, b"")
    assert (failure.kind, failure.retry) == ("refused", False)
    assert "Host or Origin" in failure.message


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_refused(status: int) -> None:
    """Nothing is sent where a redirect points, but the message says where that is."""
    failure = of_status(PLACE, status, b"", "https://me:secret@gpu/")
    assert (failure.kind, failure.retry) == ("refused", False)
    assert "https://gpu/" in failure.message


@pytest.mark.parametrize(
    ("status", "body"), [(404, b"404 page not found"), (405, b"405 method not allowed"), (404, b"<html>no</html>")]
)
def test_a_foreign_server_is_suspected(status: int, body: bytes) -> None:
    """A plain 404 or 405 asks whether this is an Ollama."""
    failure = of_status(PLACE, status, body)
    assert failure.kind == "refused"
    assert "is this an Ollama server?" in failure.message


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\x00", b"{", b"[]", b"{}", b'{"error":null}', b'{"error":[1]}', b'{"error":{"a":1}}'],
)
def test_any_body_of_an_error_is_read(body: bytes) -> None:
    """A body that is no error object still gives a failure that can be read."""
    failure = of_status(PLACE, 500, body)
    assert failure.kind == "server"
    assert "HTTP 500" in failure.message


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": "no such word"}, "no such word"),
        ({"error": {"message": "no such word"}}, "no such word"),
        ({"error": {"error": {"message": "no such word"}}}, "no such word"),
        ([{"error": {"code": 400, "message": "no such word", "status": "INVALID_ARGUMENT"}}], "no such word"),
        ({"message": "no such word"}, "no such word"),
        ({"detail": "no such word"}, "no such word"),
        ({"detail": {"message": "no such word"}}, "no such word"),
        (
            {"detail": [{"loc": ["body", "temperature"], "msg": "at most 2"}, {"loc": ["body", "a", 0], "msg": "no"}]},
            "at most 2 (temperature); no (a.0)",
        ),
        ({"error": {"detail": "no such word"}}, "no such word"),
        ({"error": None}, "an error without a word that can be read"),
        ("no such word", '"no such word"'),
    ],
)
def test_an_error_is_read_in_each_of_its_forms(body: object, words: str) -> None:
    """Servers, the frameworks that they are made with and what is before them have forms of their own."""
    failure = of_status(PLACE, 400, json.dumps(body).encode())
    assert f"(HTTP 400): {words}." in failure.message


def test_of_a_page_the_title_is_read() -> None:
    """A proxy answers with a web page; its title says what is wrong, or else its first heading."""
    title = of_status(PLACE, 502, b"<html><head><TITLE>502 Bad &amp; Gateway</TITLE></head><h1>nginx</h1></html>")
    assert "502 Bad & Gateway (the title of a web page)" in title.message
    assert title.retry
    assert "(HTTP 400): Busy (the title" in of_status(PLACE, 400, b"<!doctype html><h1 class=a>Busy</h1>").message
    assert "<p>no</p>" in of_status(PLACE, 400, b"<p>no</p>").message


@pytest.mark.parametrize(
    ("message", "retry"),
    [
        ("an error was encountered while running the model: unexpected EOF", True),
        (RUNNER, True),
        ("llama-server chat error: map[code:500 message:no type:server_error]", False),
        (LOAD, False),
    ],
)
def test_an_error_in_the_middle_has_its_meaning(message: str, retry: bool) -> None:
    """A dead engine may be asked again, whatever else happened may not."""
    failure = of_error(PLACE, Said(message))
    assert (failure.kind, failure.retry) == ("server", retry)


@pytest.mark.parametrize(
    ("error", "begun", "kind", "retry"),
    [
        (httpx.ConnectError("no"), False, "unreachable", True),
        (httpx.ProxyError("no"), False, "unreachable", True),
        (httpx.ConnectTimeout("slow"), False, "unreachable", True),
        (httpx.ReadError("reset"), False, "broken", True),
        (httpx.WriteError("reset"), False, "broken", True),
        (httpx.ReadError("reset"), True, "broken", True),
        (httpx.RemoteProtocolError("Server disconnected without sending a response."), False, "broken", True),
        (httpx.RemoteProtocolError("peer closed connection without sending"), True, "broken", True),
        (httpx.RemoteProtocolError("illegal status line"), False, "broken", False),
        (httpx.DecodingError("incorrect header check"), False, "broken", False),
        (httpx.UnsupportedProtocol("gopher"), False, "refused", False),
    ],
)
def test_each_end_of_a_connection_has_its_meaning(error: httpx.HTTPError, begun: bool, kind: str, retry: bool) -> None:
    """Connections that broke, or did not come about, may be tried again; what cannot be understood may not."""
    failure = of_transport(PLACE, error, begun)
    assert (failure.kind, failure.retry) == (kind, retry)
    assert "gpu:9" in failure.message


def test_the_root_of_an_error_is_told() -> None:
    """The system's own reason is found below the libraries' wrappers, in groups too."""
    refused = ConnectionRefusedError(111, "Connection refused")
    middle, top = OSError("All connection attempts failed"), httpx.ConnectError("")
    top.__cause__, middle.__cause__ = middle, ExceptionGroup("several", [refused])
    assert why(top) == "connection refused"
    middle.__cause__ = socket.gaierror(-2, "Name or service not known")
    assert why(top) == "its name is not known"
    assert why(httpx.ReadError("")) == "ReadError"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "it speaks no TLS; try http://"),
        (ssl.SSLError(1, "[SSL: NO_CIPHERS] no ciphers"), "TLS failed (no_ciphers)"),
        (ssl.SSLCertVerificationError(1, "certificate verify failed"), "its certificate is not trusted"),
    ],
)
def test_what_is_wrong_with_tls_is_told(error: ssl.SSLError, words: str) -> None:
    """Its numbers are none of the system's, where 1 is an operation that is not permitted."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        error.reason = str(error.args[1]).partition("]")[0].removeprefix("[SSL: ")
    else:
        error.verify_message = "self-signed certificate"
    top = httpx.ConnectError("")
    top.__cause__ = error
    assert words in of_transport(PLACE, top, begun=False).message


def test_https_at_a_server_without_tls_says_so() -> None:
    """With a real socket, which answers a handshake in plain words."""

    def answer(listening: socket.socket) -> None:
        with listening.accept()[0] as connection:
            connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=answer, args=(listening,))
        thread.start()
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(ServerUnreachable, match="it speaks no TLS; try http://"):
            run(OpenAI(url).preflight([ModelConfig("demo:1b")], 5.0))
        thread.join()
    assert late("https://gpu:9", 5).endswith("if it speaks no TLS, write http://")
    assert late("http://gpu:9", 5) == "no answer within 5s"


def test_what_is_no_reply_is_shown_with_its_type() -> None:
    """The content type helps to see who answered."""
    failure = of_bad(PLACE, BadLine("broken", "what came is no line of JSON: <html>"), "text/html; charset=utf-8")
    assert "text/html" in failure.message
    assert "text/html" not in of_bad(PLACE, BadLine("broken", "x"), "application/x-ndjson").message


def test_a_cut_says_how_far_the_reply_was_and_what_would_have_sufficed() -> None:
    """Tokens received, tokens per second, and the limit for all that was asked for."""
    cut = overdue(PLACE, an_ask(reply_time=30), Spoken(tokens=100, seconds=30, first=5, wanted=512), 0)
    assert isinstance(cut, Cut)
    assert cut.limit == "reply_time"
    assert "100 tokens received, 4 tokens per second" in cut.message
    assert "limits.reply_time: 133s would have sufficed" in cut.message


def test_a_cut_names_the_limit_that_was_the_first() -> None:
    """The time of the whole conversation, where less was left of it than one reply may take; in its own figures."""
    ask, spoken = an_ask(reply_time=40, time_left=30), Spoken(tokens=100, seconds=30, first=5, wanted=512)
    cut = overdue(PLACE, replace(ask, max_time=600), spoken, 0)
    assert isinstance(cut, Cut)
    assert cut.limit == "max_time"
    assert "within 30s, all that limits.max_time left for it" in cut.message
    assert "limits.max_time: 703s would have sufficed" in cut.message
    silent = overdue(PLACE, ask, Spoken(tokens=0, seconds=30, first=30), 2)
    assert isinstance(silent, Failure)
    assert "2 other requests of this run" in silent.message
    assert silent.message.endswith("give limits.max_time more.")


@pytest.mark.parametrize("wanted", [None, -1, 0])
def test_a_cut_without_a_bound_does_not_guess(wanted: int | None) -> None:
    """Where nobody said how many tokens, no figure is made up."""
    cut = overdue(PLACE, an_ask(reply_time=30), Spoken(tokens=1, seconds=30, first=5, wanted=wanted), 0)
    assert "1 token received" in cut.message
    assert "would have sufficed" not in cut.message
    assert "limits.reply_time" in cut.message


def test_the_timeout_that_suffices_is_larger_than_the_one_that_did_not() -> None:
    """An estimate below what has just failed would be no help."""
    enough = Spoken(tokens=600, seconds=30, first=5, wanted=512).enough
    assert enough is not None
    assert enough >= 30


def test_a_timeout_before_the_first_token_says_so() -> None:
    """Silence is told apart from slowness, and who was waited for as far as it can be known."""
    ask = an_ask(timeout=0.25)
    failure = unbegun(PLACE, ask, 0.75, others=0)
    assert (failure.kind, failure.retry) == ("timeout", False)
    assert "within 0.75s" in failure.message
    assert "no token came" in failure.message
    assert "Give limits.timeout more: 0.5s" in failure.message
    assert "somebody else" in failure.message
    assert "3 other requests of this run" in unbegun(PLACE, ask, 1, others=3).message
    assert "another request of this run" in unbegun(PLACE, ask, 1, others=1).message
    assert "Give limits.first_token more: 2s" in unbegun(PLACE, replace(ask, first_token=1.0), 1, others=0).message


def test_a_stalled_stream_says_so() -> None:
    """A pause that is too long is told apart from slowness, too."""
    cut = stalled(PLACE, an_ask(timeout=60), Spoken(tokens=12, seconds=64, first=2))
    assert cut.limit == "timeout"
    assert "sent nothing for 60s" in cut.message
    assert "12 tokens received" in cut.message
