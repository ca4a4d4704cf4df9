"""A template in the place of a text that gives none, or space alone: there is no text, and never the word None."""

from __future__ import annotations

from typing import Any

import pytest

from llm_gc.protocol import Ask
from tests.talks import answer_all, failed, talk

EMPTY = ["{{ none }}", "{{ 'once' if false }}", "{% if false %}once{% endif %}", " \n"]


def texts(ask: Ask) -> list[str]:
    """Return what an ask sends, message by message."""
    return [message["content"] for message in ask.request.messages]


@pytest.mark.parametrize("empty", EMPTY)
def test_an_instruction_that_comes_out_empty_is_none(empty: str) -> None:
    """After a message of one's own it is `Go on.`, as without an instruction, also when the others have failed."""
    turns = [{"repeat": ["anna", {"say": "ben", "instruction": empty}], "times": 2}]
    asks = answer_all(talk(turns), "a", "b", failed())
    assert texts(asks[1]) == ["Begin.\n\nanna: a"]
    assert texts(asks[3]) == ["Begin.\n\nanna: a", "b", "Go on."]


def test_an_instruction_of_the_first_round_alone() -> None:
    """The later rounds have none."""
    turns = [{"repeat": [{"say": "anna", "instruction": "{{ 'Be brief.' if round == 1 }}"}, "ben"], "times": 2}]
    asks = answer_all(talk(turns), "a", "b")
    assert texts(asks[0]) == ["Begin.\n\nBe brief."]
    assert texts(asks[2]) == ["Begin.\n\nBe brief.", "a", "ben: b"]


@pytest.mark.parametrize("empty", EMPTY)
def test_nobody_hears_what_comes_out_empty(empty: str) -> None:
    """Neither a post, nor what stands in for a reply, nor an opening."""
    turns: list[Any] = [{"post": empty}, {"say": "ben", "result": empty}, "anna"]
    asks = answer_all(talk(turns, opening="Begin."), "b")
    assert texts(asks[1]) == ["Begin."]
    (only,) = answer_all(talk([{"say": "anna", "instruction": "Go."}], opening=empty))
    assert texts(only) == ["Go."]
    scene = {"scene": [{"say": "anna", "instruction": "Go."}], "opening": empty}
    assert texts(answer_all(talk([scene]))[0]) == ["Go."]


@pytest.mark.parametrize("empty", EMPTY[:3])
def test_a_label_or_a_prompt_that_comes_out_empty_is_none(empty: str) -> None:
    """The role's own label is, and there is no system prompt."""
    conversation = talk([{"say": "ben", "speaker": empty}, "anna"], roles={"anna": {"prompt": empty}, "ben": {}})
    assert texts(answer_all(conversation, "b")[1]) == ["Begin.\n\nben: b"]
