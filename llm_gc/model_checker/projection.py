"""Values as far as they are read: what tells two of them apart for whoever reads them, and nothing else.

What decides is kept exactly; what is only shown is kept as its shape: whether there is any, what a list's items look
like. A made-up text carries a mark of its own (``mark``). Nobody can tell one made-up text from another but by whether
they are the same, so marks are numbered again in the order in which they are come across.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from llm_gc.model_checker.condition_vars import Live
from llm_gc.protocol import Message

_OPEN, _CLOSE = "\ue000", "\ue001"  # of the private use area: no text of an author has them
_MARK = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")

SHORT = 60
"""So long a text may be to count as itself where it is only shown: a word out of an enum, not somebody's words."""

ABSENT = "<absent>"

_OF_MESSAGE = tuple(Message.__dataclass_fields__)


def mark(number: int) -> str:
    """Return the mark of a made-up text."""
    return f"{_OPEN}{number}{_CLOSE}"


def unmarked(text: str) -> str:
    """Return a text without such marks, or what is left of them where it was cut, for people."""
    return _MARK.sub(lambda found: found[1], text).translate({ord(_OPEN): None, ord(_CLOSE): None})


def nameless(text: str) -> str:
    """Return a text so that all that were made up in one way are alike, for people."""
    return " ".join(_MARK.sub("", text).split())


@dataclass
class Tree:
    """The attributes that are read of a value. ``whole`` tells that all of it is: shown (False) or deciding (True)."""

    whole: bool | None = None
    branches: dict[str, Tree] = field(default_factory=dict)

    @classmethod
    def of(cls, live: Live) -> Tree:
        """Plant what is read, the names at the root."""
        tree = cls()
        for chain, decides in live:
            node = tree
            for word in chain:
                node = node.branches.setdefault(word, cls())
            node.whole = decides or bool(node.whole)
        return tree


class Projection:
    """Projects the values of one state; the marks in them are numbered as they come.

    Where nothing asks why a turn failed, ``errors`` is not set, and all failures are alike.
    """

    def __init__(self, *, errors: bool = True) -> None:
        """Begin with no mark known."""
        self._errors = errors
        self._numbers: dict[str, int] = {}

    def value(self, value: Any, tree: Tree) -> Hashable:
        """Return what is read of a value."""
        if tree.whole is not None:
            return self._exact(value) if self._decides(tree) else self.shape(value)
        fields = _fields(value)
        if fields is None:
            return self._exact(value) if self._decides(tree) else self.shape(value)
        return tuple(
            [
                self.value(fields[word], branch) if word in fields else self._missing(value, word, branch)
                for word, branch in tree.branches.items()
            ]
        )

    def _missing(self, value: Any, word: str, tree: Tree) -> Hashable:
        """A word that is no field may be a map's method (``notes.items()``), which reads all of it; else it is none."""
        if isinstance(value, Mapping) and hasattr(value, word):
            return self.value(value, Tree(self._decides(tree)))
        return ABSENT

    def _decides(self, tree: Tree) -> bool:
        return bool(tree.whole) or any(self._decides(branch) for branch in tree.branches.values())

    def _exact(self, value: Any) -> Hashable:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Message):
            texts = (self.text(value.content), self.text(value.heard), value.error if self._errors else None)
            return (value.role, value.label, value.failed, *texts, self._exact(value.data))
        if isinstance(value, Mapping):
            return ("map", *[(key, self._exact(item)) for key, item in sorted(value.items())])
        if isinstance(value, list):
            return ("list", *[self._exact(item) for item in value])
        return (type(value).__name__, value)

    def text(self, text: str) -> Hashable:
        """Return a text with its marks numbered again."""
        between, marks = _cut(text)
        if not marks:
            return text
        numbers = [self._numbers.setdefault(number, len(self._numbers)) for number in marks]
        return (between, *numbers)

    def shape(self, value: Any) -> Hashable:
        """Return what can be told of a value that is only shown."""
        if isinstance(value, str):
            return value if len(value) <= SHORT and _OPEN not in value else "<text>"
        if isinstance(value, Message):
            return (value.role, value.failed, bool(value.content), bool(value.heard), self.shape(value.data))
        if isinstance(value, Mapping):
            return ("map", *[(key, self.shape(item)) for key, item in sorted(value.items())])
        if isinstance(value, list):
            return self.shapes(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return (value > 0) - (value < 0)
        hashable: Hashable = value
        return hashable

    def shapes(self, values: Sequence[Any]) -> Hashable:
        """Return the abstraction of a list: whether it has none, one or several items, their kinds, the last one's."""
        kinds = [_kind(value) for value in values]
        return (min(len(kinds), 2), frozenset(kinds), kinds[-1] if kinds else None)


def _kind(value: Any) -> Hashable:
    """Return what can be told of an item of a list that is only shown."""
    if isinstance(value, Message):
        return (value.failed, bool(value.content), bool(value.heard), _kind(value.data))
    if isinstance(value, Mapping):
        return tuple([(key, bool(item) if isinstance(item, (str, list)) else None) for key, item in value.items()])
    return bool(value) if isinstance(value, (str, list)) else type(value).__name__


def _fields(value: Any) -> Mapping[str, Any] | None:
    """Return what a value has by name: a map its keys, a message its fields, nothing and none nothing."""
    if isinstance(value, Message):
        return {key: getattr(value, key) for key in _OF_MESSAGE}
    if isinstance(value, Mapping):
        return value
    return {} if value is None else None


@lru_cache(maxsize=4096)
def _cut(text: str) -> tuple[str, tuple[str, ...]]:
    """Return what is between a text's marks, and the marks."""
    if _OPEN not in text:
        return text, ()
    pieces = _MARK.split(text)
    return _OPEN.join(pieces[::2]), tuple(pieces[1::2])
