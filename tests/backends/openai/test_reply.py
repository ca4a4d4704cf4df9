"""Replies of an OpenAI-compatible server over real sockets: what is sent, and what is made of the answer."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from llm_gc.backends.interface import Asked, Delta, Noticed
from llm_gc.backends.openai import OpenAI
from llm_gc.protocol import Ask, Failure, Reply
from llm_gc.values.frozen import freeze
from tests.backends.ollama.asking import Notes, an_ask, run
from tests.backends.openai.asking import reply_to
from tests.standin import (
    Body,
    Cut,
    Drip,
    Endless,
    EngineError,
    Error,
    Garbage,
    Hang,
    Model,
    Redirect,
    Say,
    StandIn,
    Text,
    WithHead,
)
from tests.standin.behaviours import Behaviour
from tests.standin.server import PATIENCE

DEMO = Model("demo:1b", capabilities=("completion", "thinking"))


def test_a_reply_is_heard() -> None:
    """Text, thinking, end and counters are there, and it streamed as it came."""
    notes = Notes()
    with StandIn([DEMO]) as server:
        server.script(Say("Ja, schön.", thinking="Hm."))
        reply = reply_to(OpenAI(server.url), notify=notes)
        [chat] = server.chats
    assert (reply.content, reply.thinking, reply.done_reason) == ("Ja, schön.", "Hm.", "stop")
    assert reply.failure is None
    assert reply.tokens.prompt == chat.prompt_tokens
    assert reply.tokens.completion
    assert reply.latency.first_token is not None
    assert notes == [Asked("demo:1b"), Delta("", "Hm."), Delta("Ja,"), Delta(" schön.")]


def test_the_request_is_as_it_must_be() -> None:
    """Options go by their names there, a schema as a response format; what the API does not have is not sent."""
    options = {"num_ctx": 512, "num_predict": 9, "seed": 3, "stop": ["END"], "temperature": 0.5, "top_k": 4}
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    with StandIn([DEMO]) as server:
        reply_to(OpenAI(f"{server.url}/v1/"), an_ask(options=freeze(options), format=schema, think=True))
        [chat] = server.chats
    assert chat.path == "/v1/chat/completions"
    assert chat.json == {
        "model": "demo:1b",
        "messages": [{"role": "system", "content": "You plan."}, {"role": "user", "content": "Plan it."}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 9,
        "seed": 3,
        "stop": ["END"],
        "temperature": 0.5,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "reply", "strict": True, "schema": schema},
        },
    }
    assert "authorization" not in {name.lower() for name in chat.headers}


def test_a_plain_completion() -> None:
    """With `api: generate` one text goes to /completions, and its text comes back without the blank in front."""
    ask = an_ask()
    ask = replace(ask, casting=replace(ask.casting, api="generate"))
    with StandIn([DEMO]) as server:
        server.script(Say([" once", " upon a time"]))
        reply = reply_to(OpenAI(server.url), ask)
        [chat] = server.chats
    assert (chat.path, chat.json["prompt"]) == ("/v1/completions", "You plan.\n\nPlan it.\n\nAnna:")
    assert reply.content == "once upon a time"


@pytest.mark.parametrize(
    "way",
    [Drip(Say("Grüße!"), 0), WithHead(Say("Grüße!"), http="1.0"), Cut(Say("Grüße!"), lines=4)],
    ids=["drip", "http 1.0", "cut after the reason"],
)
def test_the_way_on_the_wire_makes_no_difference(way: Behaviour) -> None:
    """A reply is whole once the model has said why it stopped, whatever the connection does then."""
    with StandIn([DEMO]) as server:
        server.script(way)
        reply = reply_to(OpenAI(server.url))
    assert (reply.content, reply.done_reason, reply.failure) == ("Grüße!", "stop", None)


def test_a_server_that_lingers_does_not_hold_up_the_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the reason only figures can come, and they are not waited for any longer than a moment."""
    monkeypatch.setattr("llm_gc.backends.http.exchange.FAREWELL", 0.05)
    with StandIn([DEMO]) as server:
        server.script(Hang(Say("Yes."), lines=4))
        reply = reply_to(OpenAI(server.url), an_ask(timeout=30))
    assert (reply.content, reply.done_reason, reply.failure) == ("Yes.", "stop", None)
    assert reply.seconds < 30


@pytest.mark.parametrize(
    ("behaviour", "kind", "retry", "words"),
    [
        (Error(429, "slow down"), "server", True, "busy or away"),
        (Error(503, "no slot"), "server", True, "no slot"),
        (Error(500, "boom"), "server", False, "boom"),
        (Error(400, "bad"), "refused", False, "bad"),
        (Error(401, "who are you"), "refused", False, "who are you"),
        (Error(404, "The model `demo:1b` does not exist."), "refused", False, "does not have demo:1b"),
        (Text(404, "404 page not found"), "refused", False, "is this an OpenAI-compatible server?"),
        (
            EngineError("too long", "exceed_context_size_error", details={"n_prompt_tokens": 9, "n_ctx": 5}),
            "overflow", False, "of 9 tokens does not fit the context window of 5",
        ),
        (Redirect("http://evil.example/v1"), "refused", False, "redirects"),
        (Say("one two", error="it broke"), "server", False, "it broke"),
        (Say("one two", done=False), "broken", False, "ended before"),
        (Cut(Say("one two"), lines=2), "broken", True, "in the middle"),
        (Body(b"<html>", "text/html"), "broken", False, "is this an OpenAI-compatible server?"),
        (Garbage(), "broken", False, "no line of JSON"),
        (Hang(), "timeout", False, "no token came"),
    ],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_each_trouble_is_told(behaviour: Behaviour, kind: str, retry: bool, words: str) -> None:
    """As for any other server, in words that fit this one; nothing raises."""
    with StandIn([DEMO]) as server:
        server.script(behaviour)
        reply = reply_to(OpenAI(server.url), an_ask(timeout=0.1))
        assert "evil" not in str(server.requests)
    failure = reply.failure
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.retry) == (kind, retry)
    assert words in failure.message
    assert "llama serve" not in failure.message
    assert "ollama pull" not in failure.message


def test_fields_that_an_old_server_refuses_are_left_out() -> None:
    """After the first refusal, with one notice each; the reply tells what was not sent. What an author wrote stays."""
    notes = Notes()
    options = freeze({"num_predict": 9, "seed": 3, "temperature": 7})
    with StandIn([DEMO]) as server:
        server.script(
            Error(400, "Unrecognized request argument supplied: stream_options"),
            Error(422, "Extra inputs are not permitted (seed)"),
            Say("Yes."),
            Say("No."),
            Error(400, "temperature is not supported"),
        )

        async def go() -> list[Reply]:
            openai = OpenAI(server.url)
            replies = [await openai.reply(an_ask(options=options), notes) for _ in range(3)]
            await openai.aclose()
            return replies

        first, second, third = run(go())
        bodies = [set(chat.json) & {"stream_options", "seed", "max_tokens"} for chat in server.chats]
    assert (first.content, second.content) == ("Yes.", "No.")
    assert first.unsent == second.unsent == ("stream_options", "seed")
    assert bodies == [{"stream_options", "seed", "max_tokens"}, {"seed", "max_tokens"}, *[{"max_tokens"}] * 3]
    assert third.failure is not None
    assert "temperature is not supported" in third.failure.message
    noticed = [note.message for note in notes if isinstance(note, Noticed)]
    place = f"demo:1b at {server.url}/v1"
    assert noticed == [f"{place} refuses {name}, which is left out from now on" for name in ("stream_options", "seed")]


def test_the_longest_reply_has_two_names() -> None:
    """The newer one is tried where the older one is refused; where both are, none is sent."""
    words = "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    with StandIn([DEMO]) as server:
        server.script(Error(400, f"Unsupported parameter: {words}"), Say("Yes."))
        reply = reply_to(OpenAI(server.url))
        assert (reply.content, reply.unsent) == ("Yes.", ())
        assert server.chats[1].json["max_completion_tokens"] == 64
        server.script(Error(400, "max_tokens: unknown"), Error(400, "max_completion_tokens: unknown"), Say("No."))
        reply = reply_to(OpenAI(server.url))
        assert (reply.content, reply.unsent) == ("No.", ("max_tokens",))
        assert "max_completion_tokens" not in server.chats[-1].json


@pytest.mark.parametrize(
    "words",
    [
        "Value error: max_tokens must be at least 1",
        "seed-oss is not supported",
        "This model's maximum context length is 9 tokens; max_tokens is not supported",
        "tool_choice is not supported",
    ],
)
def test_other_refusals_are_final(words: str) -> None:
    """A field is left out only where the server says that it does not know it, and nothing else."""
    with StandIn([DEMO]) as server:
        server.script(Error(400, words), Say("Yes."))
        assert reply_to(OpenAI(server.url)).failure
        assert len(server.chats) == 1


def test_a_stream_that_stalls_is_cut() -> None:
    """What came is the reply, as with any other server."""
    with StandIn([DEMO]) as server:
        server.script(Hang(Say("one two three"), lines=4))
        reply = reply_to(OpenAI(server.url), an_ask(timeout=0.1))
    assert reply.failure is None
    assert reply.cut_by is not None
    assert reply.cut_by.limit == "timeout"
    assert reply.content.startswith("one")


@pytest.mark.parametrize(
    ("behaviour", "ask", "limit"),
    [
        (Hang(), an_ask(timeout=0.1), ""),
        (Hang(Say("one two three"), lines=4, extra=20), replace(an_ask(timeout=0.1), first_token=30), "timeout"),
        (Drip(Say("one two three"), 0.02), an_ask(timeout=0.1), ""),
        (Endless(gap=0.02), an_ask(timeout=30, reply_time=0.6), "reply_time"),
        (Endless(gap=0.02), an_ask(timeout=30, time_left=0.6), "max_time"),
        (Endless(), an_ask(timeout=30), "max_tokens"),
    ],
    ids=["mute", "in a token", "a trickle", "without end, reply_time", "without end, max_time", "without end"],
)
def test_a_server_that_does_not_end_is_left(behaviour: Behaviour, ask: Ask, limit: str) -> None:
    """By the limit that it has reached; what came before is the reply, and the connection is closed at once."""
    with StandIn([DEMO]) as server:
        server.script(behaviour)

        async def go() -> Reply:
            openai = OpenAI(server.url)
            reply = await openai.reply(ask)
            assert await asyncio.to_thread(server.chats[0].gone.wait, PATIENCE)  # before anything is closed
            await openai.aclose()
            return reply

        reply = run(go())
    assert (reply.cut_by.limit if reply.cut_by else "") == limit
    assert (reply.failure.kind if reply.failure else "") == ("" if limit else "timeout")
    assert bool(reply.content) is bool(limit)


def test_no_attempt_queues_behind_a_zombie() -> None:
    """Before the next request, a small one is answered: by then the server has noticed that the one before has gone."""
    with StandIn([DEMO]) as server:
        server.script(Hang(), Hang(), Say("done"))

        async def go() -> Reply:
            openai = OpenAI(server.url)
            assert (await openai.reply(an_ask(timeout=0.1))).failure
            task = asyncio.create_task(openai.reply(an_ask(timeout=30)))
            await asyncio.to_thread(server.wait_for_chats, 2)
            assert server.chats[0].gone.is_set()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            reply = await openai.reply(an_ask())
            assert server.chats[1].gone.is_set()
            again = await openai.reply(an_ask())
            assert again.failure is None
            await openai.aclose()
            return reply

        assert run(go()).content == "done"
        paths = [request.path.removeprefix("/v1") for request in server.requests]
    chat = "/chat/completions"
    assert paths == [chat, "/models", chat, "/models", chat, chat]


@pytest.mark.parametrize("host", [None, "http://[::1", "http://[", "http://\0", "http://a b", ":", "http://x:1/\ud800"])
def test_no_address_is_so_odd_that_it_raises(host: str | None) -> None:
    """Whatever a role names, or does not, its turn fails, and says why."""
    failure = reply_to(OpenAI(), an_ask(host=host, timeout=2)).failure
    assert failure is not None
    assert failure.kind in ("refused", "unreachable")
