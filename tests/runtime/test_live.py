"""The driver for real time: concurrency, trying again, telling who watches; never a word of its own."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from llm_gc.core import Conversation
from llm_gc.protocol import Ask, Failure, Reply
from llm_gc.runtime.gates import Gates
from llm_gc.runtime.live import Live
from llm_gc.transcript.encode import dumps
from llm_gc.transcript.records import Transcript
from tests.runtime.acting import Actor, Late, Naps, Noted, Stuck
from tests.talks import answer_all, failed, said, talk
from tests.transcript.test_transcript import transcript


def drive(conversation: Conversation, actor: Actor, *watchers: Noted, **keys: Any) -> Conversation:
    """Drive a conversation to its end."""
    asyncio.run(Live(conversation, actor, watchers, **keys).run())
    return conversation


def scripted(*replies: Reply) -> Actor:
    """Return a backend that gives these replies, one after the other."""
    left = iter(replies)
    return Actor(lambda _: next(left))


def broken(message: str = "It broke.", *, retry: bool = True, content: str = "", seconds: float = 1.0) -> Reply:
    """Return a reply that failed, and may succeed at once."""
    return Reply(content, failure=Failure("broken", message, retry), seconds=seconds)


# --- One after the other


def test_it_answers_to_the_end() -> None:
    """Whatever is pending is asked, until the conversation has ended."""
    conversation = drive(talk([{"repeat": ["anna", "ben"], "times": 3}]), actor := Actor())
    assert conversation.outcome is not None
    assert actor.asked == [turn.exchange.ask.id for turn in conversation.turns]
    assert len(actor.asked) == 6


def test_it_decides_nothing() -> None:
    """The turns are those that the same replies give by hand."""
    by_hand, driven = talk(["anna", "ben"]), talk(["anna", "ben"])
    answer_all(by_hand, "one", "two")
    drive(driven, scripted(said("one"), said("two")))
    assert (by_hand.state, by_hand.outcome) == (driven.state, driven.outcome)


def test_a_conversation_that_asks_nothing_is_over_at_once() -> None:
    """Nobody is asked."""
    conversation = drive(talk([{"say": "anna", "when": "false"}]), actor := Actor())
    assert conversation.outcome is not None
    assert actor.asked == []


def test_who_watches_is_told_in_order() -> None:
    """Began, then what streams, then settled; then the next."""
    drive(talk(["anna", "ben"]), Actor(), noted := Noted())
    assert noted.notes == [
        f"{word} turns.{number}" for number in (0, 1) for word in ("began", "Asked", "Delta", "settled")
    ]


def test_a_turn_that_was_not_sent_is_told_of() -> None:
    """What cannot fit the context window is over before anybody is asked; whoever watches is told all the same."""
    conversation = talk(["ben", "anna"], roles={"anna": {"num_ctx": 100}, "ben": {"model": "other"}})
    drive(conversation, actor := scripted(said("x" * 1000)), noted := Noted())
    assert (actor.asked, noted.notes[-2:]) == (["turns.0"], ["settled turns.0", "settled turns.1"])
    assert conversation.outcome is not None
    assert conversation.outcome.reason == "overflow"


# --- Trying again


def test_a_transport_failure_is_tried_again() -> None:
    """With waits that double; all seconds count, and what had arrived is kept in the attempts."""
    replies = [broken(content="Ha", seconds=2.0), broken("Again.", seconds=3.0), said("whole")]
    conversation = drive(talk(["anna"]), scripted(*replies), noted := Noted(), sleep=(naps := Naps()))
    (turn,) = conversation.turns
    assert turn.message.content == "whole"
    assert naps.taken == [0.5, 1.0]
    assert turn.exchange.reply.seconds == 2.0 + 0.5 + 3.0 + 1.0 + 1.0
    assert [(a.content, a.failure.message, a.seconds) for a in turn.exchange.reply.attempts] == [
        ("Ha", "It broke.", 2.0),
        ("", "Again.", 3.0),
    ]
    assert [note for note in noted.notes if "retrying" in note] == ["retrying turns.0 in 0.5", "retrying turns.0 in 1"]
    assert [note for note in noted.notes if "began" in note] == ["began turns.0"]
    record = transcript(conversation).turns[0]
    assert [(a.id, a.content, a.error.kind) for a in record.attempts] == [
        ("turns.0", "Ha", "broken"),
        ("turns.0", "", "broken"),
    ]
    assert transcript(conversation).totals.seconds == 7.5


def test_seconds_of_tries_count_against_max_time() -> None:
    """The waits too."""
    conversation = talk([{"repeat": ["anna"]}], limits={"max_time": "4500ms"})
    drive(conversation, scripted(broken(), said("one"), broken(), said("two"), said("three")), sleep=Naps())
    assert conversation.outcome is not None
    assert conversation.outcome.reason == "max_time"
    assert len(conversation.turns) == 2


def test_a_try_has_no_more_time_than_is_left() -> None:
    """What earlier tries and waits took of max_time is gone; where none is left, the next one gets what remains."""
    deadlines: list[tuple[float | None, float, float | None]] = []

    def answer(ask: Ask) -> Reply:
        deadlines.append((ask.deadline, ask.load_timeout, ask.time_left))
        return broken(seconds=2.0)

    conversation = talk(
        ["anna", "ben", "anna"], limits={"max_time": "8s", "reply_time": "6s", "load_timeout": "7s", "retries": 9}
    )
    drive(conversation, Actor(answer), sleep=Naps())
    assert deadlines == [(6.0, 7.0, 8.0), (5.5, 5.5, 5.5), (2.5, 2.5, 2.5), (0.5, 0.5, 0.5)]
    assert [len(turn.exchange.reply.attempts) for turn in conversation.turns] == [2, 0]


def test_without_max_time_every_try_has_the_whole_deadline() -> None:
    """And as often as the limit says."""
    deadlines: list[float | None] = []

    def answer(ask: Ask) -> Reply:
        deadlines.append(ask.deadline)
        return broken(seconds=20.0)

    drive(talk(["anna"], limits={"reply_time": "30s"}), Actor(answer), sleep=Naps())
    assert deadlines == [30.0, 30.0, 30.0]


@pytest.mark.parametrize("retries", [0, 1, 2, 6])
def test_it_is_tried_as_often_as_the_limit_says(retries: int) -> None:
    """Then the failure is the turn's; no wait is longer than eight seconds."""
    conversation = talk(["anna", "ben"], limits={"retries": retries})
    actor = Actor(lambda ask: broken() if ask.speaker.role == "anna" else said("ok"))
    drive(conversation, actor, sleep=(naps := Naps()))
    assert actor.asked == ["turns.0"] * (retries + 1) + ["turns.1"]
    assert naps.taken == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0][:retries]
    failure = conversation.turns[0].exchange.failure
    assert failure is not None
    assert failure.kind == "broken"
    assert len(conversation.turns[0].exchange.reply.attempts) == retries


def test_what_will_not_succeed_is_not_tried_again() -> None:
    """A failure says itself whether another try is worth it."""
    conversation = drive(
        talk(["anna", "ben"]), actor := scripted(broken(retry=False), said("ok")), sleep=(naps := Naps())
    )
    assert actor.asked == ["turns.0", "turns.1"]
    assert naps.taken == []
    assert conversation.turns[0].exchange.reply.attempts == ()


def test_a_try_that_fails_for_good_ends_the_tries() -> None:
    """The last failure is the turn's, the earlier ones are attempts."""
    conversation = drive(talk(["anna"]), scripted(broken("One."), broken("Two.", retry=False)), sleep=Naps())
    (turn,) = conversation.turns
    assert turn.exchange.failure is not None
    assert turn.exchange.failure.message == "Two."
    assert [attempt.failure.message for attempt in turn.exchange.reply.attempts] == ["One."]
    assert turn.exchange.reply.seconds == 2.5


def test_each_ask_has_its_own_tries() -> None:
    """A repair begins with none."""
    schema = {"type": "object", "required": ["ok"]}
    replies = [broken(), said("no JSON"), broken(), broken(), said('{"ok": 1}')]
    conversation = drive(talk([{"say": "anna", "format": schema}]), scripted(*replies), sleep=(naps := Naps()))
    (turn,) = conversation.turns
    assert turn.exchange.failure is None
    assert naps.taken == [0.5, 0.5, 1.0]
    record = transcript(conversation)
    assert [a.id for a in record.turns[0].attempts] == ["turns.0", "turns.0", "turns.0#2", "turns.0#2"]
    assert record.totals.seconds == (1 + 0.5 + 1) + (1 + 0.5 + 1 + 1 + 1)


# --- Templates


def test_a_template_that_fails_when_rendered_ends_it_with_its_place() -> None:
    """Nobody is asked; the conversation has failed, and says where."""
    turns = ["anna", {"say": "ben", "instruction": "{{ last.kontent }}"}, "anna"]
    conversation = drive(talk(turns), actor := Actor(), noted := Noted())
    assert actor.asked == ["turns.0"]
    assert conversation.outcome is not None
    assert (conversation.outcome.status, conversation.outcome.failure) == ("failed", "template")
    assert conversation.outcome.detail.startswith("pipeline test, turns.1.instruction")
    assert "kontent" in conversation.outcome.detail
    assert [note for note in noted.notes if "turns.1" in note] == ["settled turns.1"]
    assert transcript(conversation).turns[1].request.parts == ()


def test_a_prompt_file_that_fails_is_named() -> None:
    """With the line in it."""
    roles = {"anna": {"prompt": "a.j2"}}
    conversation = drive(talk(["anna"], roles=roles, prompts={"a.j2": "One.\n{{ 1 / 0 }}\n"}), Actor())
    assert conversation.outcome is not None
    assert "a.j2" in conversation.outcome.detail
    assert "line 2" in conversation.outcome.detail


# --- Side by side


def block(*branches: Any, **keys: Any) -> Conversation:
    """Return a conversation whose one step is a block; a branch that is a list is a chain."""
    steps = [{"do": branch} if isinstance(branch, list) else branch for branch in branches]
    return talk([{"parallel": steps}], roles=keys.pop("roles", ("anna", "ben", "cleo")), **keys)


def ids(*numbers: str) -> list[str]:
    """Return the ids of a block's asks: a branch's number, and in a chain its step's."""
    return ["turns.0.parallel." + number.replace("/", ".do.") for number in numbers]


def test_one_request_in_flight_for_each_model() -> None:
    """Branches wait for one another, since a model server would let them wait too, and their time would run."""
    drive(block(["anna", "ben"], "ben", "anna", "anna"), actor := Actor())
    assert actor.most == {"/m": 1}
    assert actor.asked == ids("0/0", "1", "2", "3", "0/1")  # as declared


@pytest.mark.parametrize("parallel", [2, 3])
def test_so_many_in_flight_as_are_allowed(parallel: int) -> None:
    """``parallel`` is the number for each model."""
    drive(block("anna", "ben", "anna", "anna"), actor := Actor(), gates=Gates(parallel))
    assert actor.most == {"/m": parallel}


def test_models_and_servers_do_not_wait_for_one_another() -> None:
    """The bound is for one model of one server."""
    roles = {"anna": {}, "ben": {"model": "n"}, "cleo": {"host": "http://far"}}
    drive(block("anna", "ben", "cleo", "anna", "cleo", roles=roles), actor := Actor())
    assert actor.most == {"/m": 1, "/n": 1, "http://far/m": 1}
    assert actor.together == 3


def test_waiting_keeps_the_place() -> None:
    """Who waits before another try is not overtaken: the server is in trouble, and others would be too."""
    left = [broken()]
    actor = Actor(lambda ask: left.pop() if left else said(ask.id))
    drive(block("anna", "ben"), actor, sleep=Naps())
    assert actor.asked == ids("0", "0", "1")


BRANCHES = (["anna", "ben", "anna"], ["ben", "cleo"], "cleo", ["anna", "anna"])
ASKED = ids("0/0", "0/1", "0/2", "1/0", "1/1", "2", "3/0", "3/1")


def played(ranks: dict[str, int]) -> tuple[Conversation, Transcript]:
    """Return what comes of a block whose replies arrive in the order of their ranks."""
    conversation = drive(block(*BRANCHES, stop=[{"token": "END"}]), actor := Late(ranks, _answer), gates=Gates(9))
    assert len(actor.asked) == 7  # not 1/1
    return conversation, transcript(conversation)


def _answer(ask: Ask) -> Reply:
    """An answer that tells what was heard; one ends its branch, and one fails."""
    if ask.id == ASKED[5]:
        return failed()
    return said("END" if ask.id == ASKED[3] else f"{len(ask.request.parts)} of {ask.id}")


def test_any_order_of_arrival_gives_the_same() -> None:
    """Outcome and turns do not depend on who answers first, to the byte; only the log is in order of arrival."""
    chance = random.Random(1)
    all_played = [played({id_: chance.randint(0, 9) for id_ in ASKED}) for _ in range(25)]
    assert len({dumps(made) for _, made in all_played}) == 1
    assert len({str(conversation.outcome) for conversation, _ in all_played}) == 1
    assert len({tuple(turn.exchange.ask.id for turn in conversation.log) for conversation, _ in all_played}) > 5


# --- Being stopped


async def _cancelled(conversation: Conversation, actor: Stuck, *watchers: Noted, **keys: Any) -> None:
    task = asyncio.create_task(Live(conversation, actor, watchers, **keys).run())
    await actor.reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_a_cancelled_run_lets_nothing_go_on() -> None:
    """The request in flight is cancelled, and is gone before the run returns; what was said stays."""
    conversation = talk(["anna", "ben", "anna"])
    asyncio.run(_cancelled(conversation, actor := Stuck("turns.1"), noted := Noted()))
    assert actor.cancelled == ["turns.1"]
    assert sum(actor.in_flight.values()) == 0
    assert [turn.exchange.ask.id for turn in conversation.turns] == ["turns.0"]
    assert conversation.outcome is None
    assert noted.notes[-1] == "Asked turns.1"


def test_all_requests_in_flight_are_cancelled() -> None:
    """Also those that still wait for their turn, which are never sent."""
    conversation = block("anna", "ben", "anna", "ben")

    class AllStuck(Stuck):
        async def wait(self, ask: Ask) -> None:
            self.reached.set()
            await asyncio.Event().wait()

    asyncio.run(_cancelled(conversation, actor := AllStuck(""), gates=Gates(2)))
    assert sorted(actor.cancelled) == sorted(actor.asked) == ids("0", "1")


def test_a_wait_before_another_try_can_be_cancelled() -> None:
    """Nobody has to wait for a wait."""

    async def run() -> None:
        task = asyncio.create_task(Live(talk(["anna"]), Actor(lambda _: broken())).run())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


class Faulty(Actor):
    """A backend with a mistake in it."""

    def __init__(self, at: str, error: BaseException) -> None:
        super().__init__()
        self.at, self.error = at, error

    async def wait(self, ask: Ask) -> None:
        if ask.id == self.at:
            raise self.error


def test_a_mistake_in_a_backend_comes_out() -> None:
    """It is not taken for a failure of the model; the turns until then are settled."""
    conversation = talk(["anna", "ben"])
    with pytest.raises(ZeroDivisionError):
        drive(conversation, Faulty("turns.1", ZeroDivisionError()), noted := Noted())
    assert "settled turns.0" in noted.notes
    assert conversation.outcome is None


@pytest.mark.parametrize("at", ids("0", "1", "2"))
@pytest.mark.parametrize("error", [ZeroDivisionError(), asyncio.CancelledError()], ids=["mistake", "cancelled"])
def test_a_mistake_loses_no_reply_that_was_there(at: str, error: BaseException) -> None:
    """Replies that arrived together with the mistake are settled before it comes out."""
    noted = Noted()
    with pytest.raises(type(error)):
        drive(block("anna", "ben", "cleo"), Faulty(at, error), noted, gates=Gates(3))
    assert [note for note in noted.notes if "settled" in note] == [
        f"settled {i}" for i in ids("0", "1", "2") if i != at
    ]


def test_a_backend_that_cancels_itself_is_cancelled() -> None:
    """A reply that ends as cancelled, though nobody cancelled it, ends the run so."""
    with pytest.raises(asyncio.CancelledError):
        drive(talk(["anna"]), Faulty("turns.0", asyncio.CancelledError()))
