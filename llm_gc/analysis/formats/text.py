"""text: one line for each finding, and the line of the file with the offending word marked."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import cache

from llm_gc.errors import Finding
from llm_gc.values.safe_text import blot

Lines = Callable[[str], Sequence[str]]
"""Gives the lines of a file by what it is called in messages; None where it cannot be shown."""

Line = tuple[tuple[str, str], ...]
"""A line in pieces, each with its style: none, or ``bold``, ``dim``, ``red``, ``yellow``."""

_COLOURS = {"error": "red", "warning": "yellow"}

WIDTH, NARROW = 100, 20
"""So many columns of a long line are shown; in a narrow terminal as many as it has, but no fewer than the second."""

_AROUND = len("1234 | ……")
"""The columns that are around them."""


def plain(findings: Sequence[Finding]) -> str:
    """Return one line for each finding."""
    return "\n".join(map(str, findings))


def excerpts(findings: Sequence[Finding], lines: Lines, *, columns: int | None = None) -> Iterator[Line]:
    """Yield one line for each finding, and under it the line of the file, the word that is meant marked.

    In a terminal of so many ``columns`` the mark would else are under another word, since a long line is broken.
    """
    read, room = cache(lines), WIDTH if columns is None else max(min(WIDTH, columns - _AROUND), NARROW)
    for finding in findings:
        yield from _shown(finding, read(finding.file), room)


def _shown(finding: Finding, lines: Sequence[str], room: int) -> Iterator[Line]:
    colour = _COLOURS[finding.severity]
    place = f"{finding.file}:{finding.line}:{finding.column}:"
    severity, code = (f"{finding.severity}:", colour), (f"[{finding.code}]", "dim")
    yield (place, "bold"), (" ", ""), severity, (f" {finding.text} ", ""), code
    if not 0 < finding.line <= len(lines):
        return
    line, begin = lines[finding.line - 1].rstrip(), finding.column - 1
    end = finding.end_column - 1 if finding.end_line == finding.line else len(line)
    line, begin, end = _cut(_printable(blot(line)), begin, max(min(end, len(line)), begin + 1), room)
    number = f"{finding.line:>4}"
    mark = "^" * max(_cells(line[begin:end]), 1)
    yield (f"{number} |", "dim"), (f" {line}".rstrip(), "")
    yield (f"{' ' * len(number)} |", "dim"), (" " * (1 + _cells(line[:begin])), ""), (mark, colour)


def _cut(line: str, begin: int, end: int, room: int) -> tuple[str, int, int]:
    """Cut a long line to the part around a word, of which nearly a third is before the word, at least."""
    room = room if _cells(line) <= len(line) else room // 2
    if len(line) <= room:
        return line, begin, end
    first = max(min(begin - room * 3 // 10, len(line) - room), 0)
    front, back = "…" if first else "", "…" if first + room < len(line) else ""
    moved = len(front) - first
    return front + line[first : first + room] + back, begin + moved, min(end, first + room) + moved


def _printable(line: str) -> str:
    """Put a mark in the place of what a terminal would act upon, and a space in that of a tab."""
    return "".join(" " if one == "\t" else one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in line)


def _cells(text: str) -> int:
    """Count the columns that a text takes in a terminal."""
    wide = sum(unicodedata.east_asian_width(one) in ("W", "F") for one in text)
    return len(text) + wide - sum(bool(unicodedata.combining(one)) for one in text)
