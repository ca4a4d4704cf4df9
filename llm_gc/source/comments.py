"""Texts without quotes that a comment cuts short: YAML takes `` #`` and all that follows it in the line for one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import yaml

from llm_gc.protocol import Path
from llm_gc.source.nodes import MAX_NODES, STR
from llm_gc.source.places import Source

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
