"""People beside models: each ask goes to the one who plays its role."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from llm_gc.backends.dispatch import ByPlayer
from llm_gc.backends.interface import Facts, Notify, ignore
from llm_gc.protocol import Ask, ModelConfig, Reply
from tests.talks import talk

MODEL, PERSON = ModelConfig("m"), ModelConfig("", human=True)


class Named:
    """A backend that says its name, and remembers what it was asked."""

    def __init__(self, name: str, *, fails: bool = False) -> None:
        self.name, self.fails = name, fails
        self.castings: list[ModelConfig] | None = None
        self.closed = False

    async def preflight(self, castings: Sequence[ModelConfig], load_timeout: float, notify: Notify = ignore) -> Facts:
        self.castings = list(castings)
        return Facts(self.name)

    async def reply(self, ask: Ask, notify: Notify = ignore) -> Reply:
        return Reply(self.name)

    async def aclose(self) -> None:
        self.closed = True
        if self.fails:
            raise ConnectionError("it hangs")


@pytest.mark.parametrize(
    ("castings", "facts", "asked"),
    [([MODEL, PERSON, MODEL], "main", [MODEL, MODEL]), ([PERSON], "human", None), ([], "human", None)],
)
def test_only_models_are_looked_for(castings: list[ModelConfig], facts: str, asked: Any) -> None:
    """Where everybody is a person, no server is asked at all."""
    main, human = Named("main"), Named("human")
    assert asyncio.run(ByPlayer(main, human).preflight(castings, 1.0)) == Facts(facts)
    assert main.castings == asked


def test_a_reply_comes_from_whoever_plays_the_role() -> None:
    """A person for a person's role, the model for the others."""
    router = ByPlayer(Named("main"), Named("human"))
    conversation = talk(["anna", "ben"], roles={"anna": {"human": True}, "ben": {}})
    for expected in ("human", "main"):
        ask = conversation.pending[0]
        reply = asyncio.run(router.reply(ask))
        assert reply.content == expected
        conversation.answer(ask, reply)


def test_both_are_closed() -> None:
    """Also where one of them cannot be."""
    main, human = Named("main"), Named("human", fails=True)
    with pytest.raises(ConnectionError, match="it hangs"):
        asyncio.run(ByPlayer(main, human).aclose())
    assert (main.closed, human.closed) == (True, True)
