"""server: the stand-in as a test or a process uses it: an event loop on a thread of its own."""

import asyncio
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Self

from .app import App, Connection, Generation, Script
from .behaviours import Behaviour, Job, improvise
from .engine import Engine, Journal, Load, Request, Store
from .requests import Model

PATIENCE = 30.0
"""Seconds for what comes soon, also on a busy machine."""


class StandIn:
    """An Ollama server without a model, for `with` blocks.

    `reply` makes the answer where no script is left. `words_per_second` and `latency` (seconds before
    the first word) are the speed of replies that are made up; without them there is no waiting at all.
    A request that does not show `key`, if there is one, is refused. The paths that it `lacks` it does not know.
    `context` is the window of a model that says nothing else, `library` what can be pulled,
    `remember` how many requests are kept, `clock` where the time of day comes from, and `seconds` those by
    which idle models are unloaded.
    """

    def __init__(
        self,
        models: Iterable[Model] = (),
        *,
        library: Iterable[Model] = (),
        reply: Callable[[Job], Behaviour] | None = None,
        words_per_second: float = 0.0,
        latency: float = 0.0,
        context: int = 4096,
        keep_alive: float = 300.0,
        max_loaded: int = 3,
        max_queue: int = 512,
        version: str = "0.33.0",
        host: str = "127.0.0.1",
        port: int = 0,
        key: str | None = None,
        lacks: Collection[str] = (),
        remember: int | None = None,
        clock: Callable[[], int] = time.time_ns,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """Describe a server; it runs inside `with`."""
        self._journal = Journal(remember)
        self._script = Script()
        gap = 1 / words_per_second if words_per_second else 0.0
        self._app = App(
            Generation(
                store=Store(models, library),
                engine=Engine(self._journal, keep_alive, max_loaded, max_queue, seconds),
                journal=self._journal,
                script=self._script,
                improvise=reply or partial(improvise, before=latency, gap=gap),
                automatic=context,
                clock=clock,
            ),
            version,
            key,
            lacks,
        )
        self._address = (host, port)
        self._started = threading.Event()
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="stand-in", daemon=True)

    def __enter__(self) -> Self:
        """Start it."""
        self._thread.start()
        self._started.wait()
        if self._failure:
            raise self._failure
        return self

    def __exit__(self, *error: object) -> None:
        """Stop it, whatever it is doing; a mistake of its own is raised here."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        if self._journal.bugs and error[0] is None:
            raise self._journal.bugs[0]

    @property
    def url(self) -> str:
        """Where it is."""
        host, port = self._address
        return f"http://{host}:{port}"

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._address[1]

    def script(self, *behaviours: Behaviour, model: str | None = None) -> None:
        """Answer the next requests that generate (of one model, if it is named) with these, in order."""
        self._script.add(behaviours, self._app.generation.store.find(model).named.key if model else None)

    def intercept(self, path: str, *behaviours: Behaviour) -> None:
        """Answer the next requests to a path with these, whatever they want: a load, a list, anything."""
        self._app.interceptions.setdefault(path, deque()).extend(behaviours)

    @property
    def script_left(self) -> int:
        """How many behaviours no request has taken yet."""
        return len(self._script)

    @property
    def requests(self) -> list[Request]:
        """Every request so far."""
        return list(self._journal.requests)

    @property
    def chats(self) -> list[Request]:
        """The requests so far that generate, or would have."""
        return list(self._journal.chats)

    @property
    def connections(self) -> int:
        """How many connections were ever made."""
        return self._journal.connections

    @property
    def loads(self) -> list[Load]:
        """Every finished load of a model so far."""
        return list(self._journal.loads)

    @property
    def load_counts(self) -> Counter[str]:
        """How often each model was loaded, by its short name."""
        return Counter(load.model for load in self.loads)

    def wait_for_requests(self, count: int, timeout: float = PATIENCE) -> list[Request]:
        """Wait until so many requests have come."""
        self.wait_until(lambda: len(self._journal.requests) >= count, timeout)
        return self.requests

    def wait_for_chats(self, count: int, timeout: float = PATIENCE) -> list[Request]:
        """Wait until so many requests have come that generate."""
        self.wait_until(lambda: len(self._journal.chats) >= count, timeout)
        return self.chats

    def wait_until(self, holds: Callable[[], bool], timeout: float = PATIENCE) -> None:
        """Wait until something holds; it is looked at whenever something happens, or raise TimeoutError."""
        self._journal.wait_until(holds, timeout)

    async def _run(self) -> None:
        """Serve until told to stop."""
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        connections: set[Connection] = set()
        try:
            server = await self._loop.create_server(
                lambda: Connection(self._app.answer, self._journal, connections), *self._address, backlog=1024
            )
            self._address = server.sockets[0].getsockname()[:2]
        except OSError as failure:
            self._failure = failure
            return
        finally:
            self._started.set()
        await self._stop.wait()
        server.close()
        await asyncio.gather(*(connection.shut() for connection in list(connections)))
