"""The only reader of pipelines and of the prompts that they name: a file to a checked pipeline with its texts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from llm_gc import source
from llm_gc.check import Problem, run_rules
from llm_gc.errors import Finding, PipelineError, TemplateError, UsageError
from llm_gc.pipeline import Pipeline
from llm_gc.source import Source
from llm_gc.templates import referenced
from llm_gc.texts import texts

MAX_PROMPT = 1024 * 1024
ROOT_MARKS = (".git", "pyproject.toml")


@dataclass(frozen=True)
class Loaded:
    """A pipeline that can be run: its file, its source, the typed document, and the texts of its prompt files."""

    file: str
    source: Source
    pipeline: Pipeline
    prompts: dict[str, str]
    folder: Path | None
    warnings: tuple[Finding, ...] = ()

    def locate(self, error: TemplateError) -> str:
        """Say of a template's failure where it is: file, line and column, then what."""
        return str(_located(self.source, self.folder, "template", _problem(error)))


def find(name: str) -> Path:
    """Give the file that is meant: one that is there, else one of that name that ships with llm-gc.

    Raises:
        UsageError: where there is neither.

    """
    path = Path(name)
    if path.is_dir():
        inside = sorted(str(file) for file in path.glob("*.yaml"))[:5]
        found = f"; give a file in it, such as {inside[0]}" if inside else ""
        raise UsageError(f"{name} is a folder, and a pipeline file was expected{found}")
    if path.exists():
        return path
    shipped = _shipped("pipelines")
    for candidate in (shipped / path.name, shipped / f"{path.name}.yaml"):
        if candidate.is_file():
            return candidate
    names = ", ".join(sorted(file.stem for file in shipped.glob("*.yaml"))) if shipped.is_dir() else ""
    ships = f"; the pipelines that ship with llm-gc are: {names}" if names else ""
    raise UsageError(f"there is no pipeline {name}{ships}")


def read_source(name: str) -> tuple[Path, Source]:
    """Read a pipeline's YAML and no more.

    Raises:
        UsageError: where the file cannot be read.
        PipelineError: where it is no YAML, or no pipeline.

    """
    path = find(name)
    file = name if Path(name).exists() else f"{path.parent.name}/{path.name}"
    try:
        if path.stat().st_size > source.MAX_BYTES:
            raise UsageError(f"{file} is larger than {source.MAX_BYTES // 1024} KiB; a pipeline is a short text")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PipelineError([Finding(file, 1, 1, "yaml", f"not text in UTF-8: {error.reason} at byte {error.start}")]) from error
    loaded = source.load(text, file)
    if not isinstance(loaded.data, dict) or not {"roles", "turns"} & set(loaded.data):
        message = "the file is empty" if loaded.data is None else "this is no pipeline: it has neither 'roles' nor 'turns'"
        raise PipelineError([loaded.finding((), "shape", message, hint="A pipeline is a map with name, roles and turns.")])
    return path, loaded


def load(name: str) -> Loaded:
    """Read a pipeline, with everything it names, and check it.

    Raises:
        UsageError: where the file cannot be read.
        PipelineError: with everything that is wrong in it.

    """
    path, read = read_source(name)
    folder = prompts_folder(path.resolve().parent)
    pipeline = _typed(read)
    prompts, unreadable = _prompts(pipeline, folder, read)
    findings = [*unreadable]
    findings += [_located(read, folder, code, problem) for code, problem in run_rules(pipeline, prompts)]
    seen = {(finding.line, finding.column) for finding in unreadable}
    findings = [f for f in findings if f in unreadable or (f.line, f.column) not in seen]
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        raise PipelineError(findings)
    return Loaded(read.file, read, pipeline, prompts, folder, tuple(findings))


def prompts_folder(start: Path) -> Path | None:
    """Give the nearest ``prompts/`` from a folder upwards, no further than the project's root."""
    for folder in (start, *start.parents):
        if (folder / "prompts").is_dir():
            return folder / "prompts"
        if any((folder / mark).exists() for mark in ROOT_MARKS):
            return None
    return None


def read_prompt(folder: Path | None, name: str) -> str:
    """Read a prompt file.

    Raises:
        ValueError: where there is none of that name under ``folder``, or it is no text.

    """
    if folder is None:
        raise ValueError("there is no folder prompts/ beside the pipeline or above it")
    if name.startswith("/") or "\\" in name or ".." in name.split("/") or Path(name).is_absolute():
        raise ValueError(f"{name!r} leads out of prompts/; a template lives under it and nowhere else")
    path = folder / name
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"{name!r} is a link that leads out of prompts/")
        if not path.is_file():
            raise ValueError(f"there is no file {name!r} under {_relative(folder)}/")
        if path.stat().st_size > MAX_PROMPT:
            raise ValueError(f"{name!r} is larger than {MAX_PROMPT // 1024} KiB")
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{name!r} is not text in UTF-8") from error
    except OSError as error:
        raise ValueError(f"{name!r} cannot be read: {error.strerror}") from error


def _typed(read: Source) -> Pipeline:
    try:
        return Pipeline.model_validate(read.data)
    except ValidationError as error:
        from llm_gc.check import shape  # the schema only explains what the models refuse

        problems = list(shape.check(read.data)) or list(_as_problems(error))
        raise PipelineError([_located(read, None, "shape", problem) for problem in problems]) from error


def _as_problems(error: ValidationError) -> Iterator[Problem]:
    for one in error.errors():
        yield Problem(tuple(one["loc"]), one["msg"])


def _prompts(pipeline: Pipeline, folder: Path | None, read: Source) -> tuple[dict[str, str], list[Finding]]:
    """Read the prompt files that a pipeline names, and those that they include."""
    prompts: dict[str, str] = {}
    findings: list[Finding] = []
    for text in texts(pipeline):
        wanted = [text.file] if text.file else sorted(referenced(text.text)) if "{%" in text.text else []
        while wanted:
            name = wanted.pop()
            if name is None or name in prompts:
                continue
            try:
                prompts[name] = read_prompt(folder, name)
            except ValueError as error:
                findings.append(_located(read, folder, "unreadable-template", Problem(text.path, str(error))))
                continue
            wanted += sorted(referenced(prompts[name]))
    return prompts, findings


def _problem(error: TemplateError) -> Problem:
    return Problem(error.path, error.message, file=error.file, line=error.line)


def _located(read: Source, folder: Path | None, code: str, problem: Problem) -> Finding:
    """Turn a problem's path into a file, a line and a column."""
    place = read.place(problem.path, key=problem.key)
    finding = read.finding(problem.path, code, problem.message, key=problem.key, hint=problem.hint)
    file, line, column = finding.file, finding.line, finding.column
    if problem.file:
        file = f"{_relative(folder)}/{problem.file}" if folder else problem.file
        line, column = problem.line or 1, 1
    elif problem.line and problem.line > 1 and place.end_line > place.line:
        line, column = place.line + problem.line, 1  # a block scalar begins on the line after its key
    return Finding(file, line, column, code, problem.message, problem.severity, finding.path, problem.hint)


def _relative(folder: Path | None) -> str:
    """Give a path as seen from the working directory, where that is shorter."""
    if folder is None:
        return "prompts"
    try:
        relative = os.path.relpath(folder)
    except ValueError:  # another drive
        return str(folder)
    return str(folder) if relative.startswith("..") else relative


def _shipped(what: str) -> Path:
    """Give the folder of what ships with the package: inside it when installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent
    inside = package / "shipped" / what
    return inside if inside.is_dir() else package.parent / what


def document(pipeline: Pipeline) -> dict[str, Any]:
    """Give a typed pipeline back as a document, without what it leaves to the defaults."""
    return pipeline.model_dump(mode="json", by_alias=True, exclude_unset=True, serialize_as_any=True)
