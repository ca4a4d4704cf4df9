"""Replies over real sockets: what is sent, what is made of the answer, and when a model is loaded first."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from llm_gc.backends.interface import Asked, Delta, Loading, Progress, TakenBack
from llm_gc.backends.ollama import Ollama
from llm_gc.protocol import Ask, Failure, Reply
from tests.backends.ollama.asking import Notes, an_ask, answered, lines, reply_to, run, said
from tests.standin import (
    QUEUE_FULL,
    Body,
    Cut,
    Drip,
    EngineError,
    Error,
    Garbage,
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
from tests.standin.app import Connection
from tests.standin.behaviours import Behaviour

DEMO = Model("demo:1b")
WORDS = "Ein schöner Plan, \U0001f600 mit <b>Zeichen</b> & allem."


def served(*behaviours: Behaviour, ask: Ask | None = None, models: list[Model] | None = None) -> Reply:
    """The reply that a scripted server gives."""
    with StandIn(models or [DEMO]) as server:
        server.script(*behaviours)
        return reply_to(ask, Ollama(server.url))


def failed(*behaviours: Behaviour) -> Failure:
    """The failure that a scripted server gives."""
    failure = served(*behaviours).failure
    assert failure is not None
    return failure


def test_a_reply_is_heard() -> None:
    """Text, thinking, end, counters and times are all there; nothing failed."""
    reply = served(
        Say(WORDS, thinking="Hm, well.", tail=" So!"), models=[replace(DEMO, capabilities=("completion", "thinking"))]
    )
    assert reply.failure is None
    assert (reply.content, reply.thinking, reply.done_reason) == (WORDS + " So!", "Hm, well.", "stop")
    assert reply.tokens.prompt
    assert reply.tokens.completion
    latency = reply.latency
    assert None not in (latency.first_token, latency.prompt, latency.generation)
    assert latency.total == reply.seconds > 0
    assert reply.attempts == ()


@pytest.mark.parametrize(
    "way",
    [
        Drip(Say("Grüße!"), 0),
        Split(Say(WORDS), every=7, pause=0),
        Together(Say(WORDS), 100),
        WithHead(Say(WORDS), http="1.0"),
        WithHead(Say(WORDS), content_type="text/plain"),
        Mangle(Say(WORDS), b"\n", b"\r\n\r\n"),
    ],
    ids=lambda way: repr(way)[:40],
)
def test_the_way_on_the_wire_makes_no_difference(way: Behaviour) -> None:
    """Split, joined, compressed or oddly labelled, a reply is the same."""
    reply = served(way)
    assert reply.failure is None
    assert reply.content in (WORDS, "Grüße!")


def test_a_connection_that_breaks_after_the_end_does_no_harm() -> None:
    """A reply is whole when its last line is, even without the newline."""
    reply = served(Cut(Say("one two"), lines=3))
    assert (reply.content, reply.failure) == ("one two", None)


@pytest.mark.parametrize(
    ("behaviour", "kind", "retry", "words"),
    [
        (Error(503, QUEUE_FULL), "server", True, "server busy"),
        (Error(403), "refused", False, "Host or Origin"),
        (Error(404, "model 'demo:1b' not found"), "refused", False, "ollama pull demo:1b"),
        (EngineError("no", "invalid_request_error"), "refused", False, "no"),
        (Redirect("http://elsewhere/"), "refused", False, "http://elsewhere/"),
        (Text(404, "404 page not found"), "refused", False, "is this an Ollama server?"),
        (Text(200, "<html>Please log in</html>", "text/html"), "broken", False, "<html>Please log in</html>"),
        (Text(200, "Ollama is running"), "broken", False, "text/plain"),
        (Garbage(), "broken", False, "no line of JSON"),
        (Raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "broken", False, "not HTTP"),
        (HugeHeaders(Say("a"), 300_000), "broken", False, "not HTTP"),
        (Cut(), "broken", True, "before the reply began"),
        (Cut(reset=True), "broken", True, "before the reply began"),
        (Say("a b", done=False), "broken", False, "ended before the reply was complete"),
        (Say("", done=False), "broken", False, "ended before the reply was complete"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_no_reply_is_a_failure(behaviour: Behaviour, kind: str, retry: bool, words: str) -> None:
    """Each answer that is no reply has its kind, its advice and its words; none raises."""
    failure = failed(behaviour)
    assert (failure.kind, failure.retry) == (kind, retry), failure
    assert words in failure.message
    assert "127.0.0.1" in failure.message


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (Cut(Say("one two three"), lines=2), "broken"),
        (Cut(Say("one two three"), lines=2, extra=20), "broken"),
        (Cut(Say("one two three"), lines=2, reset=True), "broken"),
        (Say("one two", error="an error was encountered while running the model: unexpected EOF"), "server"),
    ],
)
def test_what_was_heard_before_a_failure_is_kept(behaviour: Behaviour, kind: str) -> None:
    """A reply that broke off in the middle may be tried again, and tells what had come."""
    reply = served(behaviour)
    assert reply.failure is not None
    assert (reply.failure.kind, reply.failure.retry) == (kind, True)
    assert reply.content == "one two"
    assert reply.done_reason is None


def test_an_error_in_a_torn_last_line_is_read() -> None:
    """What the server managed to say before the connection broke is the reason that is told."""
    words = b'{"error":"model runner has unexpectedly stopped"}'
    reply = served(Cut(Body(lines(said("one")) + words), lines=1, extra=len(words)))
    assert reply.failure is not None
    assert (reply.failure.kind, reply.failure.retry, reply.content) == ("server", True, "one")


def test_a_long_error_is_not_read_to_its_end() -> None:
    """A page of megabytes in place of an error is cut, in memory and in the message."""
    failure = failed(Text(500, "<html>" + "x" * 3_000_000))
    assert failure.kind == "server"
    assert len(failure.message) < 500


def test_tool_calls_are_collected_not_obeyed() -> None:
    """Nobody offers tools; a call that comes all the same is handed on."""
    reply = served(Say("", tool_calls=[{"name": "rm", "arguments": {"path": "/"}}]))
    assert reply.failure is None
    assert [call["function"]["name"] for call in reply.tool_calls] == ["rm"]


def test_a_closed_port_is_unreachable() -> None:
    """Where nobody listens, the message names the address and may be tried again."""
    with StandIn() as server:
        url = server.url
    failure = reply_to(ollama=Ollama(url)).failure
    assert failure is not None
    assert (failure.kind, failure.retry) == ("unreachable", True)
    assert url in failure.message
    assert "refused" in failure.message


@pytest.mark.parametrize("host", ["http://[", "http://a b", "host with blanks", "x" * 300, "a..b", "1:2:3"])
def test_no_address_is_so_odd_that_it_raises(host: str) -> None:
    """An address that cannot be is a failure like any other."""
    failure = reply_to(ollama=Ollama(host)).failure
    assert failure is not None
    assert failure.kind in ("refused", "unreachable")


def test_the_request_is_as_it_must_be() -> None:
    """One chat with messages, options and format as given, never cut or slid, without tools or an origin."""
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    options = {"num_ctx": 512, "num_predict": 9, "seed": 3, "stop": ["END"]}
    with StandIn([DEMO]) as server:
        reply_to(an_ask(options=options, format=schema), Ollama(server.url))
        [request] = server.chats
    assert request.json == {
        "model": "demo:1b",
        "messages": [{"role": "system", "content": "You plan."}, {"role": "user", "content": "Plan it."}],
        "stream": True,
        "options": options,
        "format": schema,
        "truncate": False,
        "shift": False,
        "keep_alive": 300,
    }
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert headers["accept-encoding"] == "identity"
    assert "origin" not in headers


@pytest.mark.parametrize(
    ("capabilities", "think", "sent"),
    [
        (("completion", "thinking"), None, False),
        (("completion", "thinking"), "high", "high"),
        (("completion",), True, None),
        (("completion",), None, None),
    ],
)
def test_thinking_is_asked_of_those_who_can(capabilities: tuple[str, ...], think: Any, sent: Any) -> None:
    """The server is asked once what the model can do, and `think` follows from it."""
    with StandIn([replace(DEMO, capabilities=capabilities)]) as server:
        ask = an_ask(think=think)
        assert all(reply.failure is None for reply in run(answered(Ollama(server.url), ask, ask)))
        assert [request.json.get("think") for request in server.chats] == [sent, sent]
        assert [request.path for request in server.requests].count("/api/show") == 1


def test_progress_is_told_in_order() -> None:
    """Loading, then asked, then every piece as it comes."""
    notes = Notes()
    with StandIn([DEMO]) as server:
        server.script(Say(["one ", "two"]))
        reply_to(ollama=Ollama(server.url), notify=notes)
    assert notes == [Loading("demo:1b"), Asked("demo:1b"), Delta("one "), Delta("two")]


def test_a_cold_model_is_loaded_first_and_the_load_is_not_charged() -> None:
    """The load takes longer than the deadline, and still the reply comes; its seconds are told."""
    with StandIn([replace(DEMO, load_seconds=0.3)]) as server:
        reply = reply_to(an_ask(timeout=0.2, options={"num_ctx": 512, "num_thread": 2}), Ollama(server.url))
        assert server.load_counts == {"demo:1b": 1}
        loads = [request.json for request in server.requests if request.path == "/api/chat"][:1]
    assert reply.failure is None
    assert reply.latency.load is not None
    assert 0.3 <= reply.latency.load < reply.seconds
    options = {"num_ctx": 512, "num_thread": 2}
    assert loads == [{"model": "demo:1b", "stream": True, "options": options, "truncate": False, "shift": False}]


def test_a_held_model_is_not_loaded_again() -> None:
    """Whoever finds the model held asks at once."""
    with StandIn([DEMO]) as server:
        reply_to(ollama=Ollama(server.url))
        notes = Notes()
        reply = reply_to(ollama=Ollama(server.url), notify=notes)
        assert server.load_counts == {"demo:1b": 1}
    assert notes[0] == Asked("demo:1b")
    assert reply.latency.load is not None
    assert reply.latency.load < 0.1


def test_another_window_is_loaded_first() -> None:
    """A model that is held with another window counts as not held."""
    with StandIn([DEMO]) as server:
        reply_to(an_ask(options={"num_ctx": 512}), Ollama(server.url))
        notes = Notes()
        reply_to(an_ask(options={"num_ctx": 1024}), Ollama(server.url), notes)
        assert [load.options.num_ctx for load in server.loads] == [512, 1024]
    assert notes[0] == Loading("demo:1b")


def test_a_window_beyond_the_model_is_loaded_once() -> None:
    """A server clamps what it is asked for; that does not make us load before every turn."""
    now = [0.0]
    notes = Notes()
    with StandIn([replace(DEMO, context=256)]) as server:
        ollama, ask = Ollama(server.url, clock=lambda: now[0]), an_ask(options={"num_ctx": 512})

        async def turns() -> None:
            for _ in range(3):
                await ollama.reply(ask, notes)
                now[0] += 10
            await ollama.aclose()

        run(turns())
    assert notes.count(Loading("demo:1b")) == 1
    assert notes.count(Asked("demo:1b")) == 3


def test_each_turn_of_a_real_run_looks_whether_the_model_is_held() -> None:
    """Within a second of a proof nobody looks; later every turn does, and a model that is gone is loaded."""
    now = [0.0]
    with StandIn([DEMO], max_loaded=1) as server:
        ollama = Ollama(server.url, clock=lambda: now[0])

        async def turns() -> list[str]:
            seen = []
            for seconds in (0.0, 0.5, 2.0):
                now[0] += seconds
                before = len(server.requests)
                await ollama.reply(an_ask())
                seen.append(" ".join(request.path for request in server.requests[before:]))
            await ollama.aclose()
            return seen

        seen = run(turns())
    assert seen == ["/api/show /api/ps /api/chat /api/ps /api/chat", "/api/chat", "/api/ps /api/chat"]


def test_a_reply_is_a_proof_and_a_failure_is_none() -> None:
    """Right after a reply nobody looks, however long it took; right after a failure everybody does."""
    now = [0.0]

    def slow(progress: Progress) -> None:
        if progress == Delta("x"):
            now[0] += 10

    with StandIn([DEMO]) as server:
        server.script(Say("x"), Say("b", done=False), Say("c"))
        ollama = Ollama(server.url, clock=lambda: now[0])

        async def turns() -> list[str]:
            seen = []
            for _ in range(3):
                before = len(server.requests)
                await ollama.reply(an_ask(), slow)
                seen.append(" ".join(request.path for request in server.requests[before:]))
            await ollama.aclose()
            return seen

        seen = run(turns())
    assert seen[1:] == ["/api/chat", "/api/ps /api/chat"]


def test_a_load_that_fails_is_the_replys_failure() -> None:
    """A model that is not there fails before it is asked, and nobody is told that it was."""
    notes = Notes()
    with StandIn([DEMO]) as server:
        reply = reply_to(an_ask("other:1b"), Ollama(server.url), notes)
    assert reply.failure is not None
    assert reply.failure.kind == "refused"
    assert "ollama pull other:1b" in reply.failure.message
    assert notes == [Loading("other:1b")]


def test_connections_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns of a run go over one connection: each answer was read to its end."""
    made = []
    connection_made = Connection.connection_made

    def counting(self: Connection, transport: asyncio.BaseTransport) -> None:
        made.append(transport)
        connection_made(self, transport)

    monkeypatch.setattr(Connection, "connection_made", counting)
    with StandIn([DEMO]) as server:
        replies = run(answered(Ollama(server.url), *[an_ask()] * 4))
    assert all(reply.failure is None for reply in replies)
    assert len(made) == 1


def test_thinking_whose_beginning_is_in_the_prompt_is_taken_back() -> None:
    """Only its end is in the text; until then it streamed as text, and who watches is told that it was none."""
    notes = Notes()
    with StandIn([DEMO]) as server:
        server.script(Say(["Hm.", "\n</th", "ink>\n\n", "Yes."]))
        reply = reply_to(None, Ollama(server.url), notes)
    assert (reply.content, reply.thinking) == ("Yes.", "Hm.\n")
    assert notes[2:] == [Delta("Hm."), Delta("\n"), TakenBack(), Delta("Yes.")]
