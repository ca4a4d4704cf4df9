"""Servers of several kinds as one backend: each ask goes to the kind of server that its role has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from llm_gc.backends.base import Backend, Facts, ModelFacts, Notify, ignore
from llm_gc.backends.together import together
from llm_gc.protocol import Ask, Casting, Reply


class Kinds:
    """The backends by the kind of server that they speak to, each made when the first role needs it."""

    def __init__(self, makers: Mapping[str, Callable[[], Backend]], usual: str, *, only: bool = False) -> None:
        """Take the ``usual`` kind where a role names none; with ``only`` for all of them."""
        self._makers, self._usual, self._only = makers, usual, only
        self._made: dict[str, Backend] = {}

    async def preflight(self, castings: Sequence[Casting], load_timeout: float, notify: Notify = ignore) -> Facts:
        """Look for the models of each kind, side by side."""
        places: dict[str, list[Casting]] = {}
        for casting in castings:
            places.setdefault(self._kind(casting), []).append(casting)
        if not places:
            places[self._usual] = []
        asked = [self._backend(kind).preflight(mine, load_timeout, notify) for kind, mine in places.items()]
        return _one(await together(asked))

    async def reply(self, ask: Ask, notify: Notify = ignore) -> Reply:
        """Answer as the one of the role's kind does."""
        return await self._backend(self._kind(ask.casting)).reply(ask, notify)

    async def aclose(self) -> None:
        """Close all that were made, each one also where another cannot be closed."""
        await together(backend.aclose() for backend in self._made.values())

    def _kind(self, casting: Casting) -> str:
        return self._usual if self._only or casting.backend is None else casting.backend

    def _backend(self, kind: str) -> Backend:
        if kind not in self._made:
            self._made[kind] = self._makers[kind]()
        return self._made[kind]


def _one(listed: Sequence[Facts]) -> Facts:
    """Give the facts of several backends as one's."""
    models: dict[tuple[str | None, str], ModelFacts] = {}
    for facts in listed:
        models |= facts.models
    servers = [facts.server for facts in listed if facts.server]
    return Facts(
        ", ".join(facts.backend for facts in listed),
        ", ".join(servers) or None,
        models,
        tuple(warning for facts in listed for warning in facts.warnings),
    )
