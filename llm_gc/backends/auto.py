"""Ollama when it answers and has the models, else the stand-in; whoever asked for this is told loudly which."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llm_gc.backends.interface import Backend, Facts, Notify, ignore
from llm_gc.backends.rehearsal import Rehearsal
from llm_gc.errors import LlmGcError, ModelMissing, ServerError, ServerUnreachable
from llm_gc.protocol import Ask, ModelConfig, Reply


class Auto:
    """Chooses at the preflight, and keeps to its choice."""

    def __init__(self, first: Backend, fallen_back: Callable[[LlmGcError], None]) -> None:
        """Try ``first``; tell ``fallen_back`` why the stand-in is taken instead."""
        self._chosen, self._fallen_back = first, fallen_back

    async def preflight(self, castings: Sequence[ModelConfig], load_timeout: float, notify: Notify = ignore) -> Facts:
        """Choose."""
        try:
            return await self._chosen.preflight(castings, load_timeout, notify)
        except (ServerUnreachable, ModelMissing, ServerError) as error:
            await self._chosen.aclose()
            self._fallen_back(error)
            self._chosen = Rehearsal()
            return await self._chosen.preflight(castings, load_timeout, notify)

    async def reply(self, ask: Ask, notify: Notify = ignore) -> Reply:
        """Answer as the chosen one does."""
        return await self._chosen.reply(ask, notify)

    async def aclose(self) -> None:
        """Close the chosen one."""
        await self._chosen.aclose()
