"""People beside models: each ask goes to the one who plays its role."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from llm_gc.backends.base import Facts, Notify, ignore
from llm_gc.backends.router import Router
from llm_gc.protocol import Ask, Casting, Reply
from tests.talks import talk

MODEL, PERSON = Casting("m"), Casting("", human=True)


class Named:
    """A backend that says its name, and remembers what it was asked."""

    def __init__(self, name: str, *, fails: bool = False) -> None:
        self.name, self.fails = name, fails
        self.castings: list[Casting] | None = None
        self.closed = False

    async def preflight(self, castings: Sequence[Casting], load_timeout: float, notify: Notify = ignore) -> Facts:
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
def test_only_models_are_looked_for(castings: list[Casting], facts: str, asked: Any) -> None:
    """Where everybody is a person, no server is asked at all."""
    main, human = Named("main"), Named("human")
    assert asyncio.run(Router(main, human).preflight(castings, 1.0)) == Facts(facts)
    assert main.castings == asked


def test_a_reply_comes_from_whoever_plays_the_role() -> None:
    """A person for a person's role, the model for the others."""
    router = Router(Named("main"), Named("human"))
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
        asyncio.run(Router(main, human).aclose())
    assert (main.closed, human.closed) == (True, True)
