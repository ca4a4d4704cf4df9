"""Wide and long conversations: no recursion, no surprise, with the stand-in answering."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llm_gc.backends.rehearsal import Rehearsal
from llm_gc.core import Conversation
from llm_gc.runtime.gates import Gates
from llm_gc.runtime.live import Live
from tests.talks import talk

pytestmark = pytest.mark.slow


def driven(conversation: Conversation) -> Conversation:
    """Drive a conversation to its end with the stand-in."""
    asyncio.run(Live(conversation, Rehearsal(), gates=Gates(64)).run())
    return conversation


def test_a_thousand_branches() -> None:
    """They are answered side by side, joined in declared order, and heard by whoever comes after."""
    turns: list[Any] = [{"parallel": ["anna"], "times": 1000, "as": "all"}, "ben"]
    conversation = driven(talk(turns, limits={"max_turns": 1001}, result="{{ all | length }}"))
    assert conversation.outcome is not None
    assert (conversation.outcome.reason, conversation.outcome.result) == ("turns_done", 1000)
    assert [turn.number for turn in conversation.turns] == list(range(1, 1002))
    assert conversation.turns[-1].exchange.ask.request.messages[-1]["content"].count("anna 1000: ") == 1


def test_a_loop_of_five_thousand_turns() -> None:
    """With a window on the newest messages, each request stays as short as the window."""
    roles = {name: {"sees": {"last": 10}} for name in ("anna", "ben")}
    conversation = driven(talk([{"repeat": ["anna", "ben"]}], roles=roles, limits={"max_turns": 5000}))
    assert conversation.outcome is not None
    assert conversation.outcome.reason == "max_turns"
    assert len(conversation.turns) == 5000
    assert len(conversation.turns[-1].exchange.ask.request.parts) <= 21


def test_blocks_nested_deeply() -> None:
    """As deep as a document may be."""
    step: Any = "anna"
    for _ in range(20):
        step = {"parallel": [{"do": [step]}]}
    conversation = driven(talk([step, "ben"]))
    assert conversation.outcome is not None
    assert len(conversation.turns) == 2
