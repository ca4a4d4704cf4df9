"""The models of one server: what they can do, which of them it holds, and having one loaded and kept."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from llm_gc.backends.base import Loading, Notify, ignore
from llm_gc.backends.ollama.bodies import load_body
from llm_gc.backends.ollama.keeping import DEFAULT, Keeping, kept_for
from llm_gc.backends.ollama.names import entry_of, normalise
from llm_gc.backends.ollama.shelf import Shelf
from llm_gc.backends.ollama.thinking import Ability, ability_of
from llm_gc.backends.wire.events import CUT_SHORT, Bad
from llm_gc.backends.wire.failures import Failed, of_bad, of_error
from llm_gc.backends.wire.lateness import not_loaded
from llm_gc.backends.wire.said import read_error
from llm_gc.backends.wire.server import Server
from llm_gc.backends.wire.silence import Activity
from llm_gc.protocol import Ask

FAREWELL = 2.0
"""For how many seconds a server is waited for at the end, to give its models back."""


class Models:
    """What is known of a server's models, and the ways to know more; what goes wrong is ``Failed``."""

    def __init__(self, server: Server, clock: Callable[[], float]) -> None:
        """Begin with nothing known."""
        self.server, self._clock = server, clock
        self.shelf, self.keeping = Shelf(clock), Keeping(clock)
        self.version = ""
        self._abilities: dict[str, Ability] = {}
        self._activities: defaultdict[str, Activity] = defaultdict(Activity)

    async def show(self, model: str) -> dict[str, Any]:
        """Ask what the server knows about ``model``."""
        about = await self.server.ask("POST", "/api/show", {"model": model}, model=model)
        self._abilities[normalise(model)] = ability_of(about)
        return about

    async def ability(self, model: str) -> Ability:
        """Return what ``model`` can do about thinking, as far as the server tells it now."""
        if normalise(model) not in self._abilities:
            try:
                async with asyncio.timeout(self.server.connect):
                    await self.show(model)
            except (Failed, TimeoutError):
                return Ability()
        return self._abilities[normalise(model)]

    async def try_level(self, model: str, options: Mapping[str, Any], level: str) -> bool:
        """Ask ``model``, which is loaded so, for a token with a level of thinking; return whether that was taken."""
        body = load_body(model, options)
        options = {**body["options"], "num_predict": 1}
        body |= {"messages": [{"role": "user", "content": "Hi"}], "think": level, "stream": False, "options": options}
        answer = await self.server.fetch("POST", "/api/chat", body, model=model)
        refused = answer.status == 400 and b"think value" in answer.body
        if refused:
            name = normalise(model)
            self._abilities[name] = self._abilities[name]._replace(refuses_levels=True)
        return not refused

    async def listing(self, *models: str, loaded: bool = False) -> dict[str, Any] | None:
        """Ask which models the server holds; none where it does not tell.

        Of ``models`` it is noted how long the server keeps them; ``loaded`` tells that we have just had them loaded.
        """
        try:
            async with asyncio.timeout(self.server.connect):
                answer = await self.server.fetch("GET", "/api/ps")
        except (Failed, TimeoutError):
            return None
        held = answer.object() if answer.status == 200 else None
        for model in models if held is not None else ():
            self.keeping.learn(held, _moment(answer.date), model, loaded=loaded)
        return held

    @contextlib.contextmanager
    def asked(self, model: str) -> Iterator[Activity]:
        """Give what ``model`` is at for us, while it is asked once more.

        A request that ends without a reply leaves it open what the server does: whoever comes next looks first, and
        by the time that the server has answered that, it has noticed that the one before has gone.
        """
        try:
            yield self._activities[normalise(model)]
        except BaseException:
            self.shelf.forget(model)
            raise

    async def ensure(self, ask: Ask, notify: Notify) -> float | None:
        """Have the model loaded if the server does not hold it so, and give the seconds that this took."""
        model, options = ask.model, ask.options
        if self.shelf.fresh(model, options):
            return None
        listing = await self.listing(model)
        if listing is None:
            return None  # where the list cannot be had, the request for a reply will tell why
        await self._keep_others(ask, listing)
        held = self.shelf.holds(listing, model, options)
        if held and self.shelf.is_ours(model, options):
            return None
        # Somebody else may have had it loaded with options that the list does not show, such as ``shift``. The server
        # would then load it anew for our first request, at the cost of its reply; asking once costs next to nothing.
        began = self._clock()
        notify = ignore if held else notify
        if self.keeping.knows(model):
            await self._load(model, options, ask.load_timeout, notify, kept_for(ask))
        else:
            await self.load(model, options, ask.load_timeout, notify)
        return None if held else self._clock() - began

    async def load(self, model: str, options: Mapping[str, Any], load_timeout: float, notify: Notify) -> Any:
        """Have ``model`` loaded as ``options`` ask, learn how long the server keeps it, and give what it holds then."""
        await self._load(model, options, load_timeout, notify)
        listing = await self.listing(model, loaded=True)
        if listing is None or not isinstance(listing.get("models"), list) or entry_of(listing, model) is not None:
            return listing
        self.keeping.is_not_kept(model)  # the server lets go of a model as soon as it can
        await self._load(model, options, load_timeout, notify, DEFAULT)
        return await self.listing()

    async def aclose(self) -> None:
        """Let the server keep the models as long as it would have kept them without us, and close the connections."""
        ours = self.keeping.given_back()
        try:
            with contextlib.suppress(Failed, TimeoutError):
                async with asyncio.timeout(FAREWELL):
                    held = await self.listing() if ours else None
                    for model, options, seconds in ours:
                        if entry_of(held, model) is not None:  # else it would be loaded for that
                            await self._keep(model, options, seconds)
        finally:
            await self.server.aclose()

    async def _keep_others(self, ask: Ask, listing: Any) -> None:
        """Have the models that would be unloaded during a long reply of another one stay."""
        for model, options in self.keeping.due(ask):
            if entry_of(listing, model) is not None:
                with contextlib.suppress(Failed, TimeoutError):
                    async with asyncio.timeout(self.server.connect):
                        await self._keep(model, options, kept_for(ask))
                        self.keeping.renew(model, kept_for(ask))

    async def _load(
        self,
        model: str,
        options: Mapping[str, Any],
        load_timeout: float,
        notify: Notify,
        keep_alive: int | None = None,
    ) -> None:
        notify(Loading(model))
        place, body = self.server.place(model), load_body(model, options, keep_alive)
        try:
            async with asyncio.timeout(load_timeout):
                answer = await self.server.ask("POST", "/api/chat", body, model=model)
        except TimeoutError:
            raise Failed(not_loaded(place, load_timeout)) from None
        if answer.get("error") is not None:
            raise Failed(of_error(place, read_error(answer["error"])))
        if answer.get("done") is not True:
            raise Failed(of_bad(place, Bad("broken", CUT_SHORT)))
        self.shelf.loaded(model, options)

    async def _keep(self, model: str, options: Mapping[str, Any], seconds: int) -> None:
        await self.server.ask("POST", "/api/chat", load_body(model, options, seconds), model=model)


def _moment(date: str) -> datetime:
    """Give the server's time as its answer tells it, else ours."""
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return datetime.now(UTC)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
