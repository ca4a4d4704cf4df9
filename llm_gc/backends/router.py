"""People beside models: each ask goes to the one who plays its role."""

from __future__ import annotations

from collections.abc import Sequence

from llm_gc.backends.base import Backend, Facts, Notify, ignore
from llm_gc.protocol import Ask, Casting, Reply


class Router:
    """Two backends as one: ``human`` answers for the roles that are people, ``main`` for all others."""

    def __init__(self, main: Backend, human: Backend) -> None:
        """Ask ``main`` where no person is meant."""
        self._main, self._human = main, human

    async def preflight(self, castings: Sequence[Casting], load_timeout: float, notify: Notify = ignore) -> Facts:
        """Look for the models, where there are any."""
        models = [casting for casting in castings if not casting.human]
        asked = self._main if models else self._human
        return await asked.preflight(models, load_timeout, notify)

    async def reply(self, ask: Ask, notify: Notify = ignore) -> Reply:
        """Answer as the one does who plays the role."""
        return await (self._human if ask.casting.human else self._main).reply(ask, notify)

    async def aclose(self) -> None:
        """Close both, the one also where the other cannot be closed."""
        try:
            await self._human.aclose()
        finally:
            await self._main.aclose()
