"""Every wait has an end, and when it comes the request is over on the server's side too."""

from __future__ import annotations

import asyncio
import re
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest
import respx

from llm_gc.backends.base import Asked, Loading
from llm_gc.backends.ollama import Ollama
from llm_gc.backends.wire._httpx import httpx
from llm_gc.protocol import Reply
from tests.backends.ollama.asking import URL, Notes, an_ask, answered, done, lines, never, reply_to, run, said
from tests.standin import Act, Endless, Error, Hang, Head, Model, Say, StandIn, Wait
from tests.standin.behaviour import Behaviour, Job
from tests.standin.server import PATIENCE

DEMO = Model("demo:1b")
SLOW = Say(["la "] * 64, gap=0.02)


def late(behaviour: Behaviour, *, deadline: float = 0.15, gap: float = 60.0, thinking: bool = False) -> Reply:
    """The reply to a request whose time is up; the server has seen it go."""
    able = ("completion", "thinking") if thinking else ("completion",)
    with StandIn([replace(DEMO, capabilities=able)]) as server:
        server.script(behaviour)
        ollama = Ollama(server.url, gap=gap)

        async def go() -> Reply:
            reply = await ollama.reply(an_ask(deadline=deadline))
            gone = await asyncio.to_thread(server.chats[0].gone.wait, PATIENCE)  # before anything is closed
            assert gone
            await ollama.aclose()
            return reply

        reply = run(go())
    assert reply.failure is not None
    assert reply.failure.kind == "timeout"
    assert not reply.failure.retry
    return reply


def test_a_reply_that_takes_too_long_is_given_up() -> None:
    """What came is kept, its rate is told, and the timeout that would have sufficed is about right."""
    reply = late(SLOW, deadline=0.2)
    assert reply.failure is not None
    message = reply.failure.message
    assert reply.content.startswith("la la la")
    count = reply.content.count("la")
    assert f"{count} tokens received" in message
    assert "tokens per second" in message
    enough = re.search(r"limits.timeout: (\d+)s would have sufficed", message)
    assert enough
    assert int(enough[1]) >= 2  # 64 tokens at 50 a second, or fewer on a busy machine
    assert "did not finish within 0.2s" in message
    assert reply.seconds >= 0.2


def test_thinking_is_kept_as_well() -> None:
    """A model that only thought until its time was up is told apart from a silent one."""
    reply = late(Say("x", thinking=["hm "] * 64, gap=0.02), thinking=True)
    assert reply.failure is not None
    assert "hm" in reply.thinking
    assert reply.content == ""
    assert "tokens received" in reply.failure.message


def test_silence_until_the_deadline_says_so() -> None:
    """Where no token came, none are counted."""
    reply = late(Hang())
    assert reply.failure is not None
    assert "no token came" in reply.failure.message
    assert "limits.timeout" in reply.failure.message
    assert reply.latency.first_token is None


def test_a_stream_that_stalls_is_given_up_before_its_deadline() -> None:
    """Once the first chunk has come, the next may not take longer than the gap."""
    reply = late(Hang(Say("one two three"), lines=2), deadline=30, gap=0.1)
    assert reply.failure is not None
    assert "sent nothing for 0.1s" in reply.failure.message
    assert reply.content == "one two"


def test_the_first_chunk_may_take_longer_than_the_gap() -> None:
    """Reading a long prompt is no stall."""
    with StandIn([DEMO]) as server:
        server.script(Say("done", before=0.2))
        reply = reply_to(ollama=Ollama(server.url, gap=0.05))
    assert reply.content == "done"
    assert reply.latency.first_token is not None
    assert reply.latency.first_token >= 0.2


def test_a_stream_that_keeps_coming_ends_at_its_deadline() -> None:
    """No flow of chunks moves the deadline."""
    late(Endless(gap=0.01), deadline=0.2, gap=30)


def test_a_server_that_lingers_after_the_end_does_not_hold_up_the_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply is whole with its last line, whatever the connection does then."""
    monkeypatch.setattr("llm_gc.backends.wire.exchange.FAREWELL", 0.05)
    with StandIn([DEMO]) as server:
        server.script(Hang(Say("one two"), lines=3))
        reply = reply_to(ollama=Ollama(server.url))
    assert reply.failure is None
    assert (reply.content, reply.done_reason) == ("one two", "stop")


class Afterthoughts(Behaviour):
    """A reply that is whole, and then goes on for ever."""

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
    monkeypatch.setattr("llm_gc.backends.wire.server.ANSWER_BODY", 100_000)
    failure = reply_to(an_ask(deadline=1), Ollama(transport=transport)).failure
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
            task = asyncio.create_task(ollama.reply(an_ask(deadline=30), notes))
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
            replies = await asyncio.gather(*(ollama.reply(an_ask(deadline=0.2)) for _ in range(3)))
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
        failure = reply_to(an_ask(deadline=PATIENCE), Ollama(server.url)).failure
    assert failure is not None
    assert failure.kind != "timeout"


@pytest.mark.parametrize("in_lines", [True, False])
def test_an_endless_reply_is_given_up_and_memory_stays_bounded(in_lines: bool) -> None:
    """Neither a line nor a stream without end is kept beyond its bound; the connection is closed."""
    with StandIn([DEMO]) as server:
        server.script(Endless("la " * 1000, lines=in_lines))
        ollama = Ollama(server.url, max_reply=300_000)

        async def go() -> Reply:
            reply = await ollama.reply(an_ask(deadline=30))
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
            for _ in range(2):
                assert (await ollama.reply(an_ask(deadline=0.1))).failure
            assert (await ollama.reply(replace(an_ask(deadline=5), gap=0.05))).failure
            task = asyncio.create_task(ollama.reply(an_ask(deadline=30)))
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
    ask = replace(an_ask(deadline=30), first_token=0.1, gap=5.0)
    with StandIn([DEMO]) as server:
        server.script(Hang(), Say(["a "] * 5, gap=0.05))
        ollama = Ollama(server.url)
        silent, slow = run(answered(ollama, ask, ask))
    assert silent.failure is not None
    assert "did not begin within 0.1s, no token came" in silent.failure.message
    assert (slow.failure, slow.content) == (None, "a a a a a ")


def test_the_pause_that_an_ask_bears_goes_before_the_backends_own() -> None:
    """`limits.gap` is the pipeline's to say."""
    with StandIn([DEMO]) as server:
        server.script(Hang(Say("one two three"), lines=2))
        reply = reply_to(replace(an_ask(deadline=30), gap=0.1), Ollama(server.url, gap=20))
    assert reply.failure is not None
    assert "sent nothing for 0.1s" in reply.failure.message


def test_waiting_for_a_slot_is_told_apart() -> None:
    """Of a reply by the server's figures, of silence by what we know: that the model had others of ours to answer."""
    with StandIn([DEMO]) as server:
        server.script(Say("first", before=0.5), Say("second"), Hang(), Hang())
        ollama = Ollama(server.url)

        async def go() -> list[Reply]:
            pairs = []
            for count, deadline in ((1, PATIENCE), (3, 0.5)):
                first = asyncio.create_task(ollama.reply(an_ask(deadline=deadline)))
                await asyncio.to_thread(server.wait_for_chats, count)
                pairs += [first, asyncio.create_task(ollama.reply(an_ask(deadline=deadline)))]
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
