"""Reads a pipeline with all files that it names, each once, and reports everything that is wrong with any of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_gc.analysis import FileFacts, Problem, run_rules
from llm_gc.analysis.recovery import ParseResult, parse_result
from llm_gc.errors import Finding, PipelineError, UsageError
from llm_gc.files import locations, opening
from llm_gc.language.pipeline import Pipeline
from llm_gc.language.texts import scene_files, texts
from llm_gc.project.documents import Document, Override, compose
from llm_gc.project.loaded import At, Loaded, located
from llm_gc.source import Source, cut_texts
from llm_gc.templates import Spotted, Templates, taken
from llm_gc.values.did_you_mean import near


class Library:
    """What was read, kept for all pipelines of one command: they share files, and folders too."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._paths: dict[str, Path] = {}
        self._sources: dict[Path, Source] = {}
        self._roots: dict[str, Path] = {}
        self._folders: dict[Path, Path | None] = {}
        self._prompts: dict[tuple[Path, Path | None, str], str | ValueError] = {}
        self._named: dict[str, Source] = {}
        self._texts: dict[str, str] = {}

    def pipeline(self, path: Path, file: str, root: Path | None = None) -> Source:
        """Read a pipeline's file; ``file`` is what it is called in messages.

        With a ``root`` another file has named it, or a folder that holds it was named: it is read beneath that alone,
        and so is all that it names.

        Raises:
            UsageError: where the file cannot be read.
            PipelineError: where it is YAML, and no pipeline.

        """
        real = path if root is not None else real_path(path)
        found = self._sources.get(real)
        if found is None or found.file != file:
            found = self._sources[real] = locations.read_source(path, file, root)
        return self.put(found, real, root)

    def take(self, source: Source, path: Path, root: Path | None = None) -> Source:
        """Take in what was read from a file, or stands for one; what it names is read beneath ``root``.

        Where that is absent, it is the root of the project that the file is in.
        """
        self._paths[source.file], self._named[source.file] = path, source
        self._roots[source.file] = root or opening.project_root(path.parent)
        return source

    def put(self, source: Source, path: Path, root: Path | None = None) -> Source:
        """Take in a pipeline that was read from a file, or that stands for one.

        Raises:
            PipelineError: where it is no pipeline.

        """
        self.take(source, path, root)
        if (finding := locations.no_pipeline(source)) is not None:
            raise PipelineError([finding])
        return source

    def forget(self, file: str) -> None:
        """Forget a file, by its name in messages; it is read again where another one names it."""
        self._named.pop(file, None)

    def source(self, file: str) -> Source | None:
        """Return what was read from a YAML file, by what it is called in messages."""
        return self._named.get(file)

    def text(self, file: str) -> str:
        """Return the text of a file that was read; empty where none of that name was."""
        return self._named[file].text if file in self._named else self._texts.get(file, "")

    def path(self, source: Source) -> Path:
        """Return the file that a source was read from."""
        return self._paths[source.file]

    def root(self, source: Source) -> Path:
        """Return the folder beyond which nothing is read that a source names."""
        return self._roots[source.file]

    def beside(self, name: str, source: Source) -> Path:
        """Return the real path of the file that a source names, seen from its own place.

        Raises:
            UsageError: where there is none, or it is outside the project.

        """
        return locations.locate(self.root(source), self.path(source).parent, name, source.file)

    def schema(self, name: str, source: Source) -> Any:
        """Read the JSON Schema that a source names.

        Raises:
            ValueError: where there is none.

        """
        return locations.read_json_schema(self.root(source), self.path(source).parent, name)

    def folder(self, source: Source) -> Path | None:
        """Return the folder of a source's prompts."""
        start = self.path(source).parent
        if start not in self._folders:
            self._folders[start] = locations.prompts_folder(start)
        return self._folders[start]

    def prompt(self, source: Source, name: str) -> str:
        """Read a prompt file that a source names.

        Raises:
            ValueError: where there is none of that name in its folder of prompts, or it is no text.

        """
        root, folder = self.root(source), self.folder(source)
        key = (root, folder, name)
        if key not in self._prompts:
            try:
                text = self._prompts[key] = locations.read_prompt(root, folder, name)
                self._texts[f"{locations.relative(folder)}/{name}"] = text
            except ValueError as error:
                self._prompts[key] = error
        found = self._prompts[key]
        if isinstance(found, ValueError):
            raise found
        return found


def real_path(path: Path) -> Path:
    """Return where a file that the user has named really is; a pipe has no place, and is in the working directory.

    Raises:
        UsageError: where that is not known.

    """
    try:
        real = path.resolve()
        return real if real.is_file() else Path.cwd() / path.name
    except (OSError, RuntimeError) as error:
        raise UsageError(f"{path} {locations.why_unread(error)}") from error


_NAMES_JSON = re.compile(r"^(?!#).*\.json", re.MULTILINE)
"""A line that is no comment, and may name a schema's file."""

MAX_SCENES = 16
"""So many files may lie inside one another as scenes."""


@dataclass(frozen=True)
class ExaminedPipeline:
    """What was found wrong, and what was loaded: none where that cannot be run."""

    findings: tuple[Finding, ...]
    loaded: Loaded | None = None


class PipelineReading:
    """A reading of a pipeline: the files that were read, and those that are being read now."""

    def __init__(self, library: Library) -> None:
        """Take the files that were read before."""
        self.library = library
        self._open: list[Path] = []
        self._played: dict[Path, ExaminedPipeline] = {}

    def beside(self, name: str, source: Source) -> Source:
        """Read the file that a source extends.

        Raises:
            PipelineError: where there is none, or it is no pipeline.

        """
        try:
            path = self.library.beside(name, source)
            return self.library.pipeline(path, locations.relative(path), self.library.root(source))
        except UsageError as error:
            raise PipelineError([source.finding(("extends",), "missing-file", str(error))]) from error

    def examine(self, source: Source, overrides: Sequence[Override] = ()) -> ExaminedPipeline:
        """Read everything that a source names, and look at it all.

        Raises:
            UsageError: where an override leads nowhere.

        """
        self._open.append(self.library.path(source))
        try:
            return self._examine(source, overrides)
        finally:
            self._open.pop()

    def _examine(self, source: Source, overrides: Sequence[Override]) -> ExaminedPipeline:
        document = compose(source, self.beside, overrides)
        if not document.data:
            return ExaminedPipeline(tuple(document.findings))
        findings = [*document.findings, *self._inline_formats(document)]
        folder = self.library.folder(source)
        read = parse_result(document.data, document.holes, document.lost, whole=document.whole)
        findings += (located(document, None, {}, "shape", problem) for problem in read.problems)
        if read.pipeline is None:
            return ExaminedPipeline(tuple(once(findings)))
        texts_read, unreadable = self._prompts(read, read.pipeline, document)
        prompts = Templates(texts_read)
        scenes, broken = self._scenes(read, read.pipeline, document)
        leaves, alone = None if unreadable else read.leaves, len(self._open) == 1
        path = self.library.path(source)
        root = self.library.root(source)
        spare = locations.spare_prompts(root, folder, read.pipeline.name, path, prompts) if leaves is not None else ()
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
            return ExaminedPipeline(found)
        return ExaminedPipeline(found, Loaded(document.file, document, read.pipeline, prompts, folder, found, scenes))

    def _prompts(
        self, read: ParseResult, pipeline: Pipeline, document: Document
    ) -> tuple[dict[str, str], list[Finding]]:
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
                    known = locations.prompt_names(self.library.root(layer), folder) if is_missing else ()
                    hint = _prompt_hint(name, known) if is_missing else ""
                    problem = Problem(path, str(error), hint, False, "error", spot.file, spot.line, spot.column)
                    findings.append(located(document, folder, prompts, "unreadable-template", problem))
                    prompts.setdefault(name, "")  # so that whatever takes it in can be looked at
                    continue
                if name not in prompts:
                    prompts[name] = content
                    wanted += taken(content, name)
        return prompts, findings

    def _scenes(
        self, read: ParseResult, pipeline: Pipeline, document: Document
    ) -> tuple[dict[str, Loaded], list[Finding]]:
        """Read the pipelines that scenes play; their errors are reported at the scene, with the lines of the file."""
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
                    self.library.pipeline(file, locations.relative(file), self.library.root(layer))
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
        """Return why a file cannot be played here: it would without end, or is too deep inside others. Else empty."""
        if file in self._open:
            circle = [*self._open[self._open.index(file) :], file]
            return f"this goes in a circle: {' plays '.join(map(locations.relative, circle))}"
        if len(self._open) >= MAX_SCENES:
            return f"scenes play scenes in at most {MAX_SCENES} files, and {locations.relative(file)} is one too many"
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
    """Return each finding once: what is wrong in a prompt file is found wherever the file is used."""
    told: dict[tuple[Any, ...], Finding] = {}
    for one in findings:
        told.setdefault((one.file, one.line, one.column, one.code, one.message), one)
    return list(told.values())


def _named_formats(data: Any, path: At = ()) -> Iterator[tuple[At, str]]:
    """Yield the formats that are the names of files, each with its path."""
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
    """Return data with another value at a path; what was given stays as it is, for other documents may share it."""
    if not path:
        return value
    copied: Any = data.copy()
    copied[path[0]] = _put(data[path[0]], path[1:], value)
    return copied
