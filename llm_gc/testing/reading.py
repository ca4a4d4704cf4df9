"""From a test file to its cases and the pipeline that they are for; everything that is wrong in it at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llm_gc import project
from llm_gc.analysis import shape
from llm_gc.analysis.document_schemas import cases_schema
from llm_gc.analysis.problem import Problem
from llm_gc.errors import Finding, LlmGcError, PipelineError, UsageError
from llm_gc.files import locations, opening
from llm_gc.files.locations import TEST_SUFFIX
from llm_gc.language.inputs import resolve
from llm_gc.project import At, Loaded
from llm_gc.source import Source
from llm_gc.testing.case_names import misnamed
from llm_gc.transcript.cases import Case, CaseFile

CODE = "test"
"""The code of findings in test files that are not about their shape."""


@dataclass
class CaseSuite:
    """A test file that can be played: its text, its cases, and the pipeline, with a case's own values if it has any."""

    source: Source
    cases: CaseFile
    pipeline: str
    root: Path | None = None
    """The root of the project that both are in; absent where the pipeline is one of those that ship."""
    _loaded: dict[tuple[str, ...], Loaded] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """What the test file is called in messages."""
        return self.source.file

    def load(self, case: Case | None = None) -> Loaded:
        """Return the pipeline with the values that a case lays over it; with the file's own where there is no case.

        Raises:
            UsageError: where a value leads nowhere.
            PipelineError: with everything that is wrong in the pipeline.

        """
        over = {**(self.cases.set_ or {}), **((case.set_ if case else None) or {})}
        words = tuple(f"{path}={json.dumps(value)}" for path, value in over.items())
        if words not in self._loaded:
            self._loaded[words] = project.load(self.pipeline, words, root=self.root)
        return self._loaded[words]

    def bare(self) -> Loaded:
        """Return the pipeline as it is, without any case's values.

        Raises:
            PipelineError: with everything that is wrong in it.

        """
        if () not in self._loaded:
            self._loaded[()] = project.load(self.pipeline, root=self.root)
        return self._loaded[()]

    def inputs(self, case: Case) -> dict[str, Any]:
        """Return the inputs of a case, with the pipeline's defaults.

        Raises:
            UsageError: naming every input that is missing, unknown or does not fit.

        """
        given = {**(self.cases.inputs or {}), **(case.inputs or {})}
        return resolve(self.load(case).pipeline.inputs, given)


def read(path: Path, file: str | None = None) -> CaseSuite:
    """Read a test file; ``file`` is what it is called in messages. No link to it may lead out of its project.

    Raises:
        UsageError: where it cannot be read.
        PipelineError: with everything that is wrong in it, or in its pipeline.

    """
    home = path.parent.resolve()
    return suite(
        locations.read_yaml(home / path.name, file or locations.relative(path), opening.tests_root(home)), path
    )


def check(source: Source, path: Path) -> list[Finding]:
    """Return everything that is wrong in a test file that was read as YAML from ``path``.

    What is wrong in the pipeline is told in one finding: it is another file's business.
    """
    try:
        suite(source, path)
    except PipelineError as error:
        if any(finding.file == source.file for finding in error.findings):
            return [finding for finding in error.findings if finding.file == source.file]
        first = error.findings[0]
        message = f"the pipeline cannot be loaded: {first.file}:{first.line}: {first.message}"
        return [source.finding(("pipeline",), CODE, message)]
    return []


def suite(source: Source, path: Path) -> CaseSuite:
    """Return the cases of a test file that was read as YAML from ``path``.

    Raises:
        PipelineError: with everything that is wrong in it, or in its pipeline.

    """
    if not isinstance(source.data, dict) or "cases" not in source.data:
        message = "the file is empty" if source.data is None else "this is no test file: it has no 'cases'"
        raise PipelineError([source.finding((), "shape", message, hint="A test file is a map with cases.")])
    _refuse(source, "shape", shape.check(source.data, cases_schema))
    cases = CaseFile.model_validate(source.data)
    read_ = _with_pipeline(source, cases, path)
    _refuse(source, CODE, _wrong(read_))
    return read_


def _with_pipeline(source: Source, cases: CaseFile, path: Path) -> CaseSuite:
    """Find the pipeline that cases are for: beside their file, in its project, or among those that ship.

    Raises:
        PipelineError: where there is none.

    """
    name = cases.pipeline or path.name.removesuffix(TEST_SUFFIX) + ".yaml"
    home = path.parent.resolve()
    root = opening.tests_root(home)
    try:
        found = opening.locate(root, home, name)
    except (FileNotFoundError, NotADirectoryError):
        is_bare = cases.pipeline is not None and not Path(name).suffix and Path(name).name == name
        if is_bare and (ours := locations.shipped(name)) is not None:
            return CaseSuite(source, cases, str(ours))
        where = "beside this one; name it under 'pipeline'" if cases.pipeline is None else "there"
        message = f"there is no pipeline {name!r} {where}"
    except (OSError, ValueError) as error:
        message = f"{name!r} {locations.why_unread(error, root)}"
    else:
        return CaseSuite(source, cases, locations.relative(found), root)
    at = ("pipeline",) if cases.pipeline else ()
    raise PipelineError([source.finding(at, CODE, message)])


def _refuse(source: Source, code: str, problems: Iterable[Problem]) -> None:
    found = [source.finding(p.path, code, p.message, key=p.key, hint=p.hint) for p in dict.fromkeys(problems)]
    if found:
        raise PipelineError(found)


def _wrong(read_: CaseSuite) -> Iterator[Problem]:
    """Hold the cases against the pipeline.

    Raises:
        PipelineError: where that cannot be loaded.

    """
    try:
        loaded = read_.load()
    except UsageError as error:
        yield Problem(("set",), str(error))
        return
    yield from misnamed(read_.cases, loaded.pipeline, loaded.files)
    for index, case in enumerate(read_.cases.cases):
        at = ("cases", index)
        try:
            read_.load(case)
        except LlmGcError as error:
            words = error.findings[0].message if isinstance(error, PipelineError) else str(error)
            yield Problem((*at, "set") if case.set_ else ("set",), words)
            continue
        try:
            read_.inputs(case)
        except UsageError as error:
            yield from (_input(line, read_.cases, case, at) for line in str(error).splitlines())


def _input(words: str, cases: CaseFile, case: Case, at: At) -> Problem:
    """Return what is wrong with an input where it is given; of one that is missing, where the case begins."""
    named = re.search(r"'(\w+)'", words)
    name = named[1] if named else ""
    if name in (case.inputs or {}):
        return Problem((*at, "inputs", name), words, key=words.startswith("there is no"))
    if name in (cases.inputs or {}):
        return Problem(("inputs", name), words, key=words.startswith("there is no"))
    return Problem((*at, "name"), words)
