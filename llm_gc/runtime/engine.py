"""The engine: what many conversations share, so that each of them costs little.

Connections, what the servers have said of their models, and how many requests are in flight at once outlive a single
conversation here. A ``Run`` neither knows nor closes any of it: it is given a backend whose ``preflight`` is answered
once for all who ask the same, and gates that it shares with the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from llm_gc import backends, project
from llm_gc.backends.dispatch import ByPlayer
from llm_gc.backends.human import Answers, Human, people
from llm_gc.backends.interface import Backend, Facts, Notify, ignore
from llm_gc.errors import LlmGcError, PipelineError, TemplateError, UsageError
from llm_gc.language.inputs import resolve
from llm_gc.project import Loaded
from llm_gc.protocol import Ask, ModelConfig, Reply
from llm_gc.runtime.gates import Gates
from llm_gc.runtime.observers import RunObserver
from llm_gc.runtime.resume_point import ResumePoint
from llm_gc.runtime.run import ReserveJournal, Run
from llm_gc.runtime.server_override import model_store, placed
from llm_gc.transcript.encode import digest
from llm_gc.transcript.records import Transcript

IN_FLIGHT = 256
"""The most requests at once to one server: half of the queue that Ollama has, so that others get in as well."""


class SharedBackend:
    """A backend that several conversations use, and none of them closes."""

    def __init__(self, backend: Backend) -> None:
        """Share ``backend``; whoever has made it closes it."""
        self._backend = backend
        self._facts: dict[str, asyncio.Future[Facts]] = {}

    async def preflight(self, castings: Sequence[ModelConfig], load_timeout: float, notify: Notify = ignore) -> Facts:
        """Return what is known before the first turn; the servers are asked by the first who wants the same."""
        key = digest([list(castings), load_timeout])
        asked = self._facts.get(key)
        if asked is None:
            asked = self._facts[key] = asyncio.ensure_future(self._backend.preflight(castings, load_timeout, notify))
        try:
            return await asyncio.shield(asked)
        except Exception:
            self._facts.pop(key, None)  # it may be there the next time
            raise

    async def reply(self, ask: Ask, notify: Notify = ignore) -> Reply:
        """Answer as the backend does."""
        return await self._backend.reply(ask, notify)

    async def aclose(self) -> None:
        """Do nothing: other conversations go on."""

    async def close(self) -> None:
        """Close the backend itself."""
        for asked in self._facts.values():
            asked.cancel()
        await asyncio.gather(*self._facts.values(), return_exceptions=True)
        await self._backend.aclose()


class Prepared(NamedTuple):
    """A pipeline that is ready to be run on an engine: as it was loaded and placed there, and who answers."""

    loaded: Loaded
    backend: Backend


class Engine:
    """Runs conversations that share connections, what is known of the servers, and the requests in flight.

    ``backend`` and ``host`` mean what they do in ``llm_gc.run``; ``parallel`` is the most requests in flight for each
    model of each server, across all conversations. An object that is given as ``backend`` is not closed.

        async with llm_gc.Engine() as engine:
            first, second = await asyncio.gather(
                engine.run("m1", task="sort a list"), engine.run("m1", task="find a word")
            )
    """

    def __init__(
        self,
        *,
        backend: str | Backend | None = None,
        host: str | None = None,
        parallel: int = IN_FLIGHT,
        fallen_back: Callable[[LlmGcError], None] = lambda _: None,
    ) -> None:
        """Open nothing yet: connections are made when the first conversation needs them."""
        if parallel < 1:
            raise UsageError(f"parallel is {parallel}; at least 1 request must be in flight")
        self._name = backend if backend is None or isinstance(backend, str) else None
        self._given = None if backend is None or isinstance(backend, str) else SharedBackend(backend)
        self._host, self._fallen_back = host, fallen_back
        self._made: dict[Hashable, SharedBackend] = {}
        self._prepared: dict[tuple[str, int, int], Loaded] = {}
        self.gates = Gates(parallel, IN_FLIGHT)

    async def __aenter__(self) -> Engine:
        return self

    async def __aexit__(
        self, type_: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection that was opened here; each one also where another cannot be closed."""
        made, self._made = list(self._made.values()), {}
        ended = await asyncio.gather(*(backend.close() for backend in made), return_exceptions=True)
        for error in ended:
            if isinstance(error, BaseException):
                raise error

    def prepare(self, loaded: Loaded) -> Prepared:
        """Return a pipeline as it is run here; the same servers answer for all that are prepared.

        Raises:
            UsageError: where the backend or the host is none.

        """
        if self._given is not None:
            return Prepared(loaded, self._given)
        store = model_store(loaded, os.environ)
        key = (store.root, store.named)
        if key not in self._made:
            made = backends.make(self._name, self._host, os.environ, self._fallen_back, store)
            self._made[key] = SharedBackend(made)
        return Prepared(placed(loaded, self._host, self._name), self._made[key])

    async def run(  # one for each thing that a run can be told
        self,
        pipeline: str | Path,
        inputs: Mapping[str, Any] | None = None,
        *,
        seed: int | None = None,
        sessions: str | Path = "sessions",
        answers: Sequence[str] | None = None,
        observers: Sequence[RunObserver] = (),
        **more_inputs: Any,
    ) -> Transcript:
        """Run a pipeline and return its transcript; parameters and errors are those of ``llm_gc.run_async``.

        Raises:
            UsageError: for an input that is missing or does not fit, and where a person is to speak without an answer.
            PipelineError: for a pipeline that cannot be loaded, with all that is wrong in it.
            ServerUnreachable, ModelMissing, ServerError: where the conversation cannot begin.
            SessionError: where there is no place for the transcript.

        """
        if seed is not None and seed < 0:
            raise UsageError(f"the seed {seed} is negative; give one from 0 upwards")
        loaded = self._load(str(pipeline))
        values = resolve(loaded.pipeline.inputs, {**(inputs or {}), **more_inputs})
        ready = self.prepare(loaded)
        backend, given = ready.backend, Answers(answers or ())
        roles = list(people(loaded.pipeline, loaded.files))
        if roles and answers is not None:
            backend = ByPlayer(backend, Human(given))
        elif roles and self._given is None:
            raise UsageError(f'the role {roles[0]!r} is a person; give what people answer, as in answers=["…"]')
        transcript = await self.converse(
            Prepared(ready.loaded, backend), values, sessions=Path(sessions), seed=seed, observers=observers
        )
        if given.left:
            for observer in observers:
                observer.trouble(given.left)
        return transcript

    async def converse(  # noqa: PLR0913  # as run
        self,
        ready: Prepared,
        values: Mapping[str, Any],
        *,
        sessions: Path = Path("sessions"),
        seed: int | None = None,
        observers: Sequence[RunObserver] = (),
        past: ResumePoint | None = None,
        reserve: ReserveJournal | None = None,
    ) -> Transcript:
        """Run a conversation of a prepared pipeline; ``past`` and ``reserve`` as ``Run`` has them.

        Raises:
            LlmGcError: where it cannot begin.

        """
        run = Run(ready.loaded, values, ready.backend, observers, sessions, seed, self.gates, past, reserve)
        try:
            return await run.go()
        except TemplateError as error:
            raise PipelineError([ready.loaded.locate(error)]) from error

    def _load(self, pipeline: str) -> Loaded:
        """Load a pipeline; one whose file has not changed since is not read again."""
        with contextlib.suppress(OSError):
            stat = Path(pipeline).stat()
            key = (pipeline, stat.st_mtime_ns, stat.st_size)
            if key not in self._prepared:
                self._prepared[key] = project.load(pipeline)
            return self._prepared[key]
        return project.load(pipeline)
