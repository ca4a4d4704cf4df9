"""Which backend answers an ask: people beside models, servers of several kinds beside each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from llm_gc.backends.embedded.model_store import is_path
from llm_gc.backends.gather import together
from llm_gc.backends.interface import Backend, Facts, ModelFacts, Notify, ignore
from llm_gc.protocol import Ask, ModelConfig, Reply


class ByPlayer:
    """Two backends as one: ``human`` answers for the roles that are people, ``main`` for all others."""

    def __init__(self, main: Backend, human: Backend) -> None:
        """Ask ``main`` where no person is meant."""
        self._main, self._human = main, human

    async def preflight(self, castings: Sequence[ModelConfig], load_timeout: float, notify: Notify = ignore) -> Facts:
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


def kind_of(casting: ModelConfig, usual: str) -> str:
    """Return the kind of backend that plays a casting: the one that it says, for a file of a model the embedded one."""
    return casting.backend or ("embedded" if is_path(casting.model) else usual)


class ByServerKind:
    """The backends by the kind of server that they speak to, each made when the first role needs it."""

    def __init__(self, makers: Mapping[str, Callable[[], Backend]], usual: str, *, only: bool = False) -> None:
        """Take the ``usual`` kind where a role names none; with ``only`` for all of them."""
        self._makers, self._usual, self._only = makers, usual, only
        self._made: dict[str, Backend] = {}

    async def preflight(self, castings: Sequence[ModelConfig], load_timeout: float, notify: Notify = ignore) -> Facts:
        """Look for the models of each kind, side by side."""
        places: dict[str, list[ModelConfig]] = {}
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

    def _kind(self, casting: ModelConfig) -> str:
        return self._usual if self._only else kind_of(casting, self._usual)

    def _backend(self, kind: str) -> Backend:
        if kind not in self._made:
            self._made[kind] = self._makers[kind]()
        return self._made[kind]


def _one(listed: Sequence[Facts]) -> Facts:
    """Return the facts of several backends as one's."""
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
