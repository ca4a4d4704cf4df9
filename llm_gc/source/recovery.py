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


Compose = Callable[[str], yaml.Node | None]
"""Gives the nodes of a text; raises YAMLError."""


@dataclass
class Recovered:
    """What was read: the root (none where nothing is left), the errors with their places, and the text passed over."""

    root: yaml.Node | None = None
    errors: list[tuple[str, int, int]] = field(default_factory=list)
    lost: str = ""


def recover(text: str, error: yaml.YAMLError, compose: Compose) -> Recovered:
    """Read a text again after an error, without the part in which it stands, until what is left can be read.

    That part is an entry of a top-level block where that is enough, else the block. What is passed over becomes spaces,
    so that all places in the rest stay what they are.
    """
    found = Recovered()
    while True:
        if found.errors and str(getattr(error, "problem", "")).startswith("did not find expected <document start>"):
            return found  # this is no map, and would be complained of line by line
        message, line, column = explain(error, text)
        if not (found.errors and getattr(error, "problem", "") == "found undefined alias"):
            found.errors.append((message, line, column))  # else the anchor may stand in what was passed over
        if len(found.errors) >= MAX_ERRORS or len(text) > MAX_RECOVERED:
            return found
        at = min(_offset(text, line) + column - 1, len(text))
        lost, rest, again = _without(text, at, compose, found)
        found.lost += lost
        if again is None or rest == text:
            return found
        text, error = rest, again


def _without(text: str, at: int, compose: Compose, found: Recovered) -> tuple[str, str, yaml.YAMLError | None]:
    """Pass over the part in which an offset is; give it, the text without it, and the next error, if there is one."""
    begin, end = _block(text, at)
    for start, stop in _entry(text, at, begin, end):
        rest = _blank(text, start, stop)
        try:
            found.root = compose(rest)
        except yaml.YAMLError as again:
            _, line, _ = explain(again, rest)
            if not begin <= _offset(rest, line) < end:
                return text[start:stop], rest, again
        else:
            return text[start:stop], rest, None
    rest = _blank(text, begin, end)
    try:
        found.root = compose(rest)
    except yaml.YAMLError as again:
        return text[begin:end], rest, again
    return text[begin:end], rest, None


def _blank(text: str, start: int, stop: int) -> str:
    return text[:start] + re.sub(r"[^\r\n]", " ", text[start:stop]) + text[stop:]


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
