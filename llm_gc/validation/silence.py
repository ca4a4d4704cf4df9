"""Comments that silence findings: ``# llm-gc: ignore CODE`` in YAML, ``{# llm-gc: ignore CODE #}`` in a template.

A comment speaks of its own line; behind the mark of a block of text (``prompt: | # llm-gc: ignore CODE``) it speaks of
the whole block, in which no other comment can be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from llm_gc.analysis.rule_pages import UNUSED, pages
from llm_gc.errors import Finding
from llm_gc.project import Library
from llm_gc.source import Source, position
from llm_gc.values.did_you_mean import near

_MARK = "llm-gc:"
_IN_YAML = re.compile(
    r"(?:^|(?<=[ \t]))#[ \t]*llm-gc:[ \t]*ignore[ \t]+(?P<codes>[\w-]+(?:[ \t]*,[ \t]*[\w-]+)*)", re.MULTILINE
)
_IN_TEMPLATE = re.compile(r"\{#[+-]?\s*llm-gc:\s*ignore\s+(?P<codes>[\w-]+(?:\s*,\s*[\w-]+)*)\s*[+-]?#\}")


@dataclass(frozen=True)
class Ignore:
    """A code that is silenced in some lines of a file, and where that is said."""

    file: str
    code: str
    line: int
    column: int
    last_line: int


class SilencedFindings:
    """Leaves out what is silenced in the files of a library, and keeps which comments silenced something."""

    def __init__(self, library: Library) -> None:
        """Take the files that were read."""
        self.used: set[Ignore] = set()
        self._library = library
        self._ignores: dict[str, list[Ignore]] = {}

    def ignores(self) -> set[Ignore]:
        """Return every comment in the files that were looked at."""
        return {ignore for found in self._ignores.values() for ignore in found}

    def look_at(self, file: str) -> None:
        """Look for comments in a file, though nothing be found in it."""
        self._in_file(file)

    def heeded(self, findings: Sequence[Finding]) -> list[Finding]:
        """Return the findings that nobody silences."""
        return [finding for finding in findings if not self._is_silenced(finding)]

    def _is_silenced(self, finding: Finding) -> bool:
        by = [
            ignore
            for ignore in self._in_file(finding.file)
            if ignore.code == finding.code and ignore.line <= finding.line <= ignore.last_line
        ]
        self.used.update(by)
        return bool(by)

    def _in_file(self, file: str) -> list[Ignore]:
        if file not in self._ignores:
            text = self._library.text(file)
            source = self._library.source(file)
            self._ignores[file] = list(_read(file, text, source)) if _MARK in text else []
        return self._ignores[file]


def unused(ignores: Iterable[Ignore]) -> Iterator[Finding]:
    """Report comments that silence nothing."""
    known = pages()
    for ignore in ignores:
        is_code = ignore.code in known
        message = f"{ignore.code!r} is ignored here, and {'is not found' if is_code else 'there is no such code'}"
        hint = "Leave the comment out." if is_code else near(ignore.code, known)
        finding = Finding(ignore.file, ignore.line, ignore.column, UNUSED, message, "warning", hint=hint)
        yield replace(finding, end_column=ignore.column + len(ignore.code))


def _read(file: str, text: str, source: Source | None) -> Iterator[Ignore]:
    """Yield the comments of a file; with a source it is YAML, else a template."""
    for found in _IN_TEMPLATE.finditer(text):
        yield from _ignores(file, text, found, found.start())
    for found in _IN_YAML.finditer(text) if source is not None else ():
        scalar = source.scalar(found.start()) if source is not None else None
        if scalar is None:
            yield from _ignores(file, text, found, found.start())
        elif scalar.style in ("|", ">") and not re.search(r"[\r\n]", text[scalar.start_mark.index : found.start()]):
            yield from _ignores(file, text, found, len(text[: scalar.end_mark.index].rstrip()))
        # else it is part of a text, and no comment


def _ignores(file: str, text: str, found: re.Match[str], end: int) -> Iterator[Ignore]:
    last_line, _ = position(text, end)
    for code in re.finditer(r"[\w-]+", found["codes"]):
        line, column = position(text, found.start("codes") + code.start())
        yield Ignore(file, code[0], line, column, last_line)
