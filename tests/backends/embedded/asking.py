"""Short ways to ask an embedded model."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import pytest

from llm_gc.backends.embedded.backend import Embedded
from llm_gc.backends.embedded.engine import EngineProcess
from llm_gc.backends.embedded.model_store import ModelStore
from llm_gc.backends.interface import Facts
from llm_gc.protocol import Ask, ModelConfig, Part, Reply, Request, Speaker
from tests.backends.ollama.asking import an_ask, run

T = TypeVar("T")

TINY = "tiny.gguf"
ONE_THREAD = {"threads": 1}

needs_engine = pytest.mark.skipif(find_spec("xllamacpp") is None, reason="xllamacpp is not installed: no engine")
"""For tests that load a model."""


def embedded(folder: Path, **more: Any) -> Embedded:
    """Return the backend with the models in a folder."""
    return Embedded(ModelStore(folder), **more)


def casting(model: str = TINY, **more: Any) -> ModelConfig:
    """Return a casting that is played with one thread, whose number is not measured."""
    return ModelConfig(model, options={**ONE_THREAD, **more.pop("options", {})}, **more)


def question(text: str = "Plan it.", role: str = "anna", *, cast: ModelConfig | None = None, **more: Any) -> Ask:
    """Return an ask of a role."""
    ask = an_ask(options={"num_predict": 24, "seed": 1, **more.pop("options", {})}, **more)
    request = Request((Part("system", "You plan."), Part("user", text)))
    return replace(ask, casting=cast or casting(), speaker=Speaker(role), render=lambda: request)


def with_engine(backend: Embedded, doing: Callable[[Embedded], Awaitable[T]]) -> T:
    """Do something with a backend, which is closed at the end."""

    async def go() -> T:
        try:
            return await doing(backend)
        finally:
            await backend.aclose()

    return run(go())


def answers(backend: Embedded, *asks: Ask) -> list[Reply]:
    """Return the replies to some asks, one after the other."""

    async def go(backend: Embedded) -> list[Reply]:
        return [await backend.reply(ask) for ask in asks]

    return with_engine(backend, go)


def facts(backend: Embedded, castings: Sequence[ModelConfig], load_timeout: float = 30.0) -> Facts:
    """Return what is known before the first turn."""
    return with_engine(backend, lambda opened: opened.preflight(castings, load_timeout))


def processes(backend: Embedded) -> list[int]:
    """Return the numbers of the processes of a backend's engines."""
    engines = [model.engine for model in backend._models.values()]
    return [engine._process.pid for engine in engines if engine is not None and engine._process is not None]


def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Note the bodies of all requests."""
    bodies: list[dict[str, Any]] = []
    before = EngineProcess.stream

    def stream(self: EngineProcess, kind: str, body: Any) -> Any:
        bodies.append(json.loads(json.dumps(body)))
        return before(self, kind, body)

    monkeypatch.setattr(EngineProcess, "stream", stream)
    return bodies
