"""One pipeline read with everything that it names, and everything that is wrong with any of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_gc import files
from llm_gc.check import FileFacts, Problem, run_rules
from llm_gc.check.cut import Typed, typed
from llm_gc.documents import Document, Override, compose
from llm_gc.errors import Finding, PipelineError, UsageError
from llm_gc.near import near
from llm_gc.pipeline import Pipeline
from llm_gc.project.library import Library
from llm_gc.project.loaded import At, Loaded, located
from llm_gc.source import Source, cut_texts
from llm_gc.templates import Spotted, Templates, taken
from llm_gc.texts import scene_files, texts

_NAMES_JSON = re.compile(r"^(?!#).*\.json", re.MULTILINE)
"""A line that is no comment, and may name a schema's file."""

MAX_SCENES = 16
"""So many files may lie inside one another as scenes."""


@dataclass(frozen=True)
class Examined:
    """What was found wrong, and what was loaded: none where that cannot be run."""

    findings: tuple[Finding, ...]
    loaded: Loaded | None = None


class Reading:
    """A reading of a pipeline: the files that were read, and those that are being read now."""

    def __init__(self, library: Library) -> None:
        """Take the files that were read before."""
        self.library = library
        self._open: list[Path] = []
        self._played: dict[Path, Examined] = {}

    def beside(self, name: str, source: Source) -> Source:
        """Read the file that a source extends.

        Raises:
            PipelineError: where there is none, or it is no pipeline.

        """
        try:
            path = self.library.beside(name, source)
            return self.library.pipeline(path, files.relative(path), self.library.root(source))
        except UsageError as error:
            raise PipelineError([source.finding(("extends",), "missing-file", str(error))]) from error

    def examine(self, source: Source, overrides: Sequence[Override] = ()) -> Examined:
        """Read everything that a source names, and look at it all.

        Raises:
            UsageError: where an override leads nowhere.

        """
        self._open.append(self.library.path(source))
        try:
            return self._examine(source, overrides)
        finally:
            self._open.pop()

    def _examine(self, source: Source, overrides: Sequence[Override]) -> Examined:
        document = compose(source, self.beside, overrides)
        if not document.data:
            return Examined(tuple(document.findings))
        findings = [*document.findings, *self._inline_formats(document)]
        folder = self.library.folder(source)
        read = typed(document.data, document.holes, document.lost, whole=document.whole)
        findings += (located(document, None, {}, "shape", problem) for problem in read.problems)
        if read.pipeline is None:
            return Examined(tuple(once(findings)))
        texts_read, unreadable = self._prompts(read, read.pipeline, document)
        prompts = Templates(texts_read)
        scenes, broken = self._scenes(read, read.pipeline, document)
        leaves, alone = None if unreadable else read.leaves, len(self._open) == 1
        path = self.library.path(source)
        root = self.library.root(source)
        spare = files.spare_prompts(root, folder, read.pipeline.name, path, prompts) if leaves is not None else ()
        played = {name: scene.pipeline for name, scene in scenes.items()}
        cut = [one for layer in document.layers for one in cut_texts(layer) if document.layer(one.path) is layer]
        problems = run_rules(read.pipeline, prompts, played, leaves=leaves, alone=alone, facts=FileFacts(spare, cut))
        told = ((code, read.mended(code, problem)) for code, problem in problems)
        checked = [
            located(document, folder, prompts, code, problem)
            for code, problem in told
            if problem and (not problem.own or document.layer(problem.path) is document.layers[0])
        ]
        seen = {(finding.file, finding.line, finding.column) for finding in unreadable}
        checked = [finding for finding in checked if (finding.file, finding.line, finding.column) not in seen]
        found = tuple(once([*findings, *unreadable, *broken, *checked]))
        if not read.is_whole or any(finding.severity == "error" for finding in found):
            return Examined(found)
        return Examined(found, Loaded(document.file, document, read.pipeline, prompts, folder, found, scenes))

    def _prompts(self, read: Typed, pipeline: Pipeline, document: Document) -> tuple[dict[str, str], list[Finding]]:
        """Read the prompt files that a pipeline names, each from its own layer's folder, and those they include."""
        prompts: dict[str, str] = {}
        findings: list[Finding] = []
        for text in texts(pipeline):
            wanted = [Spotted(text.file, 0)] if text.file else taken(text.text) if "{%" in text.text else []
            path = read.original(text.path)
            layer = document.layer(path)
            folder = self.library.folder(layer) if wanted else None
            while wanted:
                spot = wanted.pop()
                name = spot.word
                try:
                    content = self.library.prompt(layer, name)
                    if prompts.get(name, content) != content:
                        raise ValueError(f"two files called {name!r} are meant, in different prompts/; rename one")
                except ValueError as error:
                    is_missing = "no file" in str(error)
                    known = files.prompt_names(self.library.root(layer), folder) if is_missing else ()
                    hint = _prompt_hint(name, known) if is_missing else ""
                    problem = Problem(path, str(error), hint, False, "error", spot.file, spot.line, spot.column)
                    findings.append(located(document, folder, prompts, "unreadable-template", problem))
                    prompts.setdefault(name, "")  # so that whatever takes it in can be looked at
                    continue
                if name not in prompts:
                    prompts[name] = content
                    wanted += taken(content, name)
        return prompts, findings

    def _scenes(self, read: Typed, pipeline: Pipeline, document: Document) -> tuple[dict[str, Loaded], list[Finding]]:
        """Read the pipelines that scenes play; what is wrong in them is told of the scene, and of their own lines."""
        scenes: dict[str, Loaded] = {}
        findings: list[Finding] = []
        for at, name in scene_files(pipeline):
            if name in scenes:
                continue
            path = read.original(at)
            layer = document.layer(path)
            try:
                file = self.library.beside(name, layer)
                if wrong := self._circle(file):
                    findings.append(document.finding(path, "scene-cycle", wrong))
                    continue
                scene = self._played.get(file) or self.examine(
                    self.library.pipeline(file, files.relative(file), self.library.root(layer))
                )
                self._played[file] = scene
            except PipelineError as error:
                findings += error.findings
            except UsageError as error:
                findings.append(document.finding(path, "missing-file", str(error)))
            else:
                findings += [one for one in scene.findings if not scene.loaded or one.severity == "error"]
                if scene.loaded:
                    scenes[name] = scene.loaded
        return scenes, findings

    def _circle(self, file: Path) -> str:
        """Say why a file cannot be played here: it would without end, or is too deep inside others. Else empty."""
        if file in self._open:
            circle = [*self._open[self._open.index(file) :], file]
            return f"this goes in a circle: {' plays '.join(map(files.relative, circle))}"
        if len(self._open) >= MAX_SCENES:
            return f"scenes play scenes in at most {MAX_SCENES} files, and {files.relative(file)} is one too many"
        return ""

    def _inline_formats(self, document: Document) -> Iterator[Finding]:
        """Put the schema files that formats name in their places, so that the document stands for itself."""
        if not any(_NAMES_JSON.search(layer.text) for layer in document.layers):
            return
        for path, name in list(_named_formats(document.data)):
            try:
                schema = self.library.schema(name, document.layer(path))
            except ValueError as error:
                yield document.finding(path, "missing-file", str(error))
            else:
                document.data = _put(document.data, path, schema)


def _prompt_hint(name: str, names: Sequence[str]) -> str:
    """Return what to write in place of the name of a prompt file that is not there."""
    if re.match(r"https?://", name):
        return f"A prompt file is on the disk, under prompts/; for these very words, write {{{{ {name!r} }}}}."
    bare = re.sub(r"^(?:file:/*|@|\.{0,2}/|prompts/)+", "", name)
    if bare == name:
        return near(name, names)
    return f"Write {bare!r}: a name is looked up under prompts/." if bare in names else near(bare, names)


def once(findings: Iterable[Finding]) -> list[Finding]:
    """Give each finding once: what is wrong in a prompt file is found wherever the file is used."""
    told: dict[tuple[Any, ...], Finding] = {}
    for one in findings:
        told.setdefault((one.file, one.line, one.column, one.code, one.message), one)
    return list(told.values())


def _named_formats(data: Any, path: At = ()) -> Iterator[tuple[At, str]]:
    """Give the formats that are the names of files, each with its path."""
    items: Any = ()
    if isinstance(data, dict):
        if isinstance(data.get("format"), str) and data["format"].endswith(".json"):
            yield (*path, "format"), data["format"]
        kept = ("roles", "defaults", "turns") if not path else tuple(data)
        items = [(key, data[key]) for key in kept if key in data and key not in ("format", "options", "with")]
    elif isinstance(data, list):
        items = enumerate(data)
    for key, inner in items:
        yield from _named_formats(inner, (*path, key))


def _put(data: Any, path: At, value: Any) -> Any:
    """Give data with another value at a path; what was given stays as it is, for other documents may share it."""
    if not path:
        return value
    copied: Any = data.copy()
    copied[path[0]] = _put(data[path[0]], path[1:], value)
    return copied
