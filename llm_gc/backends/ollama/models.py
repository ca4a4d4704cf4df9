"""The models of one server: what they can do, which of them it holds, and having one loaded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from llm_gc.backends.base import Loading, Notify, ignore
from llm_gc.backends.ollama.bodies import load_body
from llm_gc.backends.ollama.failures import Failed, of_bad, of_error
from llm_gc.backends.ollama.lateness import not_loaded
from llm_gc.backends.ollama.names import normalise
from llm_gc.backends.ollama.said import read_error
from llm_gc.backends.ollama.server import Server
from llm_gc.backends.ollama.shelf import Shelf
from llm_gc.backends.ollama.wire import CUT_SHORT, Bad


class Models:
    """What is known of a server's models, and the ways to know more; what goes wrong is ``Failed``."""

    def __init__(self, server: Server, clock: Callable[[], float]) -> None:
        """Begin with nothing known."""
        self.server, self._clock = server, clock
        self.shelf = Shelf(clock)
        self._abilities: dict[str, tuple[str, ...] | None] = {}

    async def show(self, model: str) -> dict[str, Any]:
        """Ask what the server knows about ``model``."""
        about = await self.server.ask("POST", "/api/show", {"model": model}, model=model)
        able = about.get("capabilities")
        known = tuple(str(word) for word in able) if isinstance(able, list) else None
        self._abilities[normalise(model)] = known
        return about

    async def capabilities(self, model: str) -> tuple[str, ...] | None:
        """Tell what ``model`` can do; none where the server does not tell, or cannot now."""
        if normalise(model) not in self._abilities:
            try:
                async with asyncio.timeout(self.server.connect):
                    await self.show(model)
            except (Failed, TimeoutError):
                return None
        return self._abilities[normalise(model)]

    async def listing(self) -> dict[str, Any] | None:
        """Ask which models the server holds; none where it does not tell."""
        try:
            async with asyncio.timeout(self.server.connect):
                return await self.server.ask("GET", "/api/ps")
        except (Failed, TimeoutError):
            return None

    async def ensure(self, model: str, options: Mapping[str, Any], load_timeout: float, notify: Notify) -> float | None:
        """Have ``model`` loaded if the server does not hold it so, and give the seconds that this took."""
        if self.shelf.fresh(model, options):
            return None
        listing = await self.listing()
        if listing is None:
            return None  # where the list cannot be had, the request for a reply will tell why
        held = self.shelf.holds(listing, model, options)
        if held and self.shelf.is_ours(model, options):
            return None
        # Somebody else may have had it loaded with options that the list does not show, such as ``shift``. The server
        # would then load it anew for our first request, at the cost of its reply; asking once costs next to nothing.
        seconds = await self.load(model, options, load_timeout, ignore if held else notify)
        return None if held else seconds

    async def load(self, model: str, options: Mapping[str, Any], load_timeout: float, notify: Notify) -> float:
        """Have ``model`` loaded as ``options`` ask, and give the seconds it took."""
        notify(Loading(model))
        place, began = self.server.place(model), self._clock()
        try:
            async with asyncio.timeout(load_timeout):
                answer = await self.server.ask("POST", "/api/chat", load_body(model, options), model=model)
        except TimeoutError:
            raise Failed(not_loaded(place, load_timeout)) from None
        if answer.get("error") is not None:
            raise Failed(of_error(place, read_error(answer["error"])))
        if answer.get("done") is not True:
            raise Failed(of_bad(place, Bad("broken", CUT_SHORT)))
        self.shelf.loaded(model, options)
        return self._clock() - began
