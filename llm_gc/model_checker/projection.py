"""Values as far as they are read: what tells two of them apart for whoever reads them, and nothing else.

What decides is kept exactly; what is only shown is kept as its shape: whether there is any, what a list's items look
like. A made-up text carries a mark of its own (``mark``). Nobody can tell one made-up text from another but by whether
they are the same, so marks are numbered again in the order in which they are come across.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import combinations
from typing import Any

from jinja2 import UndefinedError

from llm_gc.model_checker.condition_vars import Live
from llm_gc.model_checker.list_readers import FIRSTS, LEAVES, MANNERS, SUM, TIES, tallied
from llm_gc.protocol import Message
from llm_gc.templates.filters import Vote, plain

_OPEN, _CLOSE = "\ue000", "\ue001"  # of the private use area: no text of an author has them
_MARK = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")

SHORT = 60
"""So long a text may be to count as itself where it is only shown: a word out of an enum, not somebody's words."""

ABSENT = "<absent>"

NO_FIELDS: Mapping[str, Any] = {}

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

    @cached_property
    def decides(self) -> bool:
        """Whether something depends on what it reads."""
        return bool(self.whole) or any(branch.decides for branch in self.branches.values())

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
        if tree.whole or value is None:
            return self.exact(value)
        words = tree.branches.keys()
        if words and (words <= LEAVES or (isinstance(value, list) and words <= MANNERS)):
            shown = () if tree.whole is None else (self.shape(value),)
            return (*shown, *[self._part(value, word, branch) for word, branch in tree.branches.items()])
        fields = _fields(value)
        if tree.whole is not None or fields is None:
            return self.exact(value) if tree.decides else self.shape(value)
        return tuple([self._part(value, word, branch, fields) for word, branch in tree.branches.items()])

    def _part(self, value: Any, word: str, tree: Tree, fields: Mapping[str, Any] = NO_FIELDS) -> Hashable:
        """Return what is read of a value by one word."""
        match word:
            case _ if word in fields:
                return self.value(fields[word], tree)
            case _ if word in MANNERS:
                is_list, decides = isinstance(value, list), tree.decides
                return self.items(value, word, tree) if is_list else self.exact(value) if decides else self.shape(value)
            case "<size>":
                return None
            case "<truth>":
                return bool(value)
            case "<plain>":
                return self.value(plain(value), Tree(tree.whole))
        return self._missing(value, word, tree)

    def _missing(self, value: Any, word: str, tree: Tree) -> Hashable:
        """A word that is no field may be a map's method (``notes.items()``), which reads all of it; else it is none."""
        if isinstance(value, Mapping) and hasattr(value, word):
            return self.value(value, Tree(tree.decides))
        return ABSENT

    def listed(self, values: Sequence[Any], tree: Tree, left: int) -> Hashable:
        """Return what is read of a list of which only so many items are missing yet."""
        if tree.whole or not tree.branches.keys() <= MANNERS:
            return self.value(values, tree)
        shown = () if tree.whole is None else (self.shape(values),)
        return (*shown, *[self.items(values, manner, branch, left) for manner, branch in tree.branches.items()])

    def items(self, values: Sequence[Any], manner: str, tree: Tree, left: int = 0) -> Hashable:
        """Return what is read of a list's items by readers to whom their order does not matter, or in a manner.

        ``left`` is how many items may still follow.
        """
        if not tree.decides:
            return self.shapes(values)
        if manner == TIES:
            try:
                return tuple([self._ties(tallied(values, word), left) for word in tree.branches])
            except UndefinedError:  # a message has no such attribute: it fails, whatever the votes are
                return self.exact(list(values))
        if manner == FIRSTS:
            return tuple(Counter([self.value(value, tree) for value in values]).items())
        ordered = self._sorted(values, lambda projection, value: projection.value(value, tree))
        if manner == SUM and any(map(_has_fraction, ordered)):
            return tuple([self.value(value, tree) for value in values])
        return tuple(ordered)

    def _ties(self, votes: Mapping[Any, Vote], left: int) -> Hashable:
        """Return what decides who may still win: how far behind each is, and which is first of two that may be tied.

        Whatever is so far behind that it cannot win any more counts no longer. A value that nobody has voted for yet
        may win as long as so many votes are left as the best one has.
        """
        most = max([vote.times for vote in votes.values()], default=0)
        if not left:
            return next((self.exact(vote.value) for vote in votes.values() if vote.times == most), None)
        able = [vote for vote in votes.values() if vote.times + left >= most]
        behind = self._sorted(able, lambda projection, vote: (projection.exact(vote.value), most - vote.times))
        counts = [vote.times for vote in able]
        pairs = [pair for pair in combinations(range(len(able)), 2) if _may_tie(counts, *pair, left)]
        before = frozenset([(self.exact(able[one].value), self.exact(able[two].value)) for one, two in pairs])
        return (most if most <= left else None, *behind, before)

    def _sorted(self, values: Iterable[Any], project: Callable[[Projection, Any], Hashable]) -> list[Hashable]:
        """Return values as they are read, in an order that does not depend on theirs.

        Of two that differ in their marks alone the first stays the first: then equal lists may come out as two.
        """
        alone = sorted(values, key=lambda value: repr(project(Projection(errors=self._errors), value)))
        return [project(self, value) for value in alone]

    def exact(self, value: Any) -> Hashable:
        """Return all of a value."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Message):
            texts = (self.text(value.content), self.text(value.heard), value.error if self._errors else None)
            return (value.role, value.label, value.failed, *texts, self.exact(value.data))
        if isinstance(value, Mapping):
            return ("map", *[(key, self.exact(item)) for key, item in sorted(value.items())])
        if isinstance(value, list):
            return ("list", *[self.exact(item) for item in value])
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


def _may_tie(counts: Sequence[int], one: int, two: int, left: int) -> bool:
    """Return whether two values may yet be tied as the best ones, with none among them that came before both.

    ``counts`` are the votes of the values in the order of their first ones, ``one`` and ``two`` numbers of them.
    """
    level = max([*counts, *[count + 1 for count in counts[:one]]])
    return 2 * level - counts[one] - counts[two] <= left


def _has_fraction(read: Hashable) -> bool:
    """Return whether a number that is not whole is part of what is read."""
    if isinstance(read, tuple):
        return any(map(_has_fraction, read))
    return isinstance(read, float) and not read.is_integer()


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
