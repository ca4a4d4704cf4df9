"""The engine: conversations share connections, facts and gates, and none of them closes what another one uses."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import llm_gc
from llm_gc import Engine
from llm_gc.errors import ServerUnreachable, UsageError
from tests.commands import M1
from tests.runtime.acting import Actor
from tests.standin import Model, StandIn

PIPELINE = """
name: pair
roles:
  anna: {model: m, prompt: You plan.}
  ben: {model: m, prompt: You check.}
inputs: {task: {type: string}}
opening: "{{ task }}"
turns: [anna, ben]
"""
MODELS = [Model("qwen2.5-coder:1.5b"), Model("deepseek-coder:1.3b")]


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """Return a pipeline of two turns."""
    file = tmp_path / "pair.yaml"
    file.write_text(PIPELINE, encoding="utf-8")
    return file


def test_conversations_share_a_preflight(pair: Path, tmp_path: Path) -> None:
    """Who asks the same of the servers is told what the first one was told; the object is left open."""
    actor = Actor()

    async def both() -> list[Any]:
        async with Engine(backend=actor) as engine:
            runs = (engine.run(pair, task=task, sessions=tmp_path / "s") for task in ("one", "two", "three"))
            return await asyncio.gather(*runs)

    assert [done.status for done in asyncio.run(both())] == ["completed"] * 3
    assert (actor.preflights, actor.closed) == (1, 0)


def test_a_preflight_that_failed_is_tried_again(pair: Path, tmp_path: Path) -> None:
    """A server that was not there the first time may be there the second time."""
    failures = [ServerUnreachable("nobody is there")]

    class Sometimes(Actor):
        async def preflight(self, *args: Any) -> Any:
            if failures:
                raise failures.pop()
            return await super().preflight(*args)

    actor = Sometimes()

    async def twice() -> Any:
        async with Engine(backend=actor) as engine:
            with pytest.raises(ServerUnreachable):
                await engine.run(pair, task="x", sessions=tmp_path / "s")
            return await engine.run(pair, task="x", sessions=tmp_path / "s")

    assert asyncio.run(twice()).status == "completed"


@pytest.mark.parametrize("parallel", [1, 2, 5])
def test_the_requests_in_flight_are_limited_across_conversations(pair: Path, tmp_path: Path, parallel: int) -> None:
    """Not for each conversation on its own."""
    actor = Actor()

    async def many() -> None:
        async with Engine(backend=actor, parallel=parallel) as engine:
            await asyncio.gather(*(engine.run(pair, task=str(n), sessions=tmp_path / "s") for n in range(8)))

    asyncio.run(many())
    assert actor.most == {"/m": parallel}


def test_run_async_leaves_an_engine_open(pair: Path, tmp_path: Path) -> None:
    """And takes neither a backend nor a host beside it."""
    actor = Actor()

    async def some() -> None:
        async with Engine(backend=actor) as engine:
            await llm_gc.run_async(pair, task="x", engine=engine, sessions=tmp_path / "s")
            await llm_gc.run_async(pair, task="y", engine=engine, sessions=tmp_path / "s")
            with pytest.raises(UsageError, match="the engine's"):
                await llm_gc.run_async(pair, task="y", engine=engine, host="http://127.0.0.1:1")

    asyncio.run(some())
    assert (actor.preflights, actor.closed) == (1, 0)


def test_a_warm_conversation_makes_no_request_but_its_own(tmp_path: Path) -> None:
    """The server of an earlier one is known: six turns of M1 are at most nine requests, on the same connections."""
    with StandIn(MODELS) as server:

        async def two() -> tuple[int, int]:
            async with Engine(host=server.url) as engine:
                await engine.run(M1, task="a", rounds=3, sessions=tmp_path / "s")
                before, connections = len(server.requests), server.connections
                await engine.run(M1, task="b", rounds=3, sessions=tmp_path / "s")
                return len(server.requests) - before, server.connections - connections

        made, connected = asyncio.run(two())
        assert len(server.chats) >= 12
    assert 6 <= made <= 9
    assert connected == 0
