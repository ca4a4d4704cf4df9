"""A reply that a limit has cut: it is heard like any other, unless it had to fit a format."""

from __future__ import annotations

import pytest

from llm_gc.protocol import Attempt, Cut, CutLimit, Failure, Reply, Tokens
from tests.talks import answer_all, talk


def cut(content: str, limit: CutLimit, seconds: float = 1.0) -> Reply:
    """A reply with this content that was cut by this limit."""
    return Reply(content, seconds=seconds, tokens=Tokens(None, 7), cut_by=Cut(limit, f"{limit} ran out."))


@pytest.mark.parametrize("limit", ["max_tokens", "num_ctx", "timeout", "gap", "reply_time", "max_time"])
def test_a_cut_reply_is_heard(limit: CutLimit) -> None:
    """The turn has not failed, and the others are sent what had arrived."""
    conversation = talk(["anna", "ben"])
    asks = answer_all(conversation, cut("Once upon a", limit))
    assert [turn.exchange.failure for turn in conversation.turns] == [None, None]
    assert asks[1].request.messages[-1]["content"].endswith("anna: Once upon a")


def test_a_structured_reply_that_was_cut_fails() -> None:
    """It is not asked for again, and what is said of it names the limit; one that fits all the same does not fail."""
    step = {"say": "anna", "format": {"a": {"type": "string"}}}
    conversation = talk([step, "ben"])
    assert len(answer_all(conversation, cut('{"a": "Once', "reply_time"))) == 2
    failure = conversation.turns[0].exchange.failure
    assert failure is not None
    assert (failure.kind, "reply_time ran out" in failure.message) == ("malformed", True)
    conversation = talk([step])
    answer_all(conversation, cut('{"a": "Once"}', "reply_time"))
    assert conversation.turns[0].message.data == {"a": "Once"}


@pytest.mark.parametrize("turns", [["anna"], ["anna", "ben"]])
def test_max_time_that_runs_out_in_the_first_turn_stops_the_conversation(turns: list[str]) -> None:
    """What was said is there, so nothing has failed; also where nothing more was due."""
    conversation = talk(turns, limits={"max_time": "3s"})
    answer_all(conversation, cut("Once upon a", "max_time", 3.0))
    outcome = conversation.outcome
    assert outcome is not None
    assert (outcome.status, outcome.reason, outcome.result) == ("stopped", "max_time", "Once upon a")


def test_max_time_that_runs_out_in_a_scene_ends_what_it_is_the_limit_of() -> None:
    """Not the conversation around it."""
    scene = {"scene": ["anna", "ben"], "opening": "Go.", "limits": {"max_time": "3s"}}
    conversation = talk([scene, "ben"])
    assert len(answer_all(conversation, cut("Once upon a", "max_time", 3.0))) == 2
    assert conversation.outcome is not None
    assert conversation.outcome.reason == "turns_done"


def test_sums_of_seconds_lose_nothing() -> None:
    """What is left of a time, added to what had passed, is that time, whatever the figures."""
    conversation = talk([{"repeat": ["anna"]}], limits={"max_time": "3s"})
    ask = conversation.pending[0]
    conversation.answer(ask, Reply("Hm.", seconds=1.1))
    ask = conversation.pending[0]
    assert ask.time_left is not None
    conversation.answer(ask, Reply("Once upon a", seconds=ask.time_left - 1e-12, cut_by=Cut("max_time", "It ran out.")))
    assert conversation.outcome is not None
    assert conversation.outcome.reason == "max_time"


def test_the_tokens_of_tries_and_cut_replies_are_counted() -> None:
    """They were spent, whatever came of them."""
    conversation = talk([{"repeat": ["anna"]}], limits={"max_total_tokens": 30})
    tried = Attempt(Failure("broken", "It broke.", retry=True), "Once", tokens=Tokens(None, 20))
    first = Reply("Once upon", tokens=Tokens(None, 7), attempts=(tried,), cut_by=Cut("timeout", "It ran out."))
    asks = answer_all(conversation, first, cut("a time", "timeout"))
    assert len(asks) == 2
    assert conversation.outcome is not None
    assert conversation.outcome.detail == "34 of at most 30 tokens were used"
