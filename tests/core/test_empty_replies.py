"""An empty reply is asked for once more, in the same words and with another seed."""

from __future__ import annotations

from typing import Any

import pytest

from llm_gc.core import Conversation
from llm_gc.protocol import Failure, Reply
from tests.talks import answer_all, said, talk

EMPTY = said(" \n")


def tried(conversation: Conversation) -> list[str]:
    """The failures of the tries before the first turn, and its own."""
    turn = conversation.turns[0]
    exchanges = (*turn.attempts, turn.exchange)
    return [one.failure.kind for one in exchanges if one.failure is not None]


@pytest.mark.parametrize("role", [{}, {"seed": 7}])
def test_an_empty_reply_is_asked_for_once_more(role: dict[str, Any]) -> None:
    """Also where the role has a seed of its own, with which it would be empty again."""
    conversation = talk(["anna"], roles={"anna": role})
    first, second = answer_all(conversation, EMPTY, "Hello.")
    assert first.request.messages == second.request.messages
    assert first.options["seed"] != second.options["seed"]
    assert {**first.options, "seed": 0} == {**second.options, "seed": 0}
    assert tried(conversation) == ["empty"]
    assert conversation.turns[0].message.content == "Hello."


def test_the_second_one_settles_the_turn() -> None:
    """It fails, and the next speaker has the word."""
    conversation = talk(["anna", "ben"])
    assert [ask.speaker.role for ask in answer_all(conversation, EMPTY, EMPTY)] == ["anna", "anna", "ben"]
    assert tried(conversation) == ["empty", "empty"]


def test_what_was_cut_is_not_asked_for_again() -> None:
    """It would spend all of its tokens once more."""
    conversation = talk(["anna"])
    assert len(answer_all(conversation, Reply("", thinking="Hm.", done_reason="length"))) == 1


def test_nothing_is_asked_again_where_no_time_is_left() -> None:
    """The time has run out."""
    assert len(answer_all(talk(["anna"], limits={"max_time": "1s"}), EMPTY)) == 1


def test_an_empty_repair_is_asked_for_again_as_a_repair() -> None:
    """And what does not fit after an empty one is repaired as ever."""
    step = {"say": "anna", "format": {"a": {"type": "integer"}}}
    asks = answer_all(talk([step]), "no JSON", EMPTY, '{"a": 1}')
    assert asks[1].request.messages == asks[2].request.messages
    conversation = talk([step])
    asks = answer_all(conversation, EMPTY, "no JSON", '{"a": 1}')
    assert len(asks[2].request.messages) > len(asks[1].request.messages)
    assert conversation.turns[0].message.data == {"a": 1}


def test_a_failure_that_comes_from_outside_settles_the_turn() -> None:
    """A person who gives no answer is not asked twice, nor is a record under rules that did not ask again."""
    assert len(answer_all(talk(["anna"]), Reply(failure=Failure("empty", "Nothing.")))) == 1
