"""Plain JSON data that cannot change: what templates compute and models answer becomes this at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from llm_gc.protocol import Message

MAX_DEPTH = 64


class Unfreezable(ValueError):
    """A value that has no place in JSON: a generator, a function, an infinite number."""


class FrozenList(list[Any]):
    """A list that cannot change, so that it can be hashed, shared and kept in a state."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("this list cannot be changed")

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse  # type: ignore[assignment]
    append = extend = insert = pop = remove = clear = sort = reverse = _refuse  # type: ignore[assignment]

    def __hash__(self) -> int:  # type: ignore[override]
        """Hash by content."""
        return hash(tuple(self))


class FrozenDict(dict[str, Any]):
    """A map that cannot change, so that it can be hashed, shared and kept in a state."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("this map cannot be changed")

    __setitem__ = __delitem__ = __ior__ = _refuse  # type: ignore[assignment]
    update = pop = popitem = clear = setdefault = _refuse  # type: ignore[assignment]

    def __hash__(self) -> int:  # type: ignore[override]
        """Hash by content, whatever the order of the keys."""
        return hash(frozenset(self.items()))


def freeze(value: Any, depth: int = 0) -> Any:
    """Give ``value`` as frozen JSON data. A message stays one: it is frozen already, and knows how to print itself.

    Raises:
        Unfreezable: for what JSON cannot hold.

    """
    if value is None or isinstance(value, (bool, int, FrozenList, FrozenDict, Message)):
        return value
    if isinstance(value, str):
        return str(value)  # Markup and other subclasses become plain text
    if depth > MAX_DEPTH:
        raise Unfreezable("nested too deeply")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Unfreezable(f"{value} is no JSON number")
        return value
    if isinstance(value, Mapping):
        return FrozenDict(_pairs(value, depth))
    if isinstance(value, (list, tuple, range)):
        return FrozenList(freeze(item, depth + 1) for item in value)
    raise Unfreezable(f"a {type(value).__name__} is not JSON data")


def _pairs(value: Mapping[Any, Any], depth: int) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if not isinstance(key, str):
            raise Unfreezable(f"the key {key!r} is not text")
        yield key, freeze(item, depth + 1)
