"""YAML text to data: what cannot be read at all is refused first, and whatever could crash the parser."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from itertools import islice
from typing import Any

import yaml

from llm_gc.errors import Finding, PipelineError
from llm_gc.source.nodes import CORE, MAP, SEQ, STR, Endless, Fault, Reader
from llm_gc.source.places import Source
from llm_gc.source.syntax import MAX_DEPTH, TOO_DEEP

MAX_BYTES = 4 * 1024 * 1024
MAX_ODD = 20
"""So many odd characters are told of, at most; a file of other bytes is full of them."""

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
        """Give the tag of a node that has none, as PyYAML asks for it; only a plain scalar can be other than text."""
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
        from llm_gc.source.recovery import recover  # only mistakes pay for it

        found = recover(text, error, _composed)
        faults = [Finding(file, line, column, "yaml", message) for message, line, column in found.errors]
        source = Source(file, text, found.root, faults=faults, lost=found.lost)
    return _with_data(source, odd)


def _with_data(source: Source, faults: list[Fault]) -> Source:
    """Fill in the data of a source, and what is wrong with its characters and its nodes."""
    reader = Reader(source.text)
    try:
        source.data = None if source.root is None else reader.read(source.root)
    except Endless as error:
        reader.faults = [error.fault]
    faults = [*(replace(fault, node=source.scalar(fault.at)) for fault in faults), *reader.faults]
    if faults:
        source.spoil(faults)
    return source


def _composed(text: str) -> yaml.Node | None:
    """Give the nodes of a text.

    Raises:
        yaml.YAMLError: where it is no YAML, or nested too deeply.

    """
    _check_depth(text)
    try:
        return yaml.compose(text, Loader=_CoreLoader)
    except RecursionError as error:  # only the loader without libyaml recurses in Python
        raise yaml.YAMLError(TOO_DEEP) from error


def _odd(character: str) -> str:
    return f"the character U+{ord(character):04X} cannot stand here; remove it"


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
