"""Where everything stands in a file: the line and column of a path, and of a word in the text at a path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from llm_gc.errors import Finding
from llm_gc.protocol import Path
from llm_gc.source.nodes import start
from llm_gc.source.scalars import offset


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of a file, lines and columns counted from 1, the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


class Source:
    """One YAML file: its text, its data, and where everything in it stands."""

    def __init__(self, file: str, text: str, root: yaml.Node | None, data: Any = None) -> None:
        """Keep what ``load`` found."""
        self.file, self.text, self.data = file, text, data
        self._root = root

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Give the place of the value at ``path`` (of its key, if ``key``), or of what is nearest to it."""
        named, node = self._walk(path)
        return self._place(named if key or node is None else node)

    def spot(self, path: Path, line: int, column: int | None = None) -> tuple[int, int]:
        """Give the line and column in the file of a line and column in the text that stands at ``path``.

        Without ``column``, that is the first word of the line.
        """
        _, node = self._walk(path)
        if not isinstance(node, yaml.ScalarNode):
            place = self.place(path)
            return place.line, place.column
        begin = start(node, self.text)
        raw = self.text[begin : node.end_mark.index]
        at = offset(raw, node.style or "", node.value, spot_in(node.value, line, column))
        return position(self.text, begin + at)

    def finding(self, path: Path, code: str, message: str, *, key: bool = False, hint: str = "") -> Finding:
        """Give a finding about what stands at ``path``."""
        place = self.place(path, key=key)
        return Finding(self.file, place.line, place.column, code, message, path=dotted(path), hint=hint)

    def _walk(self, path: Path) -> tuple[yaml.Node | None, yaml.Node | None]:
        """Give the key node and the value node at a path; where the way ends before, the last key node and nothing."""
        named, node = self._root, self._root
        for step in path:
            found = _child(node, step)
            if found is not None:
                named, node = found
            elif isinstance(node, yaml.MappingNode) or not isinstance(step, str):
                return named, None
            # else the value is the short form of a map, and stands for what the map has under this key
        return named, node

    def _place(self, node: yaml.Node | None) -> Place:
        if node is None:
            return Place(1, 1, 1, 1)
        end = node.end_mark
        return Place(*position(self.text, start(node, self.text)), end.line + 1, end.column + 1)


def dotted(path: Path) -> str:
    """Give a path as people write it: ``turns.0.repeat.1``."""
    return ".".join(str(step) for step in path)


def spot_in(text: str, line: int, column: int | None = None) -> int:
    """Give the offset of a line and column in a text; without ``column``, of the first word of the line."""
    begin = 0
    for _ in range(line - 1):
        begin = text.find("\n", begin) + 1
    if column is not None:
        return begin + column - 1
    found = re.compile(r"[^\S\n]*").match(text, begin)
    return found.end() if found else begin


def _child(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """Give the key node and the value node of one step down."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


def position(text: str, index: int) -> tuple[int, int]:
    """Give the line and column of an offset, as YAML breaks lines."""
    line, begin = 1, 0
    for found in re.finditer(r"\r\n|\r|\n", text[:index]):
        line, begin = line + 1, found.end()
    return line, index - begin + 1
