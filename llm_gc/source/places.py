"""Positions in a YAML file: the line and column of a path, of a word in a text, of a text that a comment cut."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import yaml

from llm_gc.errors import Finding
from llm_gc.protocol import Path
from llm_gc.source.nodes import MAX_NODES, STR, Fault, is_merge, start
from llm_gc.source.syntax import MAX_DEPTH

_ESCAPE = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|\r\n|[\s\S])|[\s\S]")
_SPACES = {"\\" + mark for mark in ("n", "r", "t", "v", "f", " ", "N", "_", "L", "P", "\t", "\n", "\r", "\r\n")}


def offset(raw: str, style: str, value: str, at: int) -> int:
    """Return the offset in ``raw``, the scalar as it is in its file, of the character at ``at`` in its value.

    ``style`` is YAML's mark for the kind of scalar: a quote, ``|``, ``>``, or nothing. White space is where the
    next character does.
    """
    count = sum(not character.isspace() for character in value[:at])
    spots = list(_spots(raw, style))
    if count < len(spots):
        return spots[count]
    return spots[-1] + 1 if spots else 0


def _spots(raw: str, style: str) -> Iterator[int]:
    """Yield the offset of each character of the value that is no white space."""
    if style == '"':
        for found in _ESCAPE.finditer(raw, 1, len(raw) - 1):
            if not _is_space(found[0]):
                yield found.start()
        return
    start, end, quoted = 0, len(raw), style == "'"
    if style in ("|", ">"):  # the text begins on the line after the mark
        start = next((found.end() for found in re.finditer(r"\r\n|\r|\n", raw)), end)
    elif quoted:
        start, end = 1, end - 1
    skip = -1
    for at in range(start, end):
        if raw[at].isspace() or at == skip:
            continue
        if quoted and raw[at] == "'":  # two of them are one
            skip = at + 1
        yield at


def _is_space(unit: str) -> bool:
    if unit in _SPACES:
        return True
    if unit[0] == "\\" and unit[1] in "xuU":
        return unit.encode().decode("unicode_escape").isspace()
    return unit.isspace()


_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of a file, lines and columns counted from 1, the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int

    @property
    def start(self) -> tuple[int, int]:
        """Its line and column."""
        return self.line, self.column


class Source:
    """One YAML file: its text, its data, everything that is wrong with it as YAML, and where all in it is.

    ``holes`` are the paths at which something was left out because of a fault: the map or list at such a path is not
    whole, or what is there is not what was written. ``lost`` is the text that was passed over.
    """

    def __init__(
        self,
        file: str,
        text: str,
        root: yaml.Node | None,
        data: Any = None,
        *,
        faults: Sequence[Finding] = (),
        lost: str = "",
    ) -> None:
        """Keep what was read."""
        self.file, self.text, self.root, self.data = file, text, root, data
        self.faults, self.lost = list(faults), lost
        self.holes: frozenset[Path] = frozenset({()} if lost else ())

    def spoil(self, faults: Iterable[Fault]) -> None:
        """Take in what is wrong with nodes."""
        noted = list(dict.fromkeys(faults))  # an alias is read wherever it is
        self.faults += [Finding(self.file, *self._position(one.at), "yaml", one.message) for one in noted]
        bad = {id(one.node) for one in noted if one.node is not None}
        lost = (node for one in noted for node in (one.node, one.over) if node is not None)
        self.lost += " ".join(self.text[node.start_mark.index : node.end_mark.index] for node in lost)
        self.holes |= frozenset(_paths(self.root, bad)) or frozenset({()} if bad else ())

    def scalar(self, at: int) -> yaml.ScalarNode | None:
        """Return the scalar in whose text an offset is, if it is in one."""
        waiting, seen = [self.root], set[int]()
        while waiting:
            node = waiting.pop()
            if node is None or id(node) in seen or not node.start_mark.index <= at < node.end_mark.index:
                continue
            seen.add(id(node))
            if isinstance(node, yaml.ScalarNode):
                return node
            waiting += [inner for pair in node.value for inner in (pair if isinstance(pair, tuple) else [pair])]
        return None

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Return the place of the value at ``path`` (of its key, if ``key``), or of what is nearest to it."""
        named, node = self._walk(path)
        return self._place(named if key or node is None else node)

    def spot(self, path: Path, line: int, column: int | None = None) -> Place:
        """Return the place in the file of the word at a line and column in the text that is at ``path``.

        Without ``column``, that is the first word of the line.
        """
        _, node = self._walk(path)
        if not isinstance(node, yaml.ScalarNode):
            return self.place(path)
        begin = start(node, self.text)
        raw = self.text[begin : node.end_mark.index]
        at = begin + offset(raw, node.style or "", node.value, spot_in(node.value, line, column))
        return self._stretch(at, min(word_end(self.text, at), max(node.end_mark.index, at)))

    def finding(self, path: Path, code: str, message: str, *, key: bool = False, hint: str = "") -> Finding:
        """Return a finding about what is at ``path``."""
        at, way = self.place(path, key=key), dotted(path)
        finding = Finding(self.file, at.line, at.column, code, message, path=way, hint=hint)
        return replace(finding, end_line=at.end_line, end_column=at.end_column)

    def _walk(self, path: Path) -> tuple[yaml.Node | None, yaml.Node | None]:
        """Return the key node and the value node at a path; where the path ends before, the last key node and None."""
        named, node = self.root, self.root
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
        begin, last = start(node, self.text), node
        while isinstance(last, yaml.CollectionNode) and last.value and not last.flow_style:
            last = last.value[-1][1] if isinstance(last, yaml.MappingNode) else last.value[-1]
        return self._stretch(begin, begin + len(self.text[begin : last.end_mark.index].rstrip()))

    def _stretch(self, begin: int, end: int) -> Place:
        return Place(*self._position(begin), *self._position(end))

    @cached_property
    def _lines(self) -> list[int]:
        return [0, *(found.end() for found in _LINE_END.finditer(self.text))]

    def _position(self, index: int) -> tuple[int, int]:
        line = bisect_right(self._lines, index)
        return line, index - self._lines[line - 1] + 1


def word_end(text: str, at: int) -> int:
    """Return the offset at which the word at an offset ends; a character that is of no word is one by itself."""
    found = re.compile(r"\w+|\S").match(text, at)
    return found.end() if found else at


def _paths(root: yaml.Node | None, wanted: Collection[int]) -> Iterator[Path]:
    """Yield the paths at which certain nodes are, by their ids; not those within one of them."""
    waiting: list[tuple[Path, yaml.Node | None]] = [((), root)]
    for _ in range(MAX_NODES if wanted else 0):  # aliases can make paths without end
        if not waiting:
            return
        path, node = waiting.pop()
        if id(node) in wanted:
            yield path
        elif isinstance(node, yaml.MappingNode):
            waiting += [((*path, key.value), value) for key, value in node.value if isinstance(key, yaml.ScalarNode)]
        elif isinstance(node, yaml.SequenceNode):
            waiting += [((*path, index), item) for index, item in enumerate(node.value)]


def dotted(path: Path) -> str:
    """Return a path as people write it: ``turns.0.repeat.1``."""
    return ".".join(str(step) for step in path)


def spot_in(text: str, line: int, column: int | None = None) -> int:
    """Return the offset of a line and column in a text; without ``column``, of the first word of the line."""
    begin = 0
    for _ in range(line - 1):
        begin = text.find("\n", begin) + 1
    if column is not None:
        return begin + column - 1
    found = re.compile(r"[^\S\n]*").match(text, begin)
    return found.end() if found else begin


def _child(node: yaml.Node | None, step: str | int, depth: int = 0) -> tuple[yaml.Node, yaml.Node] | None:
    """Return the key node and the value node of one step down, also where the map takes them in by a merge key."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key, value
        return _merged_child(node, step, depth)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


def _merged_child(node: yaml.MappingNode, step: str | int, depth: int) -> tuple[yaml.Node, yaml.Node] | None:
    for key, value in node.value if depth < MAX_DEPTH else ():  # a map may merge itself
        if is_merge(key):
            for merged in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if isinstance(merged, yaml.MappingNode) and (found := _child(merged, step, depth + 1)):
                    return found
    return None


def position(text: str, index: int) -> tuple[int, int]:
    """Return the line and column of an offset, as YAML breaks lines."""
    line, begin = 1, 0
    for found in _LINE_END.finditer(text[:index]):
        line, begin = line + 1, found.end()
    return line, index - begin + 1


_COMMENT = re.compile(r"(?<![ \t])[ \t]+(#[^\r\n]*)")


class CutText(NamedTuple):
    """A plain scalar at ``path`` and the ``comment`` that follows it in its last line, from the ``#`` on."""

    path: Path
    text: str
    comment: str


def cut_texts(source: Source) -> Iterator[CutText]:
    """Return the plain texts of a source that a comment follows in the same line, in the order of the document."""
    if " #" not in source.text and "\t#" not in source.text:
        return
    waiting: list[tuple[Path, yaml.Node | None]] = [((), source.root)]
    for _ in range(MAX_NODES):  # aliases can make paths without end
        if not waiting:
            return
        path, node = waiting.pop()
        if isinstance(node, yaml.MappingNode):
            pairs = [(key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)]
            waiting += [((*path, key.value), value) for key, value in reversed(pairs)]
        elif isinstance(node, yaml.SequenceNode):
            waiting += [((*path, index), item) for index, item in reversed([*enumerate(node.value)])]
        elif isinstance(node, yaml.ScalarNode) and node.style in (None, "") and node.tag == STR:
            found = _COMMENT.match(source.text, node.end_mark.index)
            if found:
                yield CutText(path, node.value, found[1].rstrip())
