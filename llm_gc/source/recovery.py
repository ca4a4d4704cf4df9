"""What can still be read of a YAML text with syntax errors: all but the entries, or the blocks, in which they stand."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

import yaml

from llm_gc.source.syntax import explain

MAX_ERRORS = 20
MAX_RECOVERED = 256 * 1024
"""The longest text, in characters, that is read again after an error."""

_BLOCK = re.compile(r"^(?![ \t#\-\]}\r\n])", re.MULTILINE)
"""Where a top-level key begins; a list under it may be as far to the left as the key itself."""

_ENTRY = re.compile(r"^([ ]*)([^\s])", re.MULTILINE)
"""A line with its indentation and its first character."""

_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass
class Recovered:
    """What was read: the root (none where nothing is left), the errors with their places, and the text passed over."""

    root: yaml.Node | None = None
    errors: list[tuple[str, int, int]] = field(default_factory=list)
    lost: str = ""


def recover(text: str, error: yaml.YAMLError, compose: Callable[[str], yaml.Node | None]) -> Recovered:
    """Read a text again after an error, without the part in which it stands, until what is left can be read.

    That part is an entry of a top-level block where that is enough, else the block. What is passed over becomes spaces,
    so that all places in the rest stay what they are.
    """
    found = Recovered()
    while True:
        message, line, column = explain(error, text)
        if not (found.errors and getattr(error, "problem", "") == "found undefined alias"):
            found.errors.append((message, line, column))  # else the anchor may stand in what was passed over
        if len(found.errors) >= MAX_ERRORS or len(text) > MAX_RECOVERED:
            return found
        at = min(_offset(text, line) + column - 1, len(text))
        begin, end = _block(text, at)
        for start, stop in (*_entry(text, at, begin, end), (begin, end)):
            rest = text[:start] + re.sub(r"[^\r\n]", " ", text[start:stop]) + text[stop:]
            again = None
            try:
                found.root = compose(rest)
            except yaml.YAMLError as raised:
                again = raised
                _, next_line, _ = explain(raised, rest)
                if begin <= _offset(rest, next_line) < end and start > begin:
                    continue  # it is not enough
            break
        found.lost += text[start:stop]
        if again is None or rest == text:
            return found
        text, error = rest, again


def _offset(text: str, line: int) -> int:
    """Give the offset at which a line begins."""
    ends = (found.end() for found in _LINE_END.finditer(text))
    return next(islice(ends, line - 2, None), len(text)) if line > 1 else 0


def _block(text: str, at: int) -> tuple[int, int]:
    """Give the offsets of the top-level block in which a place is; of all the rest, where another document begins."""
    if text.startswith(("---", "..."), at):
        return at, len(text)
    starts = [found.start() for found in _BLOCK.finditer(text)]
    begin = max((start for start in starts if start <= at), default=0)
    return begin, min((start for start in starts if start > at), default=len(text))


def _entry(text: str, at: int, begin: int, end: int) -> list[tuple[int, int]]:
    """Give the offsets of the entry in which a place is, of the list or map that a block is; none on its first line."""
    first = _LINE_END.search(text, begin, end)
    if first is None or at < first.end():
        return []
    lines = [found for found in _ENTRY.finditer(text, first.end(), end) if found[2] != "#"]
    indent = min((len(found[1]) for found in lines), default=0)
    starts = [found.start() for found in lines if len(found[1]) == indent]
    before = max((start for start in starts if start <= at), default=None)
    if before is None:
        return []
    return [(before, min((start for start in starts if start > at), default=end))]
