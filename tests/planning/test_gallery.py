"""What holds for the plan of every pipeline that ships."""

from __future__ import annotations

import pytest

from llm_gc.core import Conversation
from llm_gc.core.context_window import size
from llm_gc.planning.plan import plan
from llm_gc.planning.plan_text import supplied
from llm_gc.protocol import Reply
from llm_gc.values.units import CHARACTERS_PER_TOKEN
from tests.gallery.plays import load, names

CERTAIN = ("debate", "m1", "mixture-of-agents", "role-play", "round-robin", "self-consistency", "two-agent-chat")
"""Pipelines whose course depends on nothing that is said, stop tokens apart."""


@pytest.mark.parametrize("name", names())
def test_it_can_be_planned(name: str) -> None:
    """Every turn can be told, and fits its window, where nothing else is said of what does not."""
    loaded = load(name)
    values, _ = supplied(loaded.pipeline, {})
    found = plan(loaded, {key: one.value for key, one in values.items()}, is_seeded=False)
    assert found.turns
    assert not found.is_cut
    assert not [turn.trouble for turn in found.turns if turn.trouble]
    drops = loaded.pipeline.limits.on_overflow == "drop_oldest"
    assert drops or all(turn.window is None or turn.prompt + turn.reply <= turn.window for turn in found.turns)


@pytest.mark.parametrize("name", CERTAIN)
def test_the_plan_is_what_comes(name: str) -> None:
    """With replies of full length the same turns come in the same order, and none is larger than it was planned."""
    loaded = load(name)
    values, _ = supplied(loaded.pipeline, {})
    inputs = {key: one.value for key, one in values.items()}
    found = plan(loaded, inputs)
    assert not found.assumptions
    conversation, asks = Conversation(loaded.pipeline, inputs, loaded.files), []
    while conversation.outcome is None:
        ask = conversation.pending[0]
        asks.append((ask.speaker.role, ask.model, size(ask.request.parts) / CHARACTERS_PER_TOKEN))
        letters = int(ask.options["num_predict"] * CHARACTERS_PER_TOKEN)
        conversation.answer(ask, Reply(f"{len(asks)} ".ljust(letters, "x"), done_reason="stop"))
    assert [(turn.role, turn.model) for turn in found.turns] == [(role, model) for role, model, _ in asks]
    assert conversation.outcome.reason == found.reason
    for turn, (_, _, tokens) in zip(found.turns, asks, strict=True):
        assert tokens < turn.prompt + 1
