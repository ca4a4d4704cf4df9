"""A pipeline as a transcript has it, and as its file has it now: to continue, to vary, and to compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llm_gc import project
from llm_gc.backends.interface import Facts, ModelFacts
from llm_gc.core.run_context import RunContext
from llm_gc.errors import TemplateError, UsageError
from llm_gc.files.locations import find
from llm_gc.files.opening import is_file
from llm_gc.project import Loaded
from llm_gc.project.documents import Document, Override, read_model, read_override
from llm_gc.protocol import ModelConfig
from llm_gc.runtime.server_override import placed_again
from llm_gc.source import Source
from llm_gc.transcript.records import PipelineRecord, Transcript
from llm_gc.transcript.replies import pipeline_of

SET, MODEL = "--set ", "--model "
"""How an override that was recorded begins."""


def restored(transcript: Transcript) -> Loaded:
    """Return the pipeline exactly as it was run: the seed and the context windows are in it.

    It was checked when it was run; rules that have come since do not hold a record up.

    Raises:
        PipelineError: where this llm-gc does not know its language any more.

    """
    return _loaded(transcript.pipeline, transcript.pipeline.document)


def varied(transcript: Transcript, overrides: Sequence[str] = (), models: Sequence[str] = ()) -> Loaded:
    """Return the pipeline as it was before the start, with more laid over it than there was then.

    What the server had said is taken out of it again, to be asked again: another model has another context window.

    Raises:
        UsageError: where an override leads nowhere.
        PipelineError: with everything that is wrong in it.

    """
    record = transcript.pipeline
    data = _unresolved(record, transcript.inputs, transcript.versions.windows)
    sets, names = given(record)
    roles = list(data.get("roles", {}))
    over = [one for text in names for one in read_model(text, roles)] + [read_override(text) for text in sets]
    over += [one for text in models for one in read_model(text, roles)] + [read_override(text) for text in overrides]
    return placed_again(_loaded(record, data, over, windows=transcript.versions.windows), record.overrides)


def current(transcript: Transcript, session: Path | None = None) -> Loaded | None:
    """Return the pipeline as its file has it now, with the same laid over it as then; None where the file is gone.

    The file is looked for from the working directory, then from the folder that holds the session's folder; one that
    shipped with llm-gc, which may be installed elsewhere by now, among those that do.

    Raises:
        UsageError: where what was laid over it leads nowhere any more.
        PipelineError: where it cannot be loaded.

    """
    file = transcript.pipeline.file
    places = [Path(file), *([session.resolve().parent.parent / file] if session else [])]
    path = next((place for place in places if is_file(place)), None)
    if path is None:
        if not _may_have_shipped(places[0]):
            return None
        try:
            path = find(file)
        except UsageError:
            return None
    return placed_again(project.load(str(path), *given(transcript.pipeline)), transcript.pipeline.overrides)


def _may_have_shipped(file: Path) -> bool:
    """Return whether a recorded file may be llm-gc's own: a project's own one may bear the same name, and be gone."""
    return file.is_absolute() or file.parts[-3:-1] == ("shipped", "pipelines")


def given(record: PipelineRecord) -> tuple[list[str], list[str]]:
    """Return what was laid over a pipeline: the texts of ``--set``, and those of ``--model``."""
    sets = [text.removeprefix(SET) for text in record.overrides if text.startswith(SET)]
    return sets, [text.removeprefix(MODEL) for text in record.overrides if text.startswith(MODEL)]


def facts_of(transcript: Transcript, castings: Sequence[ModelConfig]) -> Facts:
    """Return what the server had said, for the models of these castings."""
    versions = transcript.versions
    known = {(casting.host, casting.model) for casting in castings}
    models = {
        (host, model): ModelFacts(versions.models.get(model), num_ctx=versions.windows.get(model))
        for host, model in known
    }
    return Facts(versions.backend, versions.server, models)


def _loaded(
    record: PipelineRecord,
    data: Mapping[str, Any],
    overrides: Sequence[Override] = (),
    windows: Mapping[str, int] | None = None,
) -> Loaded:
    scenes = {
        name: _loaded(scene, scene.document if windows is None else _unresolved(scene, None, windows), (), windows)
        for name, scene in record.scenes.items()
    }
    document = Document([Source(record.file, "", None, dict(data))], overrides)
    return project.assemble(document, record.prompts, scenes, check=windows is not None)


def _unresolved(record: PipelineRecord, inputs: Mapping[str, Any] | None, windows: Mapping[str, int]) -> dict[str, Any]:
    """Return a document without the windows that the server gave, and without what a role has from ``defaults``."""
    pipeline, files = pipeline_of(record)
    if inputs is None:
        inputs = {name: schema["default"] for name, schema in pipeline.inputs.items() if "default" in schema}
    try:
        models = {name: casting.model for name, casting in RunContext(pipeline, inputs, files).castings.items()}
    except TemplateError:
        models = {}
    defaults = record.document.get("defaults", {})
    roles = {}
    for name, role in record.document["roles"].items():
        window = windows.get(models.get(name, ""))
        kept = {key: value for key, value in role.items() if key != "num_ctx" or value != window}
        roles[name] = {key: value for key, value in kept.items() if key not in defaults or value != defaults[key]}
    return {**record.document, "roles": roles}
