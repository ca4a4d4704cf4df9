"""engine: which models are loaded, with what, and who waits for whom.

Rules, as Ollama has them:
- A request for a model that is loaded with the same load options only waits for a free slot.
- Every other request loads: one load after another, and a model is idle before it is loaded again.
- What is idle for longer than its keep-alive is unloaded; a request that sets none leaves it as it is.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from time import monotonic

from .errors import QUEUE_FULL, Refusal
from .model import Model
from .options import LoadOptions
from .records import Journal, Load

Seconds = float | None

Clock = Callable[[], float]
"""Gives seconds that go by."""


class Runner:
    """A loaded model."""

    def __init__(self, model: Model, options: LoadOptions, keep_alive: float, seconds: Clock) -> None:
        """Loaded just now, with these options."""
        self._seconds = seconds
        self.model = model
        self.options = options
        self.keep_alive = keep_alive
        self.slots = asyncio.Semaphore(model.slots)
        self.users = 0
        self.idle = asyncio.Event()
        self.idle_since = self._seconds()
        self.retired = False
        self.idle.set()

    @property
    def expires_in(self) -> float:
        """The seconds until it is unloaded, if nobody comes."""
        return self.keep_alive if self.users else self.idle_since + self.keep_alive - self._seconds()

    @contextmanager
    def used(self) -> Iterator["Runner"]:
        """Keep it loaded while a request waits for it or is answered by it."""
        self.users += 1
        self.idle.clear()
        try:
            yield self
        finally:
            self.users -= 1
            self.idle_since = self._seconds()
            if not self.users:
                self.idle.set()


class Engine:
    """All loaded models."""

    def __init__(self, journal: Journal, keep_alive: float, max_loaded: int, max_queue: int, seconds: Clock) -> None:
        """Begin with nothing loaded; ``seconds`` say how long a model has been idle."""
        self.seconds = seconds
        self.journal = journal
        self.keep_alive = keep_alive
        self.max_loaded = max_loaded
        self.max_queue = max_queue
        self._runners: dict[str, Runner] = {}
        self._loading = asyncio.Lock()
        self._queue = 0

    @property
    def runners(self) -> list[Runner]:
        """The models that are loaded now, newest first."""
        for key, runner in list(self._runners.items()):
            if runner.expires_in <= 0 and not runner.users:
                del self._runners[key]
        return list(reversed(self._runners.values()))

    @asynccontextmanager
    async def loaded(self, model: Model, options: LoadOptions, keep_alive: Seconds) -> AsyncIterator[Runner]:
        """The model with these options, kept loaded for as long as this is open."""
        runner = self._ready(model, options) or await self._load(model, options)
        if keep_alive is not None:
            runner.keep_alive = keep_alive
        with runner.used():
            yield runner

    def unload(self, model: Model) -> None:
        """Unload a model as soon as nobody uses it."""
        if runner := self._runners.get(model.named.key):
            runner.keep_alive = 0.0

    def _ready(self, model: Model, options: LoadOptions) -> Runner | None:
        """The loaded model, if it needs no loading for these options."""
        runner = next((runner for runner in self.runners if runner.model.named.key == model.named.key), None)
        return runner if runner and not runner.retired and runner.options.fits(options) else None

    async def _load(self, model: Model, options: LoadOptions) -> Runner:
        """Wait for one's turn, then load, unless somebody else has meanwhile."""
        if self._loading.locked() and self._queue >= self.max_queue:
            raise Refusal(503, QUEUE_FULL)
        self._queue += 1
        try:
            await self._loading.acquire()
        finally:
            self._queue -= 1
        try:
            return self._ready(model, options) or await self._load_now(model, options)
        finally:
            self._loading.release()

    async def _load_now(self, model: Model, options: LoadOptions) -> Runner:
        await self._make_room(model.named.key)
        if model.load_seconds:
            await asyncio.sleep(model.load_seconds)
        runner = self._runners[model.named.key] = Runner(model, options, self.keep_alive, self.seconds)
        self.journal.loads.append(Load(model.named.short, options, monotonic()))
        self.journal.changed()
        return runner

    async def _make_room(self, key: str) -> None:
        """Unload this model, and another one if there are too many, when they are idle."""
        runners = {runner.model.named.key: runner for runner in self.runners}
        leaving = [runners.pop(key)] if key in runners else []
        if len(runners) >= self.max_loaded:
            leaving.append(min(runners.values(), key=lambda runner: (runner.users > 0, runner.expires_in)))
        for runner in leaving:
            runner.retired = True
            await runner.idle.wait()
            self._runners.pop(runner.model.named.key, None)


def expiry(runner: Runner, now: int) -> int:
    """When a model is unloaded, in nanoseconds since 1970; "forever" is as far as Go can count."""
    if math.isinf(runner.keep_alive):
        return now + 2**63 - 1
    return now + int(runner.expires_in * 1_000_000_000)
