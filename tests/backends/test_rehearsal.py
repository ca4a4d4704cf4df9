"""The stand-in for a model: the same words for the same ask, within every bound that a model has to keep."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from llm_gc.backends.interface import Asked, Delta, Facts, Progress
from llm_gc.backends.rehearsal import Rehearsal
from llm_gc.core import Conversation
from llm_gc.protocol import Ask, ModelConfig, Reply
from tests.talks import talk

GRADE = {"type": "object", "properties": {"grade": {"enum": [1, 2, 3]}, "why": {"type": "string"}}, "required": ["why"]}


def reply(ask: Ask, notes: list[Progress] | None = None) -> Reply:
    """Return the stand-in's reply."""
    return asyncio.run(Rehearsal().reply(ask, (notes if notes is not None else []).append))


def rehearsed(conversation: Conversation) -> list[Reply]:
    """Answer all asks with the stand-in."""
    replies = []
    while conversation.pending:
        replies.append(reply(conversation.pending[0]))
        conversation.answer(conversation.pending[0], replies[-1])
    return replies


def test_it_has_everything() -> None:
    """Its preflight finds whatever is asked for, and says who it is."""
    assert asyncio.run(Rehearsal().preflight([ModelConfig("no such model")], 1.0)) == Facts("rehearsal")
    asyncio.run(Rehearsal().aclose())


def test_nobody_can_take_it_for_a_model() -> None:
    """The model's name is its own, and its text says that it was rehearsed, by whom and when."""
    first = reply(talk(["anna"]).pending[0])
    assert first.model == "rehearsal"
    assert first.content.startswith("(Rehearsed words of anna, turn 1.) ")


def test_the_same_ask_gets_the_same_words() -> None:
    """Two runs are the same to the letter, and another seed gives other words."""
    turns = [{"repeat": ["anna", "ben"], "times": 3}]
    one, again, other = (rehearsed(talk(turns, seed=seed)) for seed in (1, 1, 2))
    assert one == again
    assert [r.content for r in one] != [r.content for r in other]
    assert len({r.content for r in one}) == len(one)


def test_what_streams_is_what_is_said() -> None:
    """The pieces are announced first, and joined they are the content."""
    notes: list[Progress] = []
    whole = reply(talk(["anna"]).pending[0], notes)
    assert notes[0] == Asked("rehearsal")
    assert "".join(note.text for note in notes if isinstance(note, Delta)) == whole.content
    assert len(notes) - 1 == whole.tokens.completion


@pytest.mark.parametrize("limit", [1, 2, 5, 20])
@pytest.mark.parametrize("format_", [None, GRADE], ids=["text", "json"])
def test_it_keeps_to_max_tokens(limit: int, format_: Any) -> None:
    """What would be longer is cut where a model would be, and says so."""
    turn = {"say": "anna", "max_tokens": limit, **({"format": format_} if format_ else {})}
    whole = reply(talk([{**turn, "max_tokens": 1000}]).pending[0])
    cut = reply(talk([turn]).pending[0])
    assert whole.done_reason == "stop"
    assert not whole.cut
    assert (whole.tokens.completion or 0) > 2
    assert cut.tokens.completion == min(limit, whole.tokens.completion or 0)
    assert whole.content.startswith(cut.content)
    assert cut.done_reason == ("length" if len(cut.content) < len(whole.content) else "stop")


def test_a_cut_structured_reply_is_a_failed_turn() -> None:
    """It is flagged as cut, and not asked for again."""
    conversation = talk([{"say": "anna", "format": GRADE, "max_tokens": 2}, "ben"])
    replies = rehearsed(conversation)
    assert len(replies) == 2
    failure = conversation.turns[0].exchange.failure
    assert failure is not None
    assert failure.kind == "malformed"
    assert "raise max_tokens" in failure.message


def test_it_fits_the_format() -> None:
    """A structured reply is taken at the first try."""
    conversation = talk([{"say": "anna", "format": GRADE}])
    (only,) = rehearsed(conversation)
    assert json.loads(only.content) == conversation.turns[0].message.data
    assert conversation.turns[0].exchange.failure is None
    assert conversation.turns[0].attempts == ()


@pytest.mark.parametrize(
    "stop", ["DONE", {"token": "all is well", "match": "contains"}, {"token": "END", "role": "anna"}]
)
def test_the_third_turn_says_the_stop_token(stop: Any) -> None:
    """A speaker approves on its third turn, so that a rehearsal shows how the conversation ends."""
    conversation = talk([{"repeat": ["anna", "ben"]}], stop=[stop])
    replies = rehearsed(conversation)
    assert len(replies) == 5
    assert conversation.outcome is not None
    assert conversation.outcome.reason == "stop_token"


def test_a_token_of_somebody_else_is_not_said() -> None:
    """Who could not end the conversation does not say that it ends."""
    conversation = talk([{"repeat": ["anna", "ben"], "times": 4}], stop=[{"token": "END", "role": "ben"}])
    replies = rehearsed(conversation)
    assert len(replies) == 6
    assert ["END" in r.content for r in replies] == [False] * 5 + [True]


def test_one_of_several_tokens_is_said() -> None:
    """Which one is chance, and the same each time; a regular expression is nothing to say."""
    stops: list[Any] = ["DONE", "ENOUGH", {"token": "^x+$", "match": "regex"}]
    said = set()
    for seed in range(10):
        replies = rehearsed(talk([{"repeat": ["anna"]}], stop=stops, seed=seed))
        assert len(replies) == 3
        said.add(replies[-1].content.splitlines()[-1])
    assert said == {"DONE", "ENOUGH"}


def test_it_needs_no_token_limit() -> None:
    """An ask without ``num_predict`` is answered whole."""
    ask = talk(["anna"]).pending[0]
    free = replace(ask, options={"seed": ask.options["seed"]})
    assert reply(free) == reply(ask)


def test_it_takes_no_time() -> None:
    """Nothing is measured, so that transcripts of rehearsals are the same to the byte."""
    only = reply(talk(["anna"]).pending[0])
    assert (only.seconds, only.latency.total) == (0.0, 0.0)
