"""The only reader of pipelines and of what they name: a file to a checked pipeline with all its texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llm_gc.documents import compose, read_model, read_override
from llm_gc.errors import PipelineError
from llm_gc.files import find
from llm_gc.pipeline import Pipeline
from llm_gc.project.assembling import assemble
from llm_gc.project.library import Library, real_path
from llm_gc.project.loaded import At, Loaded
from llm_gc.project.reading import Examined, Reading, once

__all__ = [
    "At",
    "Examined",
    "Library",
    "Loaded",
    "Reading",
    "assemble",
    "document",
    "load",
    "once",
    "read_inputs",
    "real_path",
]


def load(name: str, overrides: Sequence[str] = (), models: Sequence[str] = (), *, root: Path | None = None) -> Loaded:
    """Read a pipeline, with everything it names, and check it.

    ``overrides`` are texts such as ``roles.anna.temperature=0.5``, ``models`` such as ``anna=llama3.2:3b``; they are
    laid over the document before it is checked. With a ``root`` a file has named it: it is read beneath that alone.

    Raises:
        UsageError: where the file cannot be read, or an override leads nowhere.
        PipelineError: with everything that is wrong in it.

    """
    reading = Reading(Library())
    path = find(name) if root is None else Path(name).resolve()
    source = reading.library.pipeline(path, called(name, path), root)
    over = [read_override(text) for text in overrides]
    if models:
        roles = compose(source, reading.beside).data.get("roles")
        over = [one for text in models for one in read_model(text, list(roles or {}))] + over
    examined = reading.examine(source, over)
    if examined.loaded is None:
        raise PipelineError(examined.findings)
    return examined.loaded


def read_inputs(name: str) -> dict[str, Any]:
    """Give the inputs that a pipeline declares, as they stand there, without looking at anything else in it.

    Raises:
        UsageError: where the file cannot be read.
        PipelineError: where it is no YAML, or no pipeline.

    """
    reading, path = Reading(Library()), find(name)
    found = compose(reading.library.pipeline(path, name), reading.beside)
    if found.findings:
        raise PipelineError(found.findings)
    declared = found.data.get("inputs")
    return declared if isinstance(declared, dict) else {}


def document(pipeline: Pipeline) -> dict[str, Any]:
    """Give a typed pipeline back as a document, without what it leaves to the defaults."""
    return pipeline.model_dump(mode="json", by_alias=True, exclude_unset=True, serialize_as_any=True)


def called(name: str, path: Path) -> str:
    """Give what a file is called in messages: as it was named, or as it is known among those that ship."""
    return name if Path(name).exists() else f"{path.parent.name}/{path.name}"
