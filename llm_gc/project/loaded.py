"""A pipeline that can be run, with the files that it names and the position of everything in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from llm_gc.analysis import Problem, run_rules
from llm_gc.analysis.recovery import parse_result
from llm_gc.errors import Finding, PipelineError, TemplateError
from llm_gc.files import locations
from llm_gc.language.pipeline import Pipeline
from llm_gc.language.texts import scene_files, texts
from llm_gc.project.documents import Document
from llm_gc.source import Place, spot_in, word_end
from llm_gc.templates import Templates

if TYPE_CHECKING:
    from llm_gc.core import Files


At = tuple[str | int, ...]
"""Where something is in a document."""


@dataclass(frozen=True)
class Loaded:
    """A pipeline that can be run: its file, the document it was read from, and all that it names.

    ``scenes`` are the pipelines that its scenes play, by the name that they have there; ``places`` are the host and the
    backend that a run has laid over those of all roles.
    """

    file: str
    document: Document
    pipeline: Pipeline
    prompts: Mapping[str, str]
    folder: Path | None
    warnings: tuple[Finding, ...] = ()
    scenes: Mapping[str, Loaded] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def files(self) -> Files:
        """What the conversation needs besides the pipeline."""
        from llm_gc.core import Files  # who only checks needs no conversation

        return Files(self.prompts, {name: (scene.pipeline, scene.files) for name, scene in self.scenes.items()})

    def locate(self, error: TemplateError) -> Finding:
        """Say of a template's failure where it is: file, line and column, then what."""
        where = error.path if error.path[:1] == ("turns",) else error.step
        owner, inside = self.owner(where) if where else (self.named(error.pipeline) or self, ())
        path = inside if where == error.path else error.path
        problem = Problem(path, error.message, file=error.file, line=error.line, column=error.column)
        return located(owner.document, owner.folder, owner.prompts, "template", problem)

    def owner(self, path: At) -> tuple[Loaded, At]:
        """Return the pipeline in whose file that is which the conversation has at a path, and its path there."""
        for at, name in scene_files(self.pipeline):
            if path[: len(at)] == at and len(path) > len(at) and name in self.scenes:
                return self.scenes[name].owner(path[len(at) :])
        return self, path

    def named(self, pipeline: str) -> Loaded | None:
        """Return the pipeline of a name among this one and those that its scenes play."""
        if self.pipeline.name == pipeline:
            return self
        inner = (found for scene in self.scenes.values() if (found := scene.named(pipeline)))
        return next(inner, None)


def located(
    document: Document, folder: Path | None, prompts: Mapping[str, str], code: str, problem: Problem
) -> Finding:
    """Turn a problem's path into a file and a place."""
    path = _declared(document, problem.path)
    finding = document.finding(path, code, problem.message, key=problem.key, hint=problem.hint)
    finding = replace(finding, severity=problem.severity)
    if problem.file:
        file = f"{locations.relative(folder)}/{problem.file}" if folder else problem.file
        return _placed(finding, _in_text(prompts.get(problem.file, ""), problem.line or 1, problem.column), file)
    if problem.line and document.override(path) is None:
        layer = document.layer(path)
        return _placed(finding, layer.spot(path, problem.line, problem.column), layer.file)
    return finding


def _placed(finding: Finding, at: Place, file: str) -> Finding:
    line, column = at.start
    return replace(finding, file=file, line=line, column=column, end_line=at.end_line, end_column=at.end_column)


def _in_text(text: str, line: int, column: int | None) -> Place:
    """Return the place of a word in a prompt file; of the first word of the line, where no column is known."""
    begin = spot_in(text, line, column)
    column = column or begin - text.rfind("\n", 0, begin)
    return Place(line, column, line, column + max(word_end(text, begin) - begin, 1))


def _declared(document: Document, path: At) -> At:
    """Return where a role's field is declared: with the role, or among the defaults of all roles."""
    match path:
        case ("roles", name, field_, *rest):
            roles, defaults = document.data.get("roles"), document.data.get("defaults")
            given = roles.get(name) if isinstance(roles, dict) else None
            if isinstance(given, dict) and field_ not in given and isinstance(defaults, dict) and field_ in defaults:
                return ("defaults", field_, *rest)
    return path


def assemble(
    document: Document, prompts: Mapping[str, str], scenes: Mapping[str, Loaded], *, check: bool = True
) -> Loaded:
    """Return the pipeline of a document whose prompt files and scenes are available; ``check`` it by the rules too.

    Raises:
        PipelineError: with everything that is wrong in it.

    """
    read, compiled = parse_result(document.data), Templates(prompts)
    if read.pipeline is None or read.problems:
        raise PipelineError([located(document, None, {}, "shape", problem) for problem in read.problems])
    pipeline = read.pipeline
    missing = [text for text in texts(pipeline) if text.file is not None and text.file not in prompts]
    findings = [
        document.finding(text.path, "unreadable-template", f"there is no file {text.file!r} in the transcript")
        for text in missing
    ]
    findings += [
        document.finding(path, "missing-file", f"there is no pipeline {name!r} in the transcript")
        for path, name in scene_files(pipeline)
        if name not in scenes
    ]
    if check and not findings:
        problems = run_rules(pipeline, compiled, {name: scene.pipeline for name, scene in scenes.items()})
        findings = [located(document, None, compiled, code, problem) for code, problem in problems]
    if any(finding.severity == "error" for finding in findings):
        raise PipelineError(findings)
    return Loaded(document.file, document, pipeline, compiled, None, tuple(findings), scenes)
