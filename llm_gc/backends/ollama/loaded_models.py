"""The models that a server holds: loading them, keeping them for a run, and releasing them after it."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from llm_gc.backends.http.server import Answer, Server
from llm_gc.backends.http.server_errors import Failed, is_unknown_request, moment_of, of_bad, of_error
from llm_gc.backends.http.stream import CUT_SHORT, BadLine, natural, read_error
from llm_gc.backends.http.timeouts import Activity, not_loaded
from llm_gc.backends.interface import Loading, Notify, ignore
from llm_gc.backends.ollama.model_names import entry_of, normalise
from llm_gc.backends.ollama.wire import Ability, ability_of, load_body, load_options
from llm_gc.protocol import Ask

FRESH = 1.0
"""For how many seconds a proof that a model is held needs no other."""

_Load = tuple[tuple[str, Any], ...]


class HeldModels:
    """Remember for each model when and with which load options it was last seen to be held."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin with nothing seen."""
        self._clock = clock
        self._seen: dict[str, tuple[float, _Load]] = {}
        self._loaded: dict[str, _Load] = {}
        self._windows: dict[tuple[str, _Load], int] = {}

    def fresh(self, model: str, options: Mapping[str, Any]) -> bool:
        """Return whether it is but a moment since ``model`` was seen to be held as ``options`` ask."""
        at, load = self._seen.get(normalise(model), (None, None))
        return at is not None and load == _load(options) and self._clock() - at < FRESH

    def saw(self, model: str, options: Mapping[str, Any]) -> None:
        """Note that the server holds ``model`` now."""
        self._seen[normalise(model)] = (self._clock(), _load(options))

    def loaded(self, model: str, options: Mapping[str, Any]) -> None:
        """Note that we have just had ``model`` loaded, for which others may have had to go."""
        self._seen.clear()
        self._loaded[normalise(model)] = _load(options)
        self.saw(model, options)

    def is_ours(self, model: str, options: Mapping[str, Any]) -> bool:
        """Return whether we have had ``model`` loaded with these options ourselves."""
        return self._loaded.get(normalise(model)) == _load(options)

    def forget(self, model: str) -> None:
        """Note that something went wrong with ``model``."""
        self._seen.pop(normalise(model), None)

    def holds(self, listing: Any, model: str, options: Mapping[str, Any]) -> bool:
        """Return whether ``listing``, from /api/ps, has ``model`` with the window that ``options`` ask for.

        A server may give another window than it was asked for: rounded, or no larger than the model was
        trained for. The one that we find after we had the model loaded is what these options get.
        """
        entry = entry_of(listing, model)
        if entry is None:
            return False
        window, name, load = natural(entry.get("context_length")), normalise(model), _load(options)
        if window is not None and self._loaded.get(name) == load:
            self._windows.setdefault((name, load), window)
        wanted = options.get("num_ctx")
        held = wanted is None or window is None or window in (wanted, self._windows.get((name, load)))
        if held:
            self.saw(model, options)
        return held


def _load(options: Mapping[str, Any]) -> _Load:
    return tuple(load_options(options).items())


DEFAULT = 300
"""For how many seconds a server keeps a model, if nobody tells it otherwise."""

FOREVER = -1
_AGES = 10 * 365 * 86400


@dataclass
class _Kept:
    """A model that we use: by which name and load options, until when it stays, and what we found."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    until: float = math.inf
    before: int | None = None
    is_ours: bool = False


class KeepAlive:
    """Remember for each model how long it is kept."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin with nothing known."""
        self._clock = clock
        self._models: dict[str, _Kept] = {}

    def knows(self, model: str) -> bool:
        """Return whether it is known what the server would do with ``model``."""
        kept = self._models.get(normalise(model))
        return kept is not None and (kept.before is not None or kept.is_ours)

    def learn(self, listing: Any, now: datetime, model: str, *, loaded: bool) -> None:
        """Take from ``listing`` for how long the server keeps ``model`` by itself, unless we have told it otherwise.

        What somebody else had ``loaded`` may soon be due to go; our use of it renews its time as any use does.
        """
        kept = self._models.setdefault(normalise(model), _Kept(model))
        entry = entry_of(listing, model)
        left = _left(entry, now) if entry else None
        if left is not None and not self.knows(model):
            kept.before = FOREVER if left > _AGES else left if loaded else max(left, DEFAULT)

    def is_not_kept(self, model: str) -> None:
        """Note that the server lets go of ``model`` at once: it is gone right after its load."""
        self._models.setdefault(normalise(model), _Kept(model)).before = 0

    def ask(self, ask: Ask) -> int:
        """Return how long the model is to stay after this request, and note that the server was told so."""
        kept = self._models.setdefault(normalise(ask.model), _Kept(ask.model))
        kept.is_ours, kept.options = True, load_options(ask.options)
        self.renew(ask.model, kept_for(ask))
        return kept_for(ask)

    def renew(self, model: str, seconds: float) -> None:
        """Note that a model's time begins again: it was just used."""
        kept = self._models.get(normalise(model))
        if kept is not None:
            kept.until = self._clock() + seconds

    def due(self, ask: Ask) -> list[tuple[str, Mapping[str, Any]]]:
        """Return the other models, with their load options, that could be unloaded while ``ask`` is answered."""
        late, own = self._clock() + longest(ask), normalise(ask.model)
        found = (kept for name, kept in self._models.items() if kept.is_ours and name != own and kept.until < late)
        return [(kept.name, kept.options) for kept in found]

    def given_back(self) -> list[tuple[str, Mapping[str, Any], int]]:
        """Return the models that we have had kept, their load options, and how long the server is to keep them now."""
        ours = [kept for kept in self._models.values() if kept.is_ours]
        return [(kept.name, kept.options, DEFAULT if kept.before is None else kept.before) for kept in ours]


def kept_for(ask: Ask) -> int:
    """Return for how many whole seconds a model is to stay: while another one, or two, are asked."""
    return math.ceil(max(DEFAULT, 2 * longest(ask)))


def longest(ask: Ask) -> float:
    """Return the seconds that an ask may take: a load, tries that reach nothing, and a reply.

    A reply that keeps coming has no limit of time of its own; it is reckoned at a token a second.
    """
    tokens = ask.options.get("num_predict")
    whole = ask.timeout + (tokens if isinstance(tokens, int) else 0)
    whole = whole if ask.deadline is None else min(whole, ask.deadline)
    return ask.load_timeout + ask.restart + ask.retries * ask.timeout + whole


def _left(entry: Mapping[str, Any], now: datetime) -> int | None:
    """Return the whole seconds until a model is unloaded."""
    try:
        until = datetime.fromisoformat(str(entry.get("expires_at")))
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(1, math.ceil((until - now).total_seconds()))


SHOW, PS = "/api/show", "/api/ps"

FAREWELL = 2.0
"""For how many seconds a server is waited for at the end, to give its models back."""


class Models:
    """What is known of a server's models, and the ways to know more; what goes wrong is ``Failed``."""

    def __init__(self, server: Server, clock: Callable[[], float]) -> None:
        """Begin with nothing known."""
        self.server, self._clock = server, clock
        self.shelf, self.keeping = HeldModels(clock), KeepAlive(clock)
        self.version = ""
        self.unknown: dict[str, None] = {}
        """The requests that this server does not know, as emulators of Ollama do not know all of them."""

        self._abilities: dict[str, Ability] = {}
        self._activities: defaultdict[str, Activity] = defaultdict(Activity)

    async def show(self, model: str) -> dict[str, Any]:
        """Ask what the server knows about ``model``; nothing where it does not know how to tell."""
        about: dict[str, Any] = {}
        if SHOW not in self.unknown:
            answer = await self.server.fetch("POST", SHOW, {"model": model}, model=model)
            if not self._takes_as_unknown(SHOW, answer):
                about = self.server.object_of(answer, SHOW, model=model)
        self._abilities[normalise(model)] = ability_of(about)
        return about

    def _takes_as_unknown(self, path: str, answer: Answer) -> bool:
        """Check whether an answer says that the server does not know a request, and remember that."""
        if not is_unknown_request(answer.status, answer.body):
            return False
        self.unknown[path] = None
        return True

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
        """Ask which models the server holds; None where it does not tell.

        Of ``models`` it is noted how long the server keeps them; ``loaded`` tells that we have just had them loaded.
        """
        if PS in self.unknown:
            return None
        try:
            async with asyncio.timeout(self.server.connect):
                answer = await self.server.fetch("GET", PS)
        except (Failed, TimeoutError):
            return None
        self._takes_as_unknown(PS, answer)
        held = answer.object() if answer.status == 200 else None
        for model in models if held is not None else ():
            moment = moment_of(answer.date) or datetime.now(UTC)  # the server's time as its answer tells it, else ours
            self.keeping.learn(held, moment, model, loaded=loaded)
        return held

    @contextlib.contextmanager
    def asked(self, model: str) -> Iterator[Activity]:
        """Yield what ``model`` is at for us, while it is asked once more.

        A request that ends without a reply leaves it open what the server does: whoever comes next looks first, and
        by the time that the server has answered that, it has noticed that the one before has gone.
        """
        try:
            yield self._activities[normalise(model)]
        except BaseException:
            self.shelf.forget(model)
            raise

    async def ensure(self, ask: Ask, notify: Notify) -> float | None:
        """Load the model if the server does not hold it so, and return the seconds that this took."""
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
        # would then load it again for our first request, at the cost of its reply; asking once costs next to nothing.
        began = self._clock()
        notify = ignore if held else notify
        if self.keeping.knows(model):
            await self._load(model, options, ask.load_timeout, notify, kept_for(ask))
        else:
            await self.load(model, options, ask.load_timeout, notify)
        return None if held else self._clock() - began

    async def load(self, model: str, options: Mapping[str, Any], load_timeout: float, notify: Notify) -> Any:
        """Load ``model`` with ``options``, note how long the server keeps it, and return the models it then holds."""
        await self._load(model, options, load_timeout, notify)
        listing = await self.listing(model, loaded=True)
        if listing is None or not isinstance(listing.get("models"), list) or entry_of(listing, model) is not None:
            return listing
        self.keeping.is_not_kept(model)  # the server lets go of a model as soon as it can
        await self._load(model, options, load_timeout, notify, DEFAULT)
        return await self.listing()

    async def aclose(self) -> None:
        """Restore how long the server keeps the models without us, and close the connections."""
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
        """Keep the models loaded that would be unloaded during a long reply of another one."""
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
            raise Failed(of_bad(place, BadLine("broken", CUT_SHORT)))
        self.shelf.loaded(model, options)

    async def _keep(self, model: str, options: Mapping[str, Any], seconds: int) -> None:
        await self.server.ask("POST", "/api/chat", load_body(model, options, seconds), model=model)
