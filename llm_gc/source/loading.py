"""YAML text to data: what cannot be read at all is refused first, and whatever could crash the parser."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import yaml

from llm_gc.errors import Finding, PipelineError
from llm_gc.source.nodes import CORE, MAX_DEPTH, Endless, Reader
from llm_gc.source.places import Source, position
from llm_gc.source.syntax import explain

MAX_BYTES = 4 * 1024 * 1024

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_ODD = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""What YAML does not allow, and what is a line break to some of its readers and none to others."""


class _CoreLoader(_Loader):  # type: ignore[misc]  # the base is chosen when the module is loaded
    """The safe loader with YAML 1.2's scalars in place of YAML 1.1's."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  # PyYAML's own shape


for _tag, _pattern, _first in CORE:
    _CoreLoader.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), _first)


def load(text: str, file: str) -> Source:
    """Read YAML.

    Raises:
        PipelineError: with everything that is wrong, each with its place.

    """
    text = text.removeprefix("\ufeff")
    if len(text) > MAX_BYTES:
        raise _refusal(file, f"the file is larger than {MAX_BYTES // 1024} KiB; a pipeline is a short text")
    _check_characters(text, file)
    _check_depth(text, file)
    try:
        root = yaml.compose(text, Loader=_CoreLoader)
    except yaml.YAMLError as error:
        raise _refusal(file, *explain(error, text)) from error
    except RecursionError as error:  # only the loader without libyaml recurses in Python
        raise _refusal(file, f"nested more than {MAX_DEPTH} levels deep") from error
    source, reader = Source(file, text, root), Reader(text)
    try:
        source.data = None if root is None else reader.read(root)
    except Endless as error:
        reader.faults = [error.fault]
    if reader.faults:
        raise PipelineError([Finding(file, *position(text, f.at), "yaml", f.message) for f in reader.faults])
    return source


def _check_characters(text: str, file: str) -> None:
    found = _ODD.search(text)
    if found is not None:
        message = f"the character U+{ord(found[0]):04X} cannot stand here; remove it"
        raise _refusal(file, message, *position(text, found.start()))


def _check_depth(text: str, file: str) -> None:
    """Refuse what is nested so deeply that libyaml's composer, which recurses in C, would crash the process."""
    indents: Sequence[str] = re.findall(r"(?:^|(?<=[\r\n]))[ \t?:-]+", text)
    if text.count("[") + text.count("{") + 2 * max(map(len, indents), default=0) <= 1000:
        return
    depth = 0
    try:
        for event in yaml.parse(text, Loader=_CoreLoader):
            if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                depth += 1
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                depth -= 1
            if depth > MAX_DEPTH and (mark := event.start_mark):
                raise _refusal(file, f"nested more than {MAX_DEPTH} levels deep", mark.line + 1, mark.column + 1)
    except yaml.YAMLError as error:
        raise _refusal(file, *explain(error, text)) from error


def _refusal(file: str, message: str, line: int = 1, column: int = 1) -> PipelineError:
    return PipelineError([Finding(file, line, column, "yaml", message)])
