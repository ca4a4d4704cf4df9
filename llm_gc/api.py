"""llm-gc from Python: run a pipeline, get its transcript."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llm_gc import backends, project
from llm_gc.backends.base import Backend
from llm_gc.drivers.run import Run
from llm_gc.inputs import resolve
from llm_gc.records import Transcript


async def run_async(
    pipeline: str | Path,
    inputs: Mapping[str, Any] | None = None,
    *,
    backend: str | Backend = "ollama",
    host: str | None = None,
    seed: int | None = None,
    sessions: str | Path = "sessions",
    **more_inputs: Any,
) -> Transcript:
    """Run a pipeline and give its transcript; each input is a keyword, or stands in ``inputs``.

    ``backend`` is a name (``ollama``, ``rehearsal``, ``auto``) or an object of your own.

    Raises:
        UsageError: for an input that is missing or does not fit.
        PipelineError: for a pipeline that cannot be loaded, with all that is wrong in it.
        ServerUnreachable, ModelMissing, ServerError: where the conversation cannot begin.
        SessionError: where the transcript cannot be written.

    """
    loaded = project.load(str(pipeline))
    values = resolve(loaded.pipeline.inputs, {**(inputs or {}), **more_inputs})
    speaks = backends.make(backend, host, os.environ) if isinstance(backend, str) else backend
    return await Run(loaded, values, speaks, sessions=Path(sessions), seed=seed).go()


def run(
    pipeline: str | Path,
    inputs: Mapping[str, Any] | None = None,
    *,
    backend: str | Backend = "ollama",
    host: str | None = None,
    seed: int | None = None,
    sessions: str | Path = "sessions",
    **more_inputs: Any,
) -> Transcript:
    """Run a pipeline and give its transcript; as ``run_async``, for programs that are not asynchronous."""
    return asyncio.run(
        run_async(pipeline, inputs, backend=backend, host=host, seed=seed, sessions=sessions, **more_inputs)
    )
