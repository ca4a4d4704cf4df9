"""YAML text to data, with the line and column of every path in it.

The scalars are YAML 1.2's core schema: ``no`` is text, ``1:30`` is text, ``012`` is twelve. What JSON cannot hold is
refused, and so is what only serves to surprise: a key that stands twice, tags, aliases that blow a file up.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from llm_gc.errors import Finding, PipelineError
from llm_gc.protocol import Path

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 100
MAX_NODES = 200_000

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_STR = "tag:yaml.org,2002:str"
_NULL, _BOOL = "tag:yaml.org,2002:null", "tag:yaml.org,2002:bool"
_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
_CORE = (  # tag, pattern, the characters that it can begin with: the table of YAML 1.2.2, section 10.3.2
    (_NULL, r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    (_BOOL, r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    (_INT, r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (_FLOAT, r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
    (_FLOAT, r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", list("-+.")),
)


class _CoreLoader(_Loader):  # type: ignore[misc]  # the base is chosen when the module is loaded
    """The safe loader with YAML 1.2's scalars in place of YAML 1.1's."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  # PyYAML's own shape


for _tag, _pattern, _first in _CORE:
    _CoreLoader.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), _first)


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of a file, lines and columns counted from 1, the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


class Source:
    """One YAML file: its text, its data, and where everything in it stands."""

    def __init__(self, file: str, text: str, root: yaml.Node | None, data: Any) -> None:
        """Keep what ``load`` found."""
        self.file, self.text, self.data = file, text, data
        self._root = root

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Give the place of the value at ``path`` (of its key, if ``key``); of what is nearest where it is not there."""
        node, named = self._root, self._root
        for step in path:
            found = _child(node, step)
            if found is None:
                break
            named, node = found
        else:
            return _place(named if key else node)
        return _place(named)

    def finding(self, path: Path, code: str, message: str, *, key: bool = False, hint: str = "") -> Finding:
        """Give a finding about what stands at ``path``."""
        place = self.place(path, key=key)
        return Finding(self.file, place.line, place.column, code, message, path=dotted(path), hint=hint)


def dotted(path: Path) -> str:
    """Give a path as people write it: ``turns.0.repeat.1``."""
    return ".".join(str(step) for step in path)


def load(text: str, file: str) -> Source:
    """Read YAML.

    Raises:
        PipelineError: with everything that is wrong, each with its place.

    """
    if len(text) > MAX_BYTES:
        raise _refusal(file, f"the file is larger than {MAX_BYTES // 1024} KiB")
    _check_depth(text, file)
    try:
        root = yaml.compose(text, Loader=_CoreLoader)
    except yaml.YAMLError as error:
        raise _syntax_error(error, file) from error
    except RecursionError as error:  # only the loader without libyaml recurses in Python
        raise _refusal(file, f"nested more than {MAX_DEPTH} levels deep") from error
    reader = _Reader(file)
    data = None if root is None else reader.read(root, 0)
    if reader.findings:
        raise PipelineError(reader.findings)
    return Source(file, text, root, data)


class _Reader:
    """Turns nodes into data, and notes everything that is wrong on the way."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.findings: list[Finding] = []
        self._nodes = 0

    def read(self, node: yaml.Node, depth: int) -> Any:
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:  # only an alias can still do this
            raise PipelineError([self._at(node, "its aliases unfold without end; write the values out")])
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, depth + 1) for item in node.value]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != _STR:
                shown = repr(key) if isinstance(key_node, yaml.ScalarNode) else "a list or map"
                self._note(key_node, f"a key must be text, and {shown} is not; put it in quotes")
            elif key in data:
                self._note(key_node, f"the key {key!r} stands twice in this map; keep one of them")
            else:
                data[key] = self.read(value_node, depth + 1)
        return data

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text: str = node.value
        if node.tag == _STR:
            return text
        if node.tag == _NULL:
            return None
        if node.tag == _BOOL:
            return text[0] in "tT"
        if node.tag == _INT and (text[:2] in ("0o", "0x") or len(text) < 400):
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        if node.tag == _FLOAT and math.isfinite(number := float(text.replace(".inf", "inf").replace(".nan", "nan"))):
            return number
        if node.tag in (_FLOAT, _INT):
            self._note(node, f"{text[:40]} is no number that JSON can hold")
        else:
            self._note(node, f"the tag {node.tag!r} is not allowed; a pipeline is plain data")
        return text

    def _note(self, node: yaml.Node, message: str) -> None:
        self.findings.append(self._at(node, message))

    def _at(self, node: yaml.Node, message: str) -> Finding:
        place = _place(node)
        return Finding(self.file, place.line, place.column, "yaml", message)


def _child(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """Give the key node and the value node of one step down."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


def _place(node: yaml.Node | None) -> Place:
    if node is None:
        return Place(1, 1, 1, 1)
    start, end = node.start_mark, node.end_mark
    return Place(start.line + 1, start.column + 1, end.line + 1, end.column + 1)


def _check_depth(text: str, file: str) -> None:
    """Refuse what is nested so deeply that libyaml's composer, which recurses in C, would crash the process."""
    indents: Sequence[str] = re.findall(r"(?m)^[ \t?:-]+", text)
    if text.count("[") + text.count("{") + 2 * max(map(len, indents), default=0) <= 1000:
        return
    depth = 0
    try:
        for event in yaml.parse(text, Loader=_CoreLoader):
            if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                depth += 1
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                depth -= 1
            if depth > MAX_DEPTH:
                line = event.start_mark.line + 1
                raise _refusal(file, f"nested more than {MAX_DEPTH} levels deep", line)
    except yaml.YAMLError as error:
        raise _syntax_error(error, file) from error


def _refusal(file: str, message: str, line: int = 1, column: int = 1) -> PipelineError:
    return PipelineError([Finding(file, line, column, "yaml", message)])


def _syntax_error(error: yaml.YAMLError, file: str) -> PipelineError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error).splitlines()[0]
    context = getattr(error, "context", None)
    message = f"not valid YAML: {problem}" + (f" ({context})" if context else "")
    if mark is None:
        return _refusal(file, message)
    return _refusal(file, message, mark.line + 1, mark.column + 1)
