"""The core computes beside the event loop: nothing else waits for it, and nobody sees it half done."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

import llm_gc
from llm_gc.core import Conversation, turn
from llm_gc.runtime.live import Live
from llm_gc.runtime.worker import Halted, Worker
from tests.runtime.acting import Actor, Noted
from tests.talks import said, talk


class Slow:
    """Work that takes until ``end`` is set, and says when it has begun."""

    def __init__(self) -> None:
        self.begun, self.end = threading.Event(), threading.Event()
        self.done = 0

    def __call__(self, *_: Any) -> bool:
        self.begun.set()
        assert self.end.wait(60)
        self.done += 1
        return False

    async def until_begun(self) -> None:
        """Wait in the event loop, which must be free for that."""
        while not self.begun.is_set():  # noqa: ASYNC110  # it is set in another thread
            await asyncio.sleep(0.001)


def test_the_loop_is_free_while_it_works() -> None:
    """What continues in the event loop can end the work that it waits for."""

    async def both() -> bool:
        slow = Slow()
        working = asyncio.create_task(Worker().do(slow))
        await slow.until_begun()
        slow.end.set()
        return await working

    assert asyncio.run(both()) is False


def test_one_thing_after_the_other() -> None:
    """What is to be done waits for what is being done."""
    order: list[int] = []

    async def three() -> None:
        worker = Worker()
        await asyncio.gather(*(worker.do(order.append, number) for number in range(3)))

    asyncio.run(three())
    assert order == [0, 1, 2]


def test_it_gives_and_raises_what_the_work_does() -> None:
    """Results and exceptions come through."""
    assert asyncio.run(Worker().do(divmod, 7, 2)) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(Worker().do(divmod, 7, 0))


@pytest.mark.parametrize("times", [1, 3])
def test_a_cancellation_waits_for_the_thread(times: int) -> None:
    """However often it comes: when it is through, nothing moves any more."""

    async def cancelled() -> int:
        slow = Slow()
        working = asyncio.create_task(Worker().do(slow))
        await slow.until_begun()
        for _ in range(times):
            working.cancel()
            await asyncio.sleep(0.01)
        assert not working.done()
        slow.end.set()
        with pytest.raises(asyncio.CancelledError):
            await working
        return slow.done

    assert asyncio.run(cancelled()) == 1


LOOP = [{"say": "anna"}, {"repeat": [{"set": {"x": "1"}}], "times": 9000}, {"say": "ben"}]


def test_a_cancelled_core_stops_between_two_steps() -> None:
    """It does not continue to the end of its loop; what was said is there, and it can be interrupted as ever."""

    async def halted() -> Conversation:
        worker = Worker()
        conversation = Conversation(talk(LOOP).stage.pipeline, {}, visit=worker.visited)
        (ask,) = conversation.pending
        slow = Slow()
        held = asyncio.create_task(worker.do(slow))
        await slow.until_begun()
        held.cancel()
        await asyncio.sleep(0)
        slow.end.set()
        await asyncio.wait([held])
        with pytest.raises(Halted):
            conversation.answer(ask, said("Hello."))
        conversation.interrupt("stopped")
        return conversation

    conversation = asyncio.run(halted())
    assert [turn.message.content for turn in conversation.turns] == ["Hello."]
    assert conversation.outcome is not None
    assert conversation.outcome.status == "interrupted"


def test_a_reply_that_takes_long_to_look_at_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a reply is looked at, another branch's request is under way and reaches its end."""
    slow = Slow()
    monkeypatch.setattr(turn, "says", lambda _, content: "first" in content and slow())

    class Others(Actor):
        async def wait(self, ask: Any) -> None:
            if ask.speaker.role == "ben":
                await slow.until_begun()
                slow.end.set()

    actor = Others(lambda ask: said("first" if ask.speaker.role == "anna" else "second"))
    conversation = talk([{"parallel": ["anna", "ben"]}], stop=["DONE"])
    asyncio.run(Live(conversation, actor).run())
    assert [turn.message.content for turn in conversation.turns] == ["first", "second"]


@pytest.mark.parametrize("number", [0, 1])
def test_a_reply_that_is_being_looked_at_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int) -> None:
    """A run that is cancelled then has it in its transcript, and so it has one that has arrived beside it."""
    slow = Slow()
    monkeypatch.setattr(turn, "says", lambda _, content: f"{number}!" in content and slow())
    file = tmp_path / "a.yaml"
    file.write_text(
        "name: a\nroles: {anna: {model: m, prompt: a}, ben: {model: m, prompt: b}}\nstop: [DONE]\nopening: Go.\n"
        "turns: [{parallel: [anna, ben]}, anna]\n",
        encoding="utf-8",
    )
    actor = Actor()

    async def cancelled() -> None:
        running = asyncio.create_task(llm_gc.run_async(file, backend=actor, sessions=tmp_path / "sessions"))
        await slow.until_begun()
        running.cancel()
        await asyncio.sleep(0.01)
        slow.end.set()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(cancelled())
    (path,) = (tmp_path / "sessions").glob("*.json")
    text = path.read_text(encoding="utf-8")
    assert '"status": "interrupted"' in text
    assert "turns.0.parallel.0!" in text
    assert "turns.0.parallel.1!" in text
    assert actor.closed == 1


def test_watchers_are_told_of_what_was_settled_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the run is cancelled while the core still computes what is to be asked next."""
    slow, noted = Slow(), Noted()
    monkeypatch.setattr(turn, "says", slow)

    async def cancelled() -> None:
        live = asyncio.create_task(Live(talk(["anna", "ben"], stop=["DONE"]), Actor(), (noted,)).run())
        await slow.until_begun()
        live.cancel()
        await asyncio.sleep(0)
        slow.end.set()
        await asyncio.wait([live])

    asyncio.run(cancelled())
    assert "settled turns.0" in noted.notes
