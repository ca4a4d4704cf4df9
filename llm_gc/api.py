"""llm-gc from Python: run a pipeline, get its transcript."""

from __future__ import annotations

import asyncio
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llm_gc import backends, project
from llm_gc.backends.dispatch import ByPlayer
from llm_gc.backends.human import Answers, Human, people
from llm_gc.backends.interface import Backend
from llm_gc.errors import LlmGcError, PipelineError, TemplateError, UsageError
from llm_gc.language.inputs import resolve
from llm_gc.runtime.observers import NullObserver
from llm_gc.runtime.run import Run
from llm_gc.runtime.server_override import model_store, placed
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
    **more_inputs: Any,
) -> Transcript:
    """Run a pipeline and return its transcript; each input is a keyword, or is in ``inputs``.

    ``backend`` is a name (``ollama``, ``openai``, ``embedded``, ``rehearsal``, ``auto``) or an object of your own,
    closed when all is over; without it each role is asked of the kind of server that it says, else of Ollama.
    Where ``auto`` takes the stand-in, or the transcript cannot be written at the end, there is a ``RuntimeWarning``.
    ``answers`` are those of the roles that are people, in order; without them an object of your own is asked for people
    too. Answers that nobody asked for are a ``RuntimeWarning``.

    Raises:
        UsageError: for an input that is missing or does not fit, and where a person is to speak without an answer.
        PipelineError: for a pipeline that cannot be loaded, with all that is wrong in it.
        ServerUnreachable, ModelMissing, ServerError: where the conversation cannot begin.
        SessionError: where there is no place for the transcript.

    """
    if seed is not None and seed < 0:
        raise UsageError(f"the seed {seed} is negative; give one from 0 upwards")
    loaded = project.load(str(pipeline))
    values = resolve(loaded.pipeline.inputs, {**(inputs or {}), **more_inputs})
    if backend is None or isinstance(backend, str):
        speaks = backends.make(backend, host, os.environ, _fallen_back, model_store(loaded, os.environ))
        loaded = placed(loaded, host, backend)
    else:
        speaks = backend
    given = Answers(answers or ())
    roles = list(people(loaded.pipeline, loaded.files))
    if roles and answers is not None:
        speaks = ByPlayer(speaks, Human(given))
    elif roles and speaks is not backend:
        raise UsageError(f'the role {roles[0]!r} is a person; give what people answer, as in answers=["…"]')
    try:
        transcript = await Run(loaded, values, speaks, (_Warner(),), Path(sessions), seed).go()
    except TemplateError as error:
        raise PipelineError([loaded.locate(error)]) from error
    if given.left:
        _Warner().trouble(given.left)
    return transcript


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
