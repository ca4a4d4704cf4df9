"""Short ways to ask an OpenAI-compatible server."""

from __future__ import annotations

from llm_gc.backends.interface import Facts, Notify, ignore
from llm_gc.backends.openai import OpenAI
from llm_gc.protocol import Ask, ModelConfig, Reply
from tests.backends.ollama.asking import an_ask, run

KEY = "sk-very-secret-0123456789"


def reply_to(openai: OpenAI, ask: Ask | None = None, notify: Notify = ignore) -> Reply:
    """The reply to one ask; the backend is closed at the end."""

    async def go() -> Reply:
        try:
            return await openai.reply(ask or an_ask(), notify)
        finally:
            await openai.aclose()

    return run(go())


def found(openai: OpenAI, *castings: ModelConfig) -> Facts:
    """The facts about some castings; the backend is closed at the end."""

    async def go() -> Facts:
        try:
            return await openai.preflight(castings or [ModelConfig("demo:1b")], 5.0)
        finally:
            await openai.aclose()

    return run(go())
