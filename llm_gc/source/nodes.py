"""YAML nodes to plain data, and everything that is wrong with them.

The scalars are YAML 1.2's core schema: ``no`` is text, ``1:30`` is text, ``012`` is twelve. What JSON cannot hold is
refused, and so is what only serves to surprise: a key that is twice, tags, aliases that blow a file up.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import yaml

from llm_gc.source.syntax import BRACES, MAX_DEPTH, TOO_DEEP

MAX_NODES = 200_000
MAX_DIGITS = 300

STR, NULL, BOOL = "tag:yaml.org,2002:str", "tag:yaml.org,2002:null", "tag:yaml.org,2002:bool"
INT, FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
MAP, SEQ = "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"
_TAGS = frozenset((STR, NULL, BOOL, INT, FLOAT, MAP, SEQ))

CORE = (  # tag, pattern, the characters that it can begin with: the table of YAML 1.2.2, section 10.3.2
    (NULL, r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    (BOOL, r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    (INT, r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (FLOAT, r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
    (FLOAT, r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", list("-+.")),
)

_PROPERTIES = re.compile(r"(?:[&!]\S*(?:\s+#[^\r\n]*)?(?:\s+|$))*")
"""Anchors and tags, which are before what they belong to."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong, at an offset; ``node`` is what has no data because of it, ``over`` what was passed over."""

    at: int
    message: str
    node: yaml.Node | None = None
    over: yaml.Node | None = None


class Endless(Exception):
    """The data would be too large, or has no end."""

    def __init__(self, fault: Fault) -> None:
        """Keep what is wrong where."""
        self.fault = fault
        super().__init__(fault.message)


class NodeReader:
    """Turns nodes into data, and notes everything that is wrong on the way."""

    def __init__(self, text: str) -> None:
        """Take the text that the nodes were read from."""
        self.faults: list[Fault] = []
        self._text = text
        self._nodes = 0
        self._open: set[int] = set()

    def read(self, node: yaml.Node, depth: int = 0) -> Any:
        """Return the data of a node.

        Raises:
            Endless: where there is no end to it.

        """
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            many = f"more than {MAX_NODES:,} values"
            how = ", with its aliases written out" if "*" in self._text else ""
            raise self._endless(node, f"{TOO_DEEP if depth > MAX_DEPTH else many}{how}; a pipeline is a short text")
        tagged = self._has_properties(node) and self._refuse_tag(node)
        if isinstance(node, yaml.ScalarNode):
            return None if tagged else node.value if node.tag == STR else self._scalar(node)
        if id(node) in self._open:
            raise self._endless(node, "this holds an alias of itself, and so has no end; write the values out")
        self._open.add(id(node))
        inner = self._mapping(node, depth) if isinstance(node, yaml.MappingNode) else self._sequence(node, depth)
        self._open.discard(id(node))
        return inner

    def _has_properties(self, node: yaml.Node) -> bool:
        """Return whether a node may have a tag; most have neither that nor an anchor, and need no closer look."""
        at = node.start_mark.index
        return self._text[at : at + 1] in ("!", "&") or node.tag not in _TAGS

    def _sequence(self, node: yaml.Node, depth: int) -> list[Any]:
        return [self.read(item, depth + 1) for item in node.value]

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        data: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if is_merge(key_node):
                merged = {**self._merged(value_node, depth), **merged}
                continue
            if self._is_odd(key_node) and self._refuse_key(node, key_node):
                continue
            key = key_node.value
            if key in data:
                first = next(one.start_mark.line + 1 for one, _ in node.value if one.value == key)
                message = f"the key {key!r} appears twice in this map, first in line {first}; keep one"
                self.faults.append(Fault(start(key_node, self._text), message, over=value_node))
            else:
                data[key] = self.read(value_node, depth + 1)
        return {**merged, **data} if merged else data

    def _merged(self, node: yaml.Node, depth: int) -> dict[str, Any]:
        """Return what ``<<`` merges: a map, or the maps of a list, of which earlier ones come before later ones."""
        merged: dict[str, Any] = {}
        for item in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if isinstance(item, yaml.MappingNode):
                merged = {**self.read(item, depth + 1), **merged}
            else:
                self._note(item, "'<<' merges maps: the alias of one, or a list of such aliases", item)
        return merged

    def _is_odd(self, key: yaml.Node) -> bool:
        return key.tag != STR or self._has_properties(key)

    def _refuse_key(self, node: yaml.MappingNode, key: yaml.Node) -> bool:
        """Note what is wrong with a key; return whether anything is."""
        if not isinstance(key, yaml.ScalarNode):
            braces = next((n for n in (node, key) if self._text.startswith("{{", n.start_mark.index)), None)
            if braces is not None:
                self._note(braces, BRACES, node)
            else:
                self._note(key, "a key must be text, and this one is a list or a map", node)
        elif self._refuse_tag(key, node):
            pass
        elif key.tag != STR:
            self._note(key, f"a key must be text, and {_short(key.value) or 'nothing'} is not; put it in quotes", node)
        else:
            return False
        return True

    def _refuse_tag(self, node: yaml.Node, owner: yaml.Node | None = None) -> bool:
        """Note a node's tag; return whether there is one. What has no data because of it is the node, or its owner."""
        begin = node.start_mark.index
        tag = re.search(r"(?<!\S)!\S*", self._text[begin : start(node, self._text)])
        if tag is None and node.tag in _TAGS:
            return False
        name = tag[0] if tag else node.tag
        hint = "put the text in quotes" if name in ("!!str", "!") else "a pipeline is plain data"
        message = f"the tag {name!r} is not allowed; {hint}"
        self.faults.append(Fault(begin + (tag.start() if tag else 0), message, owner or node))
        return True

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text: str = node.value
        if node.tag == NULL:
            return None
        if node.tag == BOOL:
            return text[:1] in ("t", "T")
        if node.tag in (INT, FLOAT):
            number = _number(text)
            if number is None:
                self._note(node, f"{_short(text)} is no number that JSON can hold", node)
            return number
        return text

    def _note(self, node: yaml.Node, message: str, lost: yaml.Node | None = None) -> None:
        self.faults.append(Fault(start(node, self._text), message, lost))

    def _endless(self, node: yaml.Node, message: str) -> Endless:
        return Endless(Fault(start(node, self._text), message))


def is_merge(key: yaml.Node) -> bool:
    """Return whether a key is YAML 1.1's merge key: a plain ``<<``, whose maps the map takes in."""
    return isinstance(key, yaml.ScalarNode) and key.value == "<<" and not key.style


def start(node: yaml.Node, text: str) -> int:
    """Return the offset at which a node begins, after its anchor or tag."""
    begin: int = node.start_mark.index
    found = _PROPERTIES.match(text, begin, node.end_mark.index)
    return found.end() if found else begin


def _number(text: str) -> int | float | None:
    """Return a number; None for what is too long or infinite."""
    if len(text) > MAX_DIGITS:
        return None
    if text[:2] in ("0o", "0x"):
        number = int(text, 0)
        return number if number < 10**MAX_DIGITS else None
    if re.fullmatch(r"[-+]?[0-9]+", text):
        return int(text)
    real = float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return real if math.isfinite(real) else None


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
