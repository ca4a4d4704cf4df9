"""The embedded backend: answers asks by models that an engine of our own has loaded, without any server."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from llm_gc.backends.embedded import engine, gguf_file, machine
from llm_gc.backends.embedded.engine import EngineProcess, Load
from llm_gc.backends.embedded.gguf_file import BadModelFile, GgufFile
from llm_gc.backends.embedded.model_store import FoundModel, ModelStore
from llm_gc.backends.embedded.requests import request, unsent
from llm_gc.backends.http.accumulator import Accumulator, structured_in, thoughts_of
from llm_gc.backends.http.exchange import LimitedExchange
from llm_gc.backends.http.hosts import Address
from llm_gc.backends.http.kinds import EMBEDDED
from llm_gc.backends.http.server_errors import Failed, RequestPlace
from llm_gc.backends.http.stream import ErrorLine, StreamDecoder
from llm_gc.backends.http.timeouts import Activity, SilenceWatch, not_loaded
from llm_gc.backends.interface import (
    Asked,
    Examination,
    Facts,
    ListedModel,
    Loading,
    ModelFacts,
    ModelRecord,
    Notify,
    ignore,
)
from llm_gc.backends.ollama.missing_models import beyond_training, too_narrow
from llm_gc.backends.ollama.server_info import window_for
from llm_gc.backends.openai.wire import Events
from llm_gc.errors import ModelMissing, ServerError, ServerUnreachable
from llm_gc.protocol import Ask, Cut, Failure, Latency, ModelConfig, Reply

MOST_SLOTS = 8
"""Roles of one model that each keep their prefix in the engine's cache; those beyond share."""

MEASURED = 2**30
"""Up to this size of a file, numbers of threads are compared: each try loads it anew."""

WORKING = 64 * 2**20
"""Bytes that an engine needs beside the model and its cache."""


@dataclass
class _Model:
    """A model that roles are cast with: what is known of it, and the engine that has it, once it is loaded.

    ``roles`` is for how many of them it was loaded; ``slots`` are those of roles, ``busy`` those that write now.
    """

    name: str
    file: GgufFile
    window: int
    castings: list[ModelConfig]
    digest: str | None
    slots: dict[str, int] = field(default_factory=dict)
    busy: set[int] = field(default_factory=set)
    engine: EngineProcess | None = None
    roles: int = 0
    activity: Activity = field(default_factory=Activity)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def place(self) -> RequestPlace:
        """What it is called in messages."""
        return RequestPlace("", self.name, EMBEDDED)

    @property
    def context(self) -> int:
        """The bytes of one context."""
        return self.file.token_size * self.window

    @property
    def needed(self) -> int:
        """The bytes of memory that it needs at least."""
        return self.file.size + self.context + WORKING

    @property
    def wanted(self) -> int:
        """The number of roles that would keep their prefix each."""
        return min(max(len(self.castings), 1), MOST_SLOTS)

    @property
    def chats(self) -> bool:
        """Whether messages will be made one text by its template."""
        return any(casting.api == "chat" for casting in self.castings)

    @property
    def is_ready(self) -> bool:
        """Whether its engine runs, and was loaded for as much as is needed now."""
        if self.engine is None or not self.engine.is_running:
            return False
        load = self.engine.load
        is_enough = load.window >= self.window and self.roles >= self.wanted and load.chats >= self.chats
        return is_enough and load.path == self.file.path and _given_threads(self) in (None, *load.threads[:1])

    @contextlib.contextmanager
    def slot(self, role: str) -> Iterator[int | None]:
        """Yield the slot of a role while it is asked.

        None where the engine is to choose one: there are more roles than slots, or the role is asked twice at once.
        """
        slot = None
        if self.engine is not None and len({*self.slots, role}) <= self.engine.load.slots:
            slot = self.slots.setdefault(role, len(self.slots))
        if slot is None or slot in self.busy:
            yield None
            return
        self.busy.add(slot)
        try:
            yield slot
        finally:
            self.busy.discard(slot)


class Embedded:
    """Answer asks by models in files on this machine."""

    def __init__(
        self,
        store: ModelStore,
        *,
        clock: Callable[[], float] = time.monotonic,
        free_memory: Callable[[], int | None] = machine.free_memory,
    ) -> None:
        """Take where models are looked for; nothing is opened yet. ``clock`` only measures."""
        self._store, self._clock, self._free_memory = store, clock, free_memory
        self._models: dict[str, _Model] = {}

    async def preflight(self, castings: Sequence[ModelConfig], load_timeout: float, notify: Notify = ignore) -> Facts:
        """Find the models, look at their files, and load them.

        Raises:
            ServerUnreachable: where the engine is not installed.
            ModelMissing: naming every model that is not there.
            ServerError: where a model cannot be loaded.

        """
        version = engine.version()
        by_model = _by_model(castings)
        await self._find(by_model)
        warnings: list[str] = []
        for name in by_model:
            model = self._models[name]
            warnings += _warnings(model)
            async with _hashing(model.file.parts, model.digest) as digest:  # while the engine reads the same file
                try:
                    warnings += await self._load(model, load_timeout, notify)
                except Failed as failed:
                    raise ServerError(failed.failure.message) from failed
                model.digest = await digest
        facts = {(casting.host, casting.model): _facts(self._models[casting.model]) for casting in castings}
        return Facts("embedded", version, facts, tuple(warnings))

    async def reply(self, ask: Ask, notify: Notify = ignore) -> Reply:
        """Answer ``ask`` once, within its limits; a load has its own."""
        began, load = self._clock(), None
        try:
            if ask.model not in self._models:  # of a role that could not be known before the start
                await self._find({ask.model: [ask.casting]})
            model = self._models[ask.model]
            if not model.is_ready:
                await self._load(model, ask.load_timeout, notify)
                load = self._clock() - began
        except (Failed, ModelMissing, ServerError) as error:
            took = self._clock() - began
            failure = error.failure if isinstance(error, Failed) else Failure("refused", str(error))
            return Reply(failure=failure, seconds=took, latency=Latency(total=took))
        notify(Asked(ask.model))
        hearing = Accumulator(StreamDecoder(Events()), thoughts_of(ask), notify, self._clock)
        with model.slot(ask.speaker.role) as slot:
            kind, body = request(ask, slot=slot, can_think=model.file.can_think)
            ended = await _EngineExchange(model, ask, hearing).run(kind, body, self._clock() - began)
        reply = hearing.reply(ask, ended, load, self._clock() - began)
        return structured_in(reply, ask.format, notify)

    def address(self, _: ModelConfig) -> Address:
        """Return where castings are played: here, all of them."""
        return Address("", "this machine")

    async def examine(self, _: ModelConfig, castings: Sequence[ModelConfig]) -> Examination:
        """Look at the files of models, and have nothing loaded; what goes wrong is its ``trouble``."""
        listed = tuple(ListedModel(model.name, model.size) for model in await asyncio.to_thread(self._store.models))
        found = Examination("embedded", "", "this machine", listed=listed)
        try:
            found = replace(found, version=engine.version())
        except ServerUnreachable as error:
            return replace(found, trouble=str(error), is_absent=True)
        by_model = _by_model(castings)
        records: dict[str, ModelRecord] = {}
        warnings: list[str] = []
        for name, mine in by_model.items():
            try:
                await self._find({name: mine})
            except ModelMissing:
                records[name] = ModelRecord("missing")
                continue
            except ServerError as error:
                return replace(found, trouble=str(error))
            model = self._models[name]
            records[name] = ModelRecord("here", _facts(model), bytes=model.file.size, window=model.window)
            warnings += self._shortage(model)
        gone = {name: tuple(dict.fromkeys(one for casting in mine for one in unsent(casting)))
                for name, mine in by_model.items()}  # fmt: skip
        return replace(found, models=records, warnings=tuple(warnings), unsent={k: v for k, v in gone.items() if v})

    async def aclose(self) -> None:
        """End all engines."""
        models, self._models = self._models, {}
        await asyncio.gather(*(model.engine.aclose() for model in models.values() if model.engine is not None))

    async def _find(self, by_model: Mapping[str, list[ModelConfig]]) -> None:
        """Find the models' files, and look at each."""
        found: dict[str, FoundModel] = {}
        missing: list[str] = []
        for name in by_model:
            try:
                found[name] = await asyncio.to_thread(self._store.find, name)
            except LookupError as error:
                missing.append(str(error))
        if missing:
            raise ModelMissing(*missing)
        for name, castings in by_model.items():
            path = found[name].path
            try:
                file = await asyncio.to_thread(gguf_file.read, path)
            except BadModelFile as error:
                raise ServerError(f"{path} {error}.") from error
            model = _Model(name, file, _window(castings, file), castings, found[name].digest)
            known = self._models.setdefault(name, model)
            if known is not model:  # another conversation: what is loaded for an earlier one may do for it, too
                known.file, known.window, known.castings, known.digest = file, model.window, castings, model.digest

    async def _load(self, model: _Model, load_timeout: float, notify: Notify) -> list[str]:
        """Load a model where it is not loaded yet; return what is odd about how it is."""
        async with model.lock:
            if model.is_ready:
                return []
            if model.engine is not None:
                await model.engine.aclose()
            slots = self._slots(model)
            notify(Loading(model.name))
            load = Load(model.file.path, model.window, slots, _threads(model), model.chats)
            started = EngineProcess(model.place, load)
            try:
                async with asyncio.timeout(load_timeout):
                    await started.start()
            except TimeoutError:
                raise Failed(not_loaded(model.place, load_timeout)) from None
            model.engine, model.roles = started, model.wanted
            model.slots.clear()
        if slots >= model.wanted:
            return []
        some = f"{slots} of its {len(model.castings)} roles, as far as memory goes"
        return [f"{model.place} keeps the context of {some}: the others' prompts are read again at each turn"]

    def _slots(self, model: _Model) -> int:
        """Return how many roles' contexts there is memory for.

        Raises:
            Failed: where there is not enough for one.

        """
        for words in self._shortage(model):
            raise Failed(Failure("refused", f"{words}."))
        free, context = self._free_memory(), model.context
        if free is None or not context:
            return model.wanted
        spare = (free - model.needed) // 2  # others may need some, too
        return min(model.wanted, 1 + spare // context)

    def _shortage(self, model: _Model) -> list[str]:
        """Return what is to be said where there is not enough memory for a model; else nothing."""
        free = self._free_memory()
        if free is None or model.needed <= free:
            return []
        words = f"{model.place} needs {_size(model.needed)} of memory, and {_size(free)} are free"
        narrower = f" give it a smaller num_ctx than {model.window:,}," if model.context > model.file.size / 4 else ""
        return [f"{words}. Take a smaller model or quantization,{narrower} or free memory"]


class _EngineExchange(LimitedExchange):
    """The request for one reply, made to an engine."""

    def __init__(self, model: _Model, ask: Ask, hearing: Accumulator) -> None:
        assert model.engine is not None  # noqa: S101  # it was loaded
        super().__init__(model.place, ask, hearing, model.activity)
        self._engine = model.engine

    async def _listen(
        self, path: str, body: Mapping[str, Any], timer: asyncio.Timeout, silence: SilenceWatch
    ) -> Failure | Cut | None:
        async with contextlib.aclosing(self._engine.stream(path, body)) as pieces:
            passed = await self._hear(pieces, timer, silence)
        trouble = self._hearing.trouble
        if passed is not None or trouble is None:
            return passed
        if isinstance(trouble, ErrorLine):
            return engine.of_error(self._place, trouble.said, begun=self._hearing.count > 0)
        return engine.of_unreadable(self._place, trouble)


def _by_model(castings: Sequence[ModelConfig]) -> dict[str, list[ModelConfig]]:
    found: dict[str, list[ModelConfig]] = {}
    for casting in castings:
        found.setdefault(casting.model, []).append(casting)
    return found


def _window(castings: Sequence[ModelConfig], file: GgufFile) -> int:
    """Return the window of a model: the largest that a role asks for, else what the conversation can need."""
    declared = [window for casting in castings if isinstance(window := casting.options.get("num_ctx"), int)]
    window = max(declared, default=0) or window_for(_needs(castings))
    return min(window, file.trained or window)


def _needs(castings: Sequence[ModelConfig]) -> int | None:
    """Return the tokens that the roles can need which declare no window; None where anything will do."""
    needs = [casting.needs for casting in castings if casting.options.get("num_ctx") is None]
    return None if None in needs else max((tokens or 0 for tokens in needs), default=0)


def _given_threads(model: _Model) -> int | None:
    """Return the number of threads that a role gives."""
    given = [
        number
        for casting in model.castings
        for name in ("threads", "num_thread")
        if isinstance(number := casting.options.get(name), int) and number > 0
    ]
    return max(given, default=None)


def _threads(model: _Model) -> tuple[int, ...]:
    """Return the numbers of threads to choose from: the one that a role gives, else some to compare."""
    if (given := _given_threads(model)) is not None:
        return (given,)
    cores = machine.cores()
    if model.file.size > MEASURED:
        return (cores,)
    return tuple(sorted({1, max(1, cores // 2), cores}))


def _facts(model: _Model) -> ModelFacts:
    capabilities = ("completion", "thinking") if model.file.can_think else ("completion",)
    return ModelFacts(model.digest, capabilities, model.window, model.file.trained)


def _warnings(model: _Model) -> Iterator[str]:
    """Yield what will be passed over, and what will not be as roles want it."""
    file, place = model.file, model.place
    options = dict.fromkeys(name for casting in model.castings for name in unsent(casting))
    if options:
        yield f"{place} is not told of {', '.join(options)}: the embedded engine has no such option. Take it away"
    if any(casting.think for casting in model.castings) and not file.can_think:
        yield f"{place} cannot think before it answers, so `think` is not sent to it. Take it away, or cast another"
    if any(casting.host for casting in model.castings):
        yield f"{place} runs on this machine: `host` is for roles that are played by a server"
    if file.template is None and any(casting.api == "chat" for casting in model.castings):
        yield f"{place} has no chat template, perhaps since it learnt no instructions; that of ChatML is used"
    asked = [casting.options.get("num_ctx") for casting in model.castings]
    largest = max((window for window in asked if isinstance(window, int)), default=0)
    if file.trained and largest > file.trained:
        yield beyond_training(place, largest, file.trained)
    needs = _needs(model.castings)
    if needs is not None and needs > model.window and not largest:
        yield f"{place} {too_narrow(needs, model.window, file.trained)}"


@contextlib.asynccontextmanager
async def _hashing(parts: Sequence[Path], known: str | None) -> AsyncIterator[Awaitable[str]]:
    """Hash a model's files beside what is done in the context, where the hash is not ``known``; stop at its end."""
    is_over = threading.Event()

    def digest() -> str:
        found = hashlib.sha256()
        for part in parts:
            with part.open("rb") as opened:
                while not is_over.is_set() and (block := opened.read(2**20)):
                    found.update(block)
        return f"sha256:{found.hexdigest()}"

    async def result() -> str:
        return await asyncio.to_thread(digest) if known is None else known

    task = asyncio.create_task(result())
    try:
        yield task
    finally:
        is_over.set()
        await asyncio.wait([task])


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 10**9 else f"{count / 1e6:.0f} MB"
