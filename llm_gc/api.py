"""llm-gc from Python: run a pipeline, get its transcript."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llm_gc.backends.interface import Backend
from llm_gc.errors import LlmGcError, UsageError
from llm_gc.runtime.engine import Engine
from llm_gc.runtime.observers import NullObserver
from llm_gc.transcript.records import Transcript
from llm_gc.values.safe_text import clean


async def run_async(  # noqa: PLR0913  # one for each thing that a run can be told
    pipeline: str | Path,
    inputs: Mapping[str, Any] | None = None,
    *,
    backend: str | Backend | None = None,
    host: str | None = None,
    seed: int | None = None,
    sessions: str | Path = "sessions",
    answers: Sequence[str] | None = None,
    engine: Engine | None = None,
    **more_inputs: Any,
) -> Transcript:
    """Run a pipeline and return its transcript; each input is a keyword, or is in ``inputs``.

    ``backend`` is a name (``ollama``, ``openai``, ``embedded``, ``rehearsal``, ``auto``) or an object of your own,
    closed when all is over; without it each role is asked of the kind of server that it says, else of Ollama.
    Where ``auto`` takes the stand-in, or the transcript cannot be written at the end, there is a ``RuntimeWarning``.
    ``answers`` are those of the roles that are people, in order; without them an object of your own is asked for people
    too. Answers that nobody asked for are a ``RuntimeWarning``. An ``engine`` brings its own backend and
    connections, and is not closed.

    Raises:
        UsageError: for an input that is missing or does not fit, and where a person is to speak without an answer.
        PipelineError: for a pipeline that cannot be loaded, with all that is wrong in it.
        ServerUnreachable, ModelMissing, ServerError: where the conversation cannot begin.
        SessionError: where there is no place for the transcript.

    """
    if engine is not None and (backend is not None or host is not None):
        raise UsageError("the backend and the host are the engine's: give them to llm_gc.Engine(…)")
    taken = engine or Engine(backend=backend, host=host, parallel=1, fallen_back=_fallen_back)
    told = (_Warner(),)
    try:
        return await taken.run(
            pipeline, inputs, seed=seed, sessions=sessions, answers=answers, observers=told, **more_inputs
        )
    finally:
        if engine is None:
            await taken.aclose()
            if backend is not None and not isinstance(backend, str):
                await backend.aclose()


def run(  # noqa: PLR0913  # as run_async
    pipeline: str | Path,
    inputs: Mapping[str, Any] | None = None,
    *,
    backend: str | Backend | None = None,
    host: str | None = None,
    seed: int | None = None,
    sessions: str | Path = "sessions",
    answers: Sequence[str] | None = None,
    **more_inputs: Any,
) -> Transcript:
    """Run a pipeline and return its transcript; as ``run_async``, for programs that are not asynchronous."""
    if _runs_already():
        raise UsageError("an event loop runs here already, as in a notebook: await llm_gc.run_async(…) instead")
    options: Any = {"backend": backend, "host": host, "seed": seed, "sessions": sessions, "answers": answers}
    return asyncio.run(run_async(pipeline, inputs, **options, **more_inputs))


def _fallen_back(error: LlmGcError) -> None:
    _Warner().trouble(f"{error}\nNo model speaks here: the stand-in makes the replies up.")


def _runs_already() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class _Warner(NullObserver):
    """The watcher of a program that has nobody to look: troubles are warnings."""

    def trouble(self, message: str) -> None:
        warnings.warn(clean(message), RuntimeWarning, stacklevel=2)
