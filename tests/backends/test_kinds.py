"""Servers of several kinds as one backend: each role is asked of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest

from llm_gc.backends import make
from llm_gc.backends.dispatch import ByServerKind
from llm_gc.backends.interface import Facts, ModelFacts
from llm_gc.errors import ServerError, UsageError
from llm_gc.protocol import ModelConfig
from tests.runtime.acting import Actor
from tests.talks import said, talk

HERE, THERE = ModelConfig("a"), ModelConfig("b", "h", backend="openai")


class Broken(Actor):
    """A backend that cannot be prepared."""

    async def preflight(self, *_: object) -> Facts:
        raise ServerError("it is broken")


def kinds(ollama: Actor, openai: Actor, *, only: str | None = None) -> ByServerKind:
    """Both as one."""
    makers: Mapping[str, Callable[[], Actor]] = {"ollama": lambda: ollama, "openai": lambda: openai}
    return ByServerKind(makers, only or "ollama", only=only is not None)


def test_what_each_says_is_put_together() -> None:
    """Names, versions, models and warnings of both; each is asked for its own roles alone."""
    one = Actor(facts=Facts("ollama", "0.33.0", {(None, "a"): ModelFacts("9f")}, ("odd",)))
    other = Actor(facts=Facts("openai", None, {("h", "b"): ModelFacts(num_ctx=9)}, ("odder",)))
    facts = asyncio.run(kinds(one, other).preflight([HERE, THERE], 1.0))
    models = {(None, "a"): ModelFacts("9f"), ("h", "b"): ModelFacts(num_ctx=9)}
    assert facts == Facts("ollama, openai", "0.33.0", models, ("odd", "odder"))


def test_only_those_that_are_needed_are_made() -> None:
    """A kind that no role has is not looked for, and what was not made is not closed."""
    one, other = Actor(), Actor()
    both = kinds(one, other)
    asyncio.run(both.preflight([HERE], 1.0))
    asyncio.run(both.aclose())
    assert (one.preflights, one.closed) == (1, 1)
    assert (other.preflights, other.closed) == (0, 0)


def test_a_kind_for_all_goes_before_what_a_role_says() -> None:
    """`--backend openai` is meant for every role."""
    one, other = Actor(), Actor()
    both = kinds(one, other, only="openai")
    asyncio.run(both.preflight([HERE, THERE], 1.0))
    assert (one.preflights, other.preflights) == (0, 1)


def test_a_reply_comes_from_the_roles_own_kind() -> None:
    """Whoever is asked, the other one is not."""
    one, other = Actor(lambda _: said("here")), Actor(lambda _: said("there"))
    both = kinds(one, other)
    conversation = talk(["anna", "ben"], roles={"anna": {}, "ben": {"backend": "openai"}})
    for expected in ("here", "there"):
        ask = conversation.pending[0]
        reply = asyncio.run(both.reply(ask))
        assert reply.content == expected
        conversation.answer(ask, reply)


def test_one_that_cannot_begin_does_not_cut_the_other_off() -> None:
    """All are done when the error comes out, so that nothing continues behind anybody's back."""
    one, other = Broken(), Actor()
    with pytest.raises(ServerError, match="it is broken"):
        asyncio.run(kinds(one, other).preflight([HERE, THERE], 1.0))
    assert other.preflights == 1


@pytest.mark.parametrize("host", ["gpu:abc", "gpu:99999", "ftp://gpu"])
@pytest.mark.parametrize("name", [None, "ollama", "openai", "auto"])
def test_a_host_that_is_no_address_is_a_wrong_call(name: str | None, host: str) -> None:
    """What somebody types is not fixed in silence, as what is in the environment is."""
    with pytest.raises(UsageError, match="--host: "):
        make(name, host)
