"""The only reader of pipelines and of what they name: a file to a checked pipeline with all its texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from llm_gc import files
from llm_gc.check import Problem, run_rules
from llm_gc.conversation import Files
from llm_gc.documents import Document, Override, compose, read_model, read_override
from llm_gc.errors import Finding, PipelineError, TemplateError, UsageError
from llm_gc.files import find, prompts_folder, read_prompt
from llm_gc.near import near
from llm_gc.pipeline import Pipeline
from llm_gc.source import Source, spot_in
from llm_gc.templates import Spotted, Templates, taken
from llm_gc.texts import scene_files, texts

At = tuple[str | int, ...]
"""Where something stands in a document."""


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
        return Files(self.prompts, {name: (scene.pipeline, scene.files) for name, scene in self.scenes.items()})

    def locate(self, error: TemplateError) -> Finding:
        """Say of a template's failure where it is: file, line and column, then what."""
        problem = Problem(error.path, error.message, file=error.file, line=error.line, column=error.column)
        return _located(self.document, self.folder, self.prompts, "template", problem)


def load(name: str, overrides: Sequence[str] = (), models: Sequence[str] = ()) -> Loaded:
    """Read a pipeline, with everything it names, and check it.

    ``overrides`` are texts such as ``roles.anna.temperature=0.5``, ``models`` such as ``anna=llama3.2:3b``; they are
    laid over the document before it is checked.

    Raises:
        UsageError: where the file cannot be read, or an override leads nowhere.
        PipelineError: with everything that is wrong in it.

    """
    path = find(name)
    reading = _Reading()
    source = reading.read(path, name if Path(name).exists() else f"{path.parent.name}/{path.name}")
    over = [read_override(text) for text in overrides]
    if models:
        roles = compose(source, reading.beside).data.get("roles")
        over = [one for text in models for one in read_model(text, list(roles or {}))] + over
    return reading.load(source, over)


def read_inputs(name: str) -> dict[str, Any]:
    """Give the inputs that a pipeline declares, as they stand there, without looking at anything else in it.

    Raises:
        UsageError: where the file cannot be read.
        PipelineError: where it is no YAML, or no pipeline.

    """
    reading, path = _Reading(), find(name)
    declared = compose(reading.read(path, name), reading.beside).data.get("inputs")
    return declared if isinstance(declared, dict) else {}


def document(pipeline: Pipeline) -> dict[str, Any]:
    """Give a typed pipeline back as a document, without what it leaves to the defaults."""
    return pipeline.model_dump(mode="json", by_alias=True, exclude_unset=True, serialize_as_any=True)


def assemble(
    document: Document, prompts: Mapping[str, str], scenes: Mapping[str, Loaded], *, check: bool = True
) -> Loaded:
    """Give the pipeline of a document whose prompt files and scenes are at hand; ``check`` it by the rules too.

    Raises:
        PipelineError: with everything that is wrong in it.

    """
    pipeline, compiled = _typed(document), Templates(prompts)
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
        problems = run_rules(pipeline, compiled)
        findings = [_located(document, None, compiled, code, problem) for code, problem in problems]
    if any(finding.severity == "error" for finding in findings):
        raise PipelineError(findings)
    return Loaded(document.file, document, pipeline, compiled, None, tuple(findings), scenes)


class _Reading:
    """One reading of a pipeline: the files that were read, and those that are being read now."""

    def __init__(self) -> None:
        self._paths: dict[str, Path] = {}
        self._open: list[Path] = []

    def read(self, path: Path, file: str) -> Source:
        self._paths[file] = path.resolve()
        return files.read_pipeline(path, file)

    def beside(self, name: str, source: Source) -> Source:
        """Read the file that a source extends."""
        path = self._beside(name, source)
        if not path.is_file():
            message = f"there is no file {name!r} beside {source.file}"
            raise PipelineError([source.finding(("extends",), "missing-file", message)])
        return self.read(path, files.relative(path))

    def load(self, source: Source, overrides: Sequence[Override] = ()) -> Loaded:
        self._open.append(self._paths[source.file])
        try:
            return self._load(source, overrides)
        finally:
            self._open.pop()

    def _load(self, source: Source, overrides: Sequence[Override]) -> Loaded:
        document = compose(source, self.beside, overrides)
        self._inline_formats(document)
        folder = prompts_folder(self._paths[source.file].parent)
        pipeline = _typed(document)
        texts_read, unreadable = self._prompts(pipeline, document)
        prompts = Templates(texts_read)
        scenes, broken = self._scenes(pipeline, document)
        spare = files.spare_prompts(folder, pipeline.name, self._paths[source.file], prompts)
        found = run_rules(pipeline, prompts, alone=len(self._open) == 1, spare=spare)
        checked = [
            _located(document, folder, prompts, code, problem)
            for code, problem in found
            if not problem.own or document.layer(problem.path) is document.layers[0]
        ]
        seen = {(finding.file, finding.line, finding.column) for finding in unreadable}
        checked = [finding for finding in checked if (finding.file, finding.line, finding.column) not in seen]
        findings = _once([*unreadable, *broken, *checked])
        if any(finding.severity == "error" for finding in findings):
            raise PipelineError(findings)
        return Loaded(document.file, document, pipeline, prompts, folder, tuple(findings), scenes)

    def _prompts(self, pipeline: Pipeline, document: Document) -> tuple[dict[str, str], list[Finding]]:
        """Read the prompt files that a pipeline names, each from its own layer's folder, and those they include."""
        prompts: dict[str, str] = {}
        findings: list[Finding] = []
        for text in texts(pipeline):
            wanted = [Spotted(text.file, 0)] if text.file else taken(text.text) if "{%" in text.text else []
            folder = prompts_folder(self._paths[document.layer(text.path).file].parent)
            while wanted:
                spot = wanted.pop()
                name = spot.word
                try:
                    content = read_prompt(folder, name)
                    if prompts.get(name, content) != content:
                        raise ValueError(f"two files called {name!r} are meant, in different prompts/; rename one")
                except ValueError as error:
                    hint = near(name, files.prompt_names(folder)) if str(error).startswith("there is no file") else ""
                    problem = Problem(text.path, str(error), hint, False, "error", spot.file, spot.line, spot.column)
                    findings.append(_located(document, folder, prompts, "unreadable-template", problem))
                    continue
                if name not in prompts:
                    prompts[name] = content
                    wanted += taken(content, name)
        return prompts, findings

    def _scenes(self, pipeline: Pipeline, document: Document) -> tuple[dict[str, Loaded], list[Finding]]:
        """Read the pipelines that scenes play; what is wrong in them is told of the scene, and of their own lines."""
        scenes: dict[str, Loaded] = {}
        findings: list[Finding] = []
        for path, name in scene_files(pipeline):
            if name in scenes:
                continue
            file = self._beside(name, document.layer(path))
            try:
                if file in self._open:
                    raise UsageError(f"the scene {name!r} plays the pipeline that it stands in, without end")
                if not file.is_file():
                    raise UsageError(f"there is no file {name!r} beside {document.layer(path).file}")
                scenes[name] = self.load(self.read(file, files.relative(file)))
            except PipelineError as error:
                findings += error.findings
            except UsageError as error:
                findings.append(document.finding(path, "missing-file", str(error)))
        return scenes, findings

    def _inline_formats(self, document: Document) -> None:
        """Put the schema files that formats name in their places, so that the document stands for itself."""
        findings: list[Finding] = []
        for holder, path in _holders(document.data):
            name = holder["format"]
            try:
                holder["format"] = files.read_json_schema(self._beside(name, document.layer(path)), name)
            except ValueError as error:
                findings.append(document.finding(path, "missing-file", str(error)))
        if findings:
            raise PipelineError(findings)

    def _beside(self, name: str, source: Source) -> Path:
        return (self._paths[source.file].parent / name).resolve()


def _holders(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[dict[str, Any], tuple[str | int, ...]]]:
    """Give the maps whose ``format`` is the name of a file, with the path of that name."""
    items: Any = ()
    if isinstance(data, dict):
        if isinstance(data.get("format"), str) and data["format"].endswith(".json"):
            yield data, (*path, "format")
        kept = ("roles", "defaults", "turns") if not path else tuple(data)
        items = [(key, data[key]) for key in kept if key in data and key not in ("format", "options", "with")]
    elif isinstance(data, list):
        items = enumerate(data)
    for key, inner in items:
        yield from _holders(inner, (*path, key))


def _typed(document: Document) -> Pipeline:
    try:
        return Pipeline.model_validate(document.data)
    except ValidationError as error:
        from llm_gc.check import shape  # the schema only explains what the models refuse

        problems = list(shape.check(document.data)) or list(_as_problems(error))
        raise PipelineError([_located(document, None, {}, "shape", problem) for problem in problems]) from error


def _as_problems(error: ValidationError) -> Iterator[Problem]:
    for one in error.errors():
        yield Problem(tuple(one["loc"]), one["msg"])


def _located(
    document: Document, folder: Path | None, prompts: Mapping[str, str], code: str, problem: Problem
) -> Finding:
    """Turn a problem's path into a file, a line and a column."""
    path = _declared(document, problem.path)
    finding = document.finding(path, code, problem.message, key=problem.key, hint=problem.hint)
    file, line, column = finding.file, finding.line, finding.column
    if problem.file:
        file = f"{files.relative(folder)}/{problem.file}" if folder else problem.file
        line = problem.line or 1
        column = problem.column or _first_word(prompts.get(problem.file, ""), line)
    elif problem.line and document.override(path) is None:
        line, column = document.layer(path).spot(path, problem.line, problem.column)
    return Finding(file, line, column, code, problem.message, problem.severity, finding.path, problem.hint)


def _once(findings: Sequence[Finding]) -> list[Finding]:
    """Give each finding once: what is wrong in a prompt file is found wherever the file is used."""
    return list({(f.file, f.line, f.column, f.code, f.message): f for f in reversed(findings)}.values())[::-1]


def _declared(document: Document, path: At) -> At:
    """Give where a role's field is declared: with the role, or among the defaults of all roles."""
    match path:
        case ("roles", name, field, *rest):
            roles, defaults = document.data.get("roles"), document.data.get("defaults")
            given = roles.get(name) if isinstance(roles, dict) else None
            if isinstance(given, dict) and field not in given and isinstance(defaults, dict) and field in defaults:
                return ("defaults", field, *rest)
    return path


def _first_word(text: str, line: int) -> int:
    at = spot_in(text, line)
    return at - text.rfind("\n", 0, at)
