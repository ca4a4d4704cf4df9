"""YAML text to data: dangerous or unreadable input is refused, and as much as possible is recovered."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice
from typing import Any

import yaml

from llm_gc.errors import Finding, PipelineError
from llm_gc.source.nodes import CORE, MAP, SEQ, STR, Endless, Fault, NodeReader
from llm_gc.source.places import Source
from llm_gc.source.syntax import MAX_DEPTH, TOO_DEEP, explain

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
    """Read a text again after an error, without the part in which it is, until what is left can be read.

    That part is an entry of a top-level block where that is enough, else the block. What is passed over becomes spaces,
    so that all places in the rest stay what they are.
    """
    found = Recovered()
    while True:
        if found.errors and str(getattr(error, "problem", "")).startswith("did not find expected <document start>"):
            return found  # this is no map, and would be complained of line by line
        message, line, column = explain(error, text)
        if not (found.errors and getattr(error, "problem", "") == "found undefined alias"):
            found.errors.append((message, line, column))  # else the anchor may be in what was passed over
        if len(found.errors) >= MAX_ERRORS or len(text) > MAX_RECOVERED:
            return found
        at = min(_offset(text, line) + column - 1, len(text))
        lost, rest, again = _without(text, at, compose, found)
        found.lost += lost
        if again is None or rest == text:
            return found
        text, error = rest, again


def _without(text: str, at: int, compose: Compose, found: Recovered) -> tuple[str, str, yaml.YAMLError | None]:
    """Pass over the part in which an offset is; return it, the text without it, and the next error, if there is one."""
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
    """Return the offset at which a line begins."""
    ends = (found.end() for found in _LINE_END.finditer(text))
    return next(islice(ends, line - 2, None), len(text)) if line > 1 else 0


def _block(text: str, at: int) -> tuple[int, int]:
    """Return the offsets of the top-level block in which a place is; of all the rest, where another document begins."""
    if text.startswith(("---", "..."), at):
        return at, len(text)
    starts = [found.start() for found in _BLOCK.finditer(text)]
    begin = max((start for start in starts if start <= at), default=0)
    return begin, min((start for start in starts if start > at), default=len(text))


def _entry(text: str, at: int, begin: int, end: int) -> list[tuple[int, int]]:
    """Return the offsets of the entry of a block (a list or map) around a position; None on its first line."""
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


MAX_BYTES = 4 * 1024 * 1024
MAX_ODD = 20
"""So many odd characters are notified of, at most; a file of other bytes is full of them."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def _odd_characters(*, ascii_: bool) -> re.Pattern[str]:
    """Match what YAML does not allow, and what is a line break to some of its readers and none to others.

    Most files are plain ASCII, and to compile the whole pattern takes as long as to read one.
    """
    if ascii_:
        return re.compile("[^\t\n\r\x20-\x7e]")
    return re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


class _CoreLoader(_Loader):  # type: ignore[misc]  # the base is chosen when the module is loaded
    """The safe loader with YAML 1.2's scalars in place of YAML 1.1's."""

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: tuple[bool, bool]) -> str:
        """Return the tag of a node that has none, as PyYAML asks for it; only a plain scalar can be other than text."""
        if kind is not yaml.ScalarNode:
            return MAP if kind is yaml.MappingNode else SEQ
        if implicit[0] and value is not None:
            for tag, pattern in _RESOLVERS.get(value[:1], ()):
                if pattern.match(value):
                    return tag
        return STR


_RESOLVERS: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
"""What a scalar can be besides text, by the character that it begins with."""

for _tag, _pattern, _first in CORE:
    for _character in _first:
        _RESOLVERS.setdefault(_character, []).append((_tag, re.compile(rf"^(?:{_pattern})$")))


def load(text: str, file: str) -> Source:
    """Read YAML.

    Raises:
        PipelineError: with everything that is wrong, each with its place.

    """
    source = read(text, file)
    if source.faults:
        raise PipelineError(source.faults)
    return source


def read(text: str, file: str) -> Source:
    """Read YAML as far as it can be read; the ``faults`` of the source tell everything that is wrong."""
    text = text.removeprefix("\ufeff")
    if len(text) > MAX_BYTES:
        message = f"the file is larger than {MAX_BYTES // 1024} KiB; a pipeline is a short text"
        return Source(file, text, None, faults=[Finding(file, 1, 1, "yaml", message)])
    pattern = _odd_characters(ascii_=text.isascii())
    odd = [Fault(found.start(), _odd(found[0])) for found in islice(pattern.finditer(text), MAX_ODD)]
    if odd:
        text = pattern.sub(" ", text)
    try:
        source = Source(file, text, _composed(text))
    except yaml.YAMLError as error:
        found = recover(text, error, _composed)
        faults = [Finding(file, line, column, "yaml", message) for message, line, column in found.errors]
        source = Source(file, text, found.root, faults=faults, lost=found.lost)
    return _with_data(source, odd)


def _with_data(source: Source, faults: list[Fault]) -> Source:
    """Fill in the data of a source, and what is wrong with its characters and its nodes."""
    reader = NodeReader(source.text)
    try:
        source.data = None if source.root is None else reader.read(source.root)
    except Endless as error:
        reader.faults = [error.fault]
    faults = [*(replace(fault, node=source.scalar(fault.at)) for fault in faults), *reader.faults]
    if faults:
        source.spoil(faults)
    return source


def _composed(text: str) -> yaml.Node | None:
    """Return the nodes of a text.

    Raises:
        yaml.YAMLError: where it is no YAML, or nested too deeply.

    """
    _check_depth(text)
    try:
        return yaml.compose(text, Loader=_CoreLoader)
    except RecursionError as error:  # only the loader without libyaml recurses in Python
        raise yaml.YAMLError(TOO_DEEP) from error


def _odd(character: str) -> str:
    return f"the character U+{ord(character):04X} is not allowed here; remove it"


def _check_depth(text: str) -> None:
    """Refuse what is nested so deeply that libyaml's composer, which recurses in C, would crash the process."""
    deepest = max((len(line) - len(line.lstrip(" \t?:-")) for line in text.splitlines()), default=0)
    if text.count("[") + text.count("{") + 2 * deepest <= 1000:
        return
    depth = 0
    event: Any
    for event in yaml.parse(text, Loader=_CoreLoader):
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1
        if depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem=TOO_DEEP, problem_mark=event.start_mark)
