"""JSON data: parsed strictly, and frozen, as templates compute it and models answer it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NoReturn

from llm_gc.protocol import Message

DEPTH = 100
"""How deep JSON may be nested that comes from elsewhere."""


def parse(text: str) -> Any:
    """Parse JSON.

    Raises:
        ValueError: where it is none, or holds a number that is not finite.
        RecursionError: where it is nested too deeply.

    """
    return json.loads(text, parse_float=_finite, parse_constant=_refuse)


def is_deep(value: Any, most: int = DEPTH) -> bool:
    """Return whether more than so many lists and maps are inside one another."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(most):
        level = [inner for outer in level for inner in _inside(outer)]
    return bool(level)


def _inside(outer: Any) -> Iterable[Any]:
    values = outer.values() if isinstance(outer, dict) else outer
    return (inner for inner in values if isinstance(inner, (dict, list)))


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits[:20]} is beyond every number")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


MAX_DEPTH = 64
"""So many lists and maps may be inside one another."""


class Unfreezable(ValueError):
    """A value that has no place in JSON: a generator, a function, an infinite number."""


class FrozenList(list[Any]):
    """A list that cannot change, nor anything in it, so that it can be hashed, shared and kept in a state."""

    __slots__ = ("depth",)
    depth: int

    def __init__(self, items: Iterable[Any] = ()) -> None:
        """Freeze the items.

        Raises:
            Unfreezable: for what JSON cannot hold.

        """
        if hasattr(self, "depth"):
            self._refuse()
        super().__init__([freeze(item) for item in items])
        self.depth = _depth(self)

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("this list cannot be changed")

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = extend = insert = pop = remove = clear = sort = reverse = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        """Hash by content."""
        return hash(tuple(self))

    def __copy__(self) -> FrozenList:
        """Return itself: a copy could not be told from it."""
        return self

    def __deepcopy__(self, _memo: Any) -> FrozenList:
        """Return itself."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by content."""
        return FrozenList, (list(self),)


class FrozenDict(dict[str, Any]):
    """A map that cannot change, nor anything in it, so that it can be hashed, shared and kept in a state."""

    __slots__ = ("depth",)
    depth: int

    def __init__(self, items: Mapping[str, Any] | Iterable[tuple[str, Any]] = ()) -> None:
        """Freeze the items.

        Raises:
            Unfreezable: for what JSON cannot hold.

        """
        if hasattr(self, "depth"):
            self._refuse()
        super().__init__(_pairs(dict(items)))
        self.depth = _depth(self.values())

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("this map cannot be changed")

    __setitem__ = __delitem__ = __ior__ = _refuse
    update = pop = popitem = clear = setdefault = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        """Hash by content, whatever the order of the keys."""
        return hash(frozenset(self.items()))

    def __copy__(self) -> FrozenDict:
        """Return itself: a copy could not be told from it."""
        return self

    def __deepcopy__(self, _memo: Any) -> FrozenDict:
        """Return itself."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by content."""
        return FrozenDict, (dict(self),)


_FROZEN = frozenset({type(None), bool, int, str, FrozenList, FrozenDict})


def as_text(value: Any) -> str:
    """Return what a template gave in the place of a text; none is an empty one."""
    return "" if value is None else str(value)


def plain(value: Any) -> Any:
    """Return a value as JSON knows it: a message, however deep inside, is its content."""
    if isinstance(value, Message):
        return value.content
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def freeze(value: Any, depth: int = 0) -> Any:
    """Return ``value`` as frozen JSON data. A message stays one, and knows how to print itself; its data is frozen too.

    Raises:
        Unfreezable: for what JSON cannot hold.

    """
    if type(value) in _FROZEN or (type(value) is Message and type(value.data) in _FROZEN):
        return value
    if isinstance(value, str):
        return str.__str__(value)  # Markup and other subclasses become plain text
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Unfreezable(f"{value} is no JSON number")
        return float(value)
    if depth >= MAX_DEPTH:
        raise Unfreezable("nested too deeply")
    if isinstance(value, Message):
        return replace(value, data=freeze(value.data, depth + 1))
    if isinstance(value, Mapping):
        return FrozenDict((key, freeze(item, depth + 1)) for key, item in value.items())
    if isinstance(value, (list, tuple, range)):
        return FrozenList(freeze(item, depth + 1) for item in value)
    raise Unfreezable(f"a {type(value).__name__} is not JSON data")


def _pairs(value: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if not isinstance(key, str):
            raise Unfreezable(f"the key {key!r} is not text")
        yield freeze(key), freeze(item)


def _depth(items: Iterable[Any]) -> int:
    """Return how deep a list or map of frozen items is."""
    deepest = 0
    for item in items:
        inner = item.data if type(item) is Message else item
        if isinstance(inner, (FrozenList, FrozenDict)):
            deepest = max(deepest, inner.depth)
    if deepest >= MAX_DEPTH:
        raise Unfreezable("nested too deeply")
    return deepest + 1
