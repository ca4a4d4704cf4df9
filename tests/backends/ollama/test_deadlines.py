"""Every wait has an end, and when it comes the request is over on the server's side too."""

from __future__ import annotations

import asyncio
import re
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import respx

from llm_gc.backends.http._httpx import httpx
from llm_gc.backends.interface import Asked, Loading
from llm_gc.backends.ollama import Ollama
from llm_gc.protocol import Ask, Reply, Tokens
from tests.backends.ollama.asking import URL, Notes, an_ask, answered, done, lines, never, reply_to, run, said
from tests.standin import Act, Endless, Error, Hang, Head, Model, Say, StandIn, Wait
from tests.standin.behaviours import Behaviour, Job
from tests.standin.server import PATIENCE

DEMO = Model("demo:1b")
SLOW = Say(["la "] * 64, gap=0.02)


def gone(behaviour: Behaviour, ask: Ask | None = None, *, thinking: bool = False) -> Reply:
    """The reply to a request that a limit ends; the server has seen it go."""
    able = ("completion", "thinking") if thinking else ("completion",)
    with StandIn([replace(DEMO, capabilities=able)]) as server:
        server.script(behaviour)
        ollama = Ollama(server.url)

        async def go() -> Reply:
            reply = await ollama.reply(ask or an_ask(timeout=0.1))
            assert await asyncio.to_thread(server.chats[0].gone.wait, PATIENCE)  # before anything is closed
            await ollama.aclose()
            return reply

        return run(go())


def late(behaviour: Behaviour, ask: Ask | None = None, *, thinking: bool = False) -> Reply:
    """A reply that a limit ended before there was a word."""
    reply = gone(behaviour, ask, thinking=thinking)
    assert reply.failure is not None
    assert reply.failure.kind == "timeout"
    assert not reply.failure.retry
    assert not reply.cut
    return reply


def cut(limit: str, behaviour: Behaviour, ask: Ask | None = None) -> Reply:
    """A reply that this limit ended after there were words."""
    reply = gone(behaviour, ask)
    assert reply.failure is None
    assert reply.cut_by is not None
    assert reply.cut_by.limit == limit
    assert reply.content.strip()
    return reply


def stalling(limit: str = "timeout") -> Ask:
    """An ask that bears hardly a pause, and that waits for long enough before the first token."""
    if limit == "gap":
        return replace(an_ask(timeout=30), first_token=30, gap=0.1)
    return replace(an_ask(timeout=0.1), first_token=30)


def message(reply: Reply) -> str:
    """What is said of the end of a reply."""
    assert reply.cut_by is not None
    return reply.cut_by.message


def test_a_reply_beyond_its_time_is_cut() -> None:
    """What came is the reply; its rate is told, and the limit that would have sufficed is about right."""
    reply = cut("reply_time", SLOW, an_ask(reply_time=0.3))
    count = reply.content.count("la")
    assert reply.content.startswith("la la la")
    assert reply.tokens == Tokens(None, count)
    assert "did not finish within 0.3s (limits.reply_time)" in message(reply)
    assert f"{count} tokens received" in message(reply)
    enough = re.search(r"limits.reply_time: (\d+)s would have sufficed", message(reply))
    assert enough
    assert int(enough[1]) >= 2  # 64 tokens at 50 a second, or fewer on a busy machine
    assert reply.seconds >= 0.3


def test_what_is_left_of_max_time_bounds_a_reply() -> None:
    """None of it is left afterwards, and the limit that would have sufficed counts what had passed before."""
    ask = replace(an_ask(reply_time=5, time_left=0.3), max_time=100.3)
    reply = cut("max_time", SLOW, ask)
    assert reply.seconds >= 0.3
    enough = re.search(r"limits.max_time: (\d+)s would have sufficed", message(reply))
    assert enough
    assert int(enough[1]) >= 102


def test_max_tokens_bounds_a_reply_whatever_the_server_does() -> None:
    """A server that was told and streams for ever is left; so is one that streams its thinking for ever."""
    reply = cut("max_tokens", Endless(), an_ask(timeout=30))
    assert reply.content.count("la") > 64
    assert "was told max_tokens: 64, and did not stop" in message(reply)
    thinking = gone(Say("x", thinking=["hm "] * 10_000, gap=0.001, obey=False), thinking=True)
    assert (thinking.failure, thinking.content) == (None, "")
    assert thinking.cut


def test_thinking_is_kept_as_well() -> None:
    """A model that only thought until its time was up is told apart from a silent one, and has said nothing."""
    reply = late(Say("x", thinking=["hm "] * 64, gap=0.02), an_ask(reply_time=0.15), thinking=True)
    assert reply.failure is not None
    assert "hm" in reply.thinking
    assert reply.content == ""
    assert "tokens received" in reply.failure.message
    assert reply.tokens.completion


def test_silence_before_the_first_token() -> None:
    """A mute server is given up; the limit is named, and more of it."""
    reply = late(Hang(), an_ask(timeout=0.1))
    assert reply.failure is not None
    assert "no token came" in reply.failure.message
    assert reply.failure.message.endswith("Give limits.timeout more: 0.2s, for instance.")
    assert reply.latency.first_token is None
    assert reply.seconds >= 0.1 + 0.5  # for the five tokens of the prompt


def test_a_stream_that_stalls_is_cut() -> None:
    """Once the first token has come, the server may not say nothing for longer than that."""
    reply = cut("timeout", Hang(Say("one two three"), lines=2), stalling())
    assert "sent nothing for 0.1s" in message(reply)
    assert "give limits.timeout more" in message(reply)
    assert reply.content == "one two"
    assert "give limits.gap more" in message(cut("gap", Hang(Say("one two three"), lines=2), stalling("gap")))


@dataclass(frozen=True)
class Trickle(Behaviour):
    """Some whole lines of a reply, and then a line that comes byte by byte."""

    lines: int
    pause: float = 0.03

    def acts(self, job: Job) -> Iterator[Act]:
        """Send it."""
        yield Head()
        yield lines(*[said("one ")] * self.lines)
        yield b'{"message":{"content":"'
        while True:
            yield b"x"
            yield Wait(self.pause)


def test_bytes_that_make_no_token_are_silence() -> None:
    """Neither before the first token nor between two does a trickle hold up the end."""
    reply = late(Trickle(0))
    assert reply.failure is not None
    assert "no token came" in reply.failure.message
    assert cut("timeout", Trickle(2), stalling()).content == "one one "


def test_a_stream_that_stops_in_the_middle_of_a_token_is_cut() -> None:
    """What came whole before is the reply."""
    assert cut("timeout", Hang(Say("one two three"), lines=1, extra=20), stalling()).content == "one"


def test_the_first_token_may_take_longer_than_the_gap() -> None:
    """Reading a long prompt is no stall."""
    with StandIn([DEMO]) as server:
        server.script(Say("done", before=0.2))
        reply = reply_to(replace(an_ask(), gap=0.05), Ollama(server.url))
    assert reply.content == "done"
    assert reply.latency.first_token is not None
    assert reply.latency.first_token >= 0.2


def test_a_stream_that_keeps_coming_is_not_cut_by_silence() -> None:
    """However long it takes in all."""
    with StandIn([DEMO]) as server:
        server.script(Say([f"w{n} " for n in range(60)], gap=0.03))
        reply = reply_to(an_ask(timeout=0.7), Ollama(server.url))
    assert (reply.failure, reply.cut) == (None, False)
    assert reply.seconds > 0.7 + 0.5


def test_a_reply_of_all_its_tokens_is_cut_whatever_the_reason_is_called() -> None:
    """A server may say that the model stopped; one that ran out of its window is told from one at its limit."""
    cases = {
        (3, "stop"): "max_tokens", (3, "length"): "max_tokens", (2, "length"): "num_ctx",
        (0, "length"): "max_tokens", (2, "stop"): None,
    }  # fmt: skip
    with StandIn([DEMO]) as server:
        for (count, reason), limit in cases.items():
            server.script(Say("one two", done_reason=reason, counters={"eval_count": count}))
            reply = reply_to(an_ask(options={"num_predict": 3}), Ollama(server.url))
            assert (reply.cut_by.limit if reply.cut_by else None) == limit
            assert reply.cut is (limit is not None)


def test_a_server_that_lingers_after_the_end_does_not_hold_up_the_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply is whole with its last line, whatever the connection does then."""
    monkeypatch.setattr("llm_gc.backends.http.exchange.FAREWELL", 0.05)
    with StandIn([DEMO]) as server:
        server.script(Hang(Say("one two"), lines=3))
        reply = reply_to(ollama=Ollama(server.url))
    assert reply.failure is None
    assert (reply.content, reply.done_reason) == ("one two", "stop")


class Afterthoughts(Behaviour):
    """A reply that is whole, and then continues for ever."""

    def acts(self, job: Job) -> Iterator[Act]:
        """Say it, and never stop."""
        yield Head()
        yield lines(done("enough"))
        while True:
            yield Wait(0.01)
            yield lines(said("more"))


def test_a_server_that_goes_on_after_the_end_is_left() -> None:
    """More after the end is neither heard nor waited for."""
    with StandIn([DEMO]) as server:
        server.script(Afterthoughts())
        reply = reply_to(ollama=Ollama(server.url))
        assert server.chats[0].gone.wait(PATIENCE)
    assert (reply.content, reply.failure) == ("enough", None)


def test_an_error_without_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error's body, too, is read no further than a bound."""

    class Noise(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 4096
                await asyncio.sleep(0)

    transport = httpx.MockTransport(lambda _: httpx.Response(500, stream=Noise()))
    monkeypatch.setattr("llm_gc.backends.http.server.ANSWER_BODY", 100_000)
    failure = reply_to(an_ask(timeout=1), Ollama(transport=transport)).failure
    assert failure is not None
    assert failure.kind == "server"


def test_a_load_that_takes_too_long_is_given_up() -> None:
    """The load has its own limit; the request for a reply is never sent, and the next try starts clean."""
    notes = Notes()
    with StandIn([replace(DEMO, load_seconds=60)]) as server:
        reply = reply_to(an_ask(load_timeout=0.1), Ollama(server.url), notes)
        load = server.requests[-1]
        assert load.gone.wait(PATIENCE)
        assert server.chats == []
    assert reply.failure is not None
    assert (reply.failure.kind, reply.failure.retry) == ("load_timeout", False)
    assert "limits.load_timeout" in reply.failure.message
    assert notes == [Loading("demo:1b")]
    assert reply.seconds >= 0.1


@pytest.mark.parametrize("when", ["loading", "silent", "streaming"])
def test_a_cancelled_reply_is_cancelled_on_the_server(when: str) -> None:
    """Cancelling the task closes the connection, whatever was going on, and before the task is done."""
    model = replace(DEMO, load_seconds=60 if when == "loading" else 0)
    with StandIn([model]) as server:
        server.script(SLOW if when == "streaming" else Hang())
        ollama, notes = Ollama(server.url), Notes()

        async def go() -> None:
            task = asyncio.create_task(ollama.reply(an_ask(timeout=30), notes))
            for _ in range(6000):  # half a minute, for a busy machine
                await asyncio.sleep(0.005)
                if len(notes) >= {"loading": 1, "silent": 2, "streaming": 4}[when]:
                    break
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(server.requests[-1].gone.wait, PATIENCE)
            again = await ollama.reply(an_ask(), notes) if when == "streaming" else None
            assert again is None or again.failure is None
            await ollama.aclose()

        run(go())
    assert (Asked("demo:1b") in notes) is (when != "loading")


def test_replies_at_the_same_time_do_not_hold_each_other_up() -> None:
    """One that hangs fails alone."""
    with StandIn([replace(DEMO, slots=3)]) as server:
        server.script(Hang(), Say("two"), Say("three"))
        ollama = Ollama(server.url)

        async def go() -> list[Reply]:
            replies = await asyncio.gather(*(ollama.reply(an_ask(timeout=0.2)) for _ in range(3)))
            await ollama.aclose()
            return replies

        replies = run(go())
    assert sorted(reply.content for reply in replies) == ["", "three", "two"]
    assert [reply.failure.kind for reply in replies if reply.failure] == ["timeout"]


@pytest.mark.parametrize(
    "answer",
    [never, httpx.ReadError("reset"), httpx.Response(500), httpx.Response(200, text="no")],
    ids=["never", "reset", "500", "no JSON"],
)
def test_a_list_that_does_not_come_does_not_fail_the_turn(answer: Any) -> None:
    """Where the server tells neither what it can do nor what it holds, it is asked for the reply all the same."""
    notes = Notes()
    with respx.mock(base_url=URL, assert_all_called=False) as router:
        for route in (router.post("/api/show"), router.get("/api/ps")):
            if isinstance(answer, httpx.Response):
                route.mock(return_value=answer)
            else:
                route.mock(side_effect=answer)
        router.post("/api/chat").respond(content=lines(done("all the same")))
        reply = reply_to(ollama=Ollama(connect=0.05), notify=notes)
    assert (reply.content, reply.failure) == ("all the same", None)
    assert notes[0] == Asked("demo:1b")


def test_an_error_before_the_first_byte_is_no_timeout() -> None:
    """A server that refuses quickly is not waited for."""
    with StandIn([DEMO]) as server:
        server.script(Error(503, "busy"))
        failure = reply_to(an_ask(timeout=PATIENCE), Ollama(server.url)).failure
    assert failure is not None
    assert failure.kind != "timeout"


@pytest.mark.parametrize("in_lines", [True, False])
def test_an_endless_reply_is_given_up_and_memory_stays_bounded(in_lines: bool) -> None:
    """Neither a line nor a stream without end is kept beyond its bound; the connection is closed."""
    with StandIn([DEMO]) as server:
        server.script(Endless("la " * 1000, lines=in_lines))
        ollama = Ollama(server.url, max_reply=300_000)

        async def go() -> Reply:
            reply = await ollama.reply(an_ask(timeout=30))
            assert await asyncio.to_thread(server.chats[0].gone.wait, PATIENCE)
            await ollama.aclose()
            return reply

        tracemalloc.start()
        reply = run(go())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert reply.failure is not None
    assert (reply.failure.kind, reply.failure.retry) == ("too_large", False)
    assert peak < 6_000_000
    assert len(reply.content) <= 300_000


def hanging_until(server: StandIn, gone: list[list[bool]], behaviours: list[Behaviour]) -> None:
    """Script behaviours, each of which first notes whether all requests before it have gone by now."""

    class Noting(Behaviour):
        def __init__(self, inner: Behaviour) -> None:
            self.inner = inner

        def acts(self, job: Job) -> Iterator[Act]:
            gone.append([chat.gone.is_set() for chat in server.chats if chat is not job.request])
            yield from self.inner.acts(job)

    server.script(*map(Noting, behaviours))


def test_no_attempt_queues_behind_a_zombie() -> None:
    """When a request arrives, the server has noticed that those before it were given up, however they were."""
    gone: list[list[bool]] = []
    with StandIn([DEMO]) as server:
        hanging_until(server, gone, [Hang(), SLOW, Hang(Say("a b c"), lines=1), Hang(), Say("done")])
        ollama = Ollama(server.url)

        async def go() -> Reply:
            assert (await ollama.reply(an_ask(timeout=0.1))).failure
            assert (await ollama.reply(an_ask(reply_time=0.1))).cut
            assert (await ollama.reply(replace(an_ask(timeout=5), gap=0.05))).cut
            task = asyncio.create_task(ollama.reply(an_ask(timeout=30)))
            await asyncio.to_thread(server.wait_for_chats, 4)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            reply = await ollama.reply(an_ask())
            await ollama.aclose()
            return reply

        assert run(go()).content == "done"
        assert server.load_counts == {"demo:1b": 1}
        paths = [request.path for request in server.requests if request.path != "/api/show"]
    assert gone == [[], [True], [True] * 2, [True] * 3, [True] * 4]
    # before each of them the server has answered something else, and so had time to notice
    asked, loaded = ["/api/ps", "/api/chat"], ["/api/ps", "/api/chat", "/api/ps", "/api/chat"]
    assert paths == [*loaded, *asked * 4, "/api/ps", "/api/chat"]


def test_the_first_token_has_a_deadline_of_its_own() -> None:
    """A server that hangs is given up long before one that is slow; what is said is which of the two it was."""
    ask = replace(an_ask(timeout=30), first_token=0.1, gap=5.0)
    with StandIn([DEMO]) as server:
        server.script(Hang(), Say(["a "] * 5, gap=0.05))
        ollama = Ollama(server.url)
        silent, slow = run(answered(ollama, ask, ask))
    assert silent.failure is not None
    assert "did not begin within 0.1s, no token came" in silent.failure.message
    assert (slow.failure, slow.content) == (None, "a a a a a ")


def test_while_a_server_answers_another_request_of_ours_it_is_not_silent() -> None:
    """The one that waits for the only slot is not given up, however long the other one takes."""
    with StandIn([DEMO]) as server:
        server.script(Say([f"w{n} " for n in range(60)], gap=0.03), Say("second"))
        ollama = Ollama(server.url)

        async def go() -> list[Reply]:
            first = asyncio.create_task(ollama.reply(an_ask()))
            await asyncio.to_thread(server.wait_for_chats, 1)
            replies = [await ollama.reply(an_ask(timeout=0.5)), await first]
            await ollama.aclose()
            return replies

        second, first = run(go())
    assert (second.failure, second.content) == (None, "second")
    assert second.seconds > 0.5 + 0.5
    assert first.failure is None


def test_a_server_that_is_mute_for_several_requests_is_given_up_for_all() -> None:
    """None of them waits for the others for ever."""
    with StandIn([replace(DEMO, slots=3)]) as server:
        server.script(Hang(), Hang(), Hang())
        ollama = Ollama(server.url)

        async def go() -> list[Reply]:
            replies = await asyncio.gather(*(ollama.reply(an_ask(timeout=0.2)) for _ in range(3)))
            await ollama.aclose()
            return replies

        replies = run(go())
    assert [reply.failure.kind for reply in replies if reply.failure] == ["timeout"] * 3


def test_waiting_for_a_slot_is_told_apart() -> None:
    """Of a reply by the server's figures, of silence by what we know: that the model had others of ours to answer."""
    with StandIn([DEMO]) as server:
        server.script(Say("first", before=0.5), Say("second"), Hang(), Hang())
        ollama = Ollama(server.url)

        async def go() -> list[Reply]:
            pairs = []
            for count, deadline in ((1, PATIENCE), (3, 0.5)):
                first = asyncio.create_task(ollama.reply(an_ask(timeout=deadline)))
                await asyncio.to_thread(server.wait_for_chats, count)
                pairs += [first, asyncio.create_task(ollama.reply(an_ask(timeout=deadline)))]
                await asyncio.wait(pairs)
            await ollama.aclose()
            return [await each for each in pairs]

        first, second, third, fourth = run(go())
    assert first.latency.wait is not None
    assert second.latency.wait is not None
    assert second.latency.wait > max(first.latency.wait, 0.1)
    assert third.failure is not None
    assert "requests of somebody else" in third.failure.message
    assert fourth.failure is not None
    assert "another request of this run to answer, so this one may have waited for a slot" in fourth.failure.message
