"""The only reader of pipelines and of what they name: a file to a checked pipeline with all its texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llm_gc.errors import PipelineError
from llm_gc.files.locations import find, source_of
from llm_gc.language.pipeline import Pipeline
from llm_gc.project.documents import compose, read_model, read_override
from llm_gc.project.loaded import At, Loaded, assemble
from llm_gc.project.reading import ExaminedPipeline, Library, PipelineReading, once, real_path
from llm_gc.source import Source

__all__ = [
    "STDIN_NAME",
    "At",
    "ExaminedPipeline",
    "Library",
    "Loaded",
    "PipelineReading",
    "assemble",
    "document",
    "load",
    "once",
    "read_inputs",
    "real_path",
]


STDIN_NAME = "<stdin>"
"""What a pipeline from standard input is called in messages and records."""


def load(
    name: str,
    overrides: Sequence[str] = (),
    models: Sequence[str] = (),
    *,
    root: Path | None = None,
    content: bytes | None = None,
) -> Loaded:
    """Read a pipeline, with everything it names, and check it.

    ``overrides`` are texts such as ``roles.anna.temperature=0.5``, ``models`` such as ``anna=llama3.2:3b``; they are
    laid over the document before it is checked. With a ``root`` a file has named it: it is read beneath that alone.
    With ``content`` nothing is looked for: that is the pipeline, in the working directory.

    Raises:
        UsageError: where the file cannot be read, or an override leads nowhere.
        PipelineError: with everything that is wrong in it.

    """
    reading = PipelineReading(Library())
    if content is not None:
        source = _taken_in(reading.library, content)
    else:
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


def _taken_in(library: Library, content: bytes) -> Source:
    return library.put(source_of(content, STDIN_NAME), real_path(Path(STDIN_NAME)))


def read_inputs(name: str, content: bytes | None = None) -> dict[str, Any]:
    """Return the inputs that a pipeline declares, as they are written, without looking at anything else in it.

    With ``content`` that is the pipeline, and no file is looked for.

    Raises:
        UsageError: where the file cannot be read.
        PipelineError: where it is no YAML, or no pipeline.

    """
    reading = PipelineReading(Library())
    library = reading.library
    source = library.pipeline(find(name), name) if content is None else _taken_in(library, content)
    found = compose(source, reading.beside)
    if found.findings:
        raise PipelineError(found.findings)
    declared = found.data.get("inputs")
    return declared if isinstance(declared, dict) else {}


def document(pipeline: Pipeline) -> dict[str, Any]:
    """Return a typed pipeline back as a document, without what it leaves to the defaults."""
    return pipeline.model_dump(mode="json", by_alias=True, exclude_unset=True, serialize_as_any=True)


def called(name: str, path: Path) -> str:
    """Return what a file is called in messages: as it was named, or as it is known among those that ship."""
    if Path(name).exists():
        return name
    return str(path) if str(path).startswith(name) else f"{path.parent.name}/{path.name}"
