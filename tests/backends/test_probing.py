"""Probes, over real sockets: what a model really does is seen, whatever its file says."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from llm_gc.backends.interface import Backend, Probe
from llm_gc.backends.ollama import Ollama
from llm_gc.backends.openai import OpenAI
from llm_gc.backends.probing import MOST_TOKENS, probe
from llm_gc.protocol import ModelConfig
from tests.standin import Error, Model, Say, StandIn

YES = json.dumps({"answer": "yes"})
THINKER = Model("m", capabilities=("completion", "thinking"))


def probed(server: StandIn, backend: Backend | None = None, **casting: Any) -> Probe:
    """Probe the model m of a server."""
    backend = backend or Ollama(server.url)

    async def go() -> Probe:
        try:
            return await probe(backend, ModelConfig("m", **casting))
        finally:
            await backend.aclose()

    return asyncio.run(go())


def test_a_model_that_does_as_it_is_told() -> None:
    """It answers in the form that it is given, and does not think; it is loaded as the pipeline would have it."""
    with StandIn([THINKER]) as server:
        server.script(Say(YES))
        found = probed(server, options={"num_ctx": 512, "temperature": 0.7, "stop": ["{"]}, think=True)
        assert (found.answered, found.wrong, found.thought, found.failure) == (True, "", False, "")
        [chat] = server.chats
        assert chat.json["think"] is False
        assert chat.json["format"]["required"] == ["answer"]
        assert chat.json["options"] == {"num_ctx": 512, "num_predict": MOST_TOKENS, "temperature": 0, "seed": 1}
        assert [load.options.num_ctx for load in server.loads] == [512]


@pytest.mark.parametrize(
    ("says", "wrong", "thought", "answered"),
    [
        (Say("Snow is white."), True, False, True),
        (Say(json.dumps({"answer": "perhaps"})), True, False, True),
        (Say(YES, thinking="Is it?"), False, True, True),
        (Say("", thinking="Is it?", done_reason="length"), False, True, False),
        (Say(""), False, False, False),
    ],
)
def test_a_model_that_does_not(says: Say, wrong: bool, thought: bool, answered: bool) -> None:
    """A form that is not kept, thoughts that nobody asked for, no answer at all."""
    with StandIn([THINKER]) as server:
        server.script(says)
        found = probed(server)
    assert (bool(found.wrong), found.thought, found.answered) == (wrong, thought, answered)


def test_a_server_that_fails() -> None:
    """Why is told, and it is asked once."""
    with StandIn([THINKER]) as server:
        server.script(Error(500, "out of memory"))
        found = probed(server)
        assert len(server.chats) == 1
    assert "ran out of memory" in found.failure


def test_a_server_of_the_other_kind() -> None:
    """It is probed in its own words."""
    with StandIn([Model("m")]) as server:
        server.script(Say(YES))
        found = probed(server, OpenAI(server.url))
        [chat] = server.chats
    assert found.answered
    assert not found.wrong
    assert chat.path == "/v1/chat/completions"
