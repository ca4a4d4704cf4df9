"""Frozen data: nothing in it can change, and nothing that is no JSON gets in."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from llm_gc.protocol import Message
from llm_gc.values.frozen import MAX_DEPTH, FrozenDict, FrozenList, Unfreezable, freeze

QUICK = settings(max_examples=100, derandomize=True, deadline=None, database=None)

LIST_CHANGES: dict[str, Callable[[Any], object]] = {
    "append": lambda x: x.append(1),
    "extend": lambda x: x.extend([1]),
    "insert": lambda x: x.insert(0, 1),
    "pop": lambda x: x.pop(),
    "remove": lambda x: x.remove(1),
    "clear": lambda x: x.clear(),
    "sort": lambda x: x.sort(),
    "reverse": lambda x: x.reverse(),
    "item": lambda x: x.__setitem__(0, 1),
    "delete": lambda x: x.__delitem__(0),
    "+=": lambda x: x.__iadd__([1]),
    "*=": lambda x: x.__imul__(2),
    "init": lambda x: x.__init__([1]),
    "attribute": lambda x: setattr(x, "other", 1),
}

MAP_CHANGES: dict[str, Callable[[Any], object]] = {
    "item": lambda x: x.__setitem__("a", 1),
    "delete": lambda x: x.__delitem__("a"),
    "update": lambda x: x.update(a=1),
    "pop": lambda x: x.pop("a"),
    "popitem": lambda x: x.popitem(),
    "clear": lambda x: x.clear(),
    "setdefault": lambda x: x.setdefault("b", 1),
    "|=": lambda x: x.__ior__({"b": 1}),
    "init": lambda x: x.__init__({"b": 1}),
    "attribute": lambda x: setattr(x, "other", 1),
}


@pytest.mark.parametrize("change", LIST_CHANGES.values(), ids=LIST_CHANGES)
def test_a_list_cannot_be_changed(change: Callable[[Any], object]) -> None:
    """Whatever a list can do to itself, this one refuses."""
    value = freeze([1, 2])
    with pytest.raises((TypeError, AttributeError)):
        change(value)
    assert value == [1, 2]


@pytest.mark.parametrize("change", MAP_CHANGES.values(), ids=MAP_CHANGES)
def test_a_map_cannot_be_changed(change: Callable[[Any], object]) -> None:
    """Whatever a map can do to itself, this one refuses."""
    value = freeze({"a": 2})
    with pytest.raises((TypeError, AttributeError)):
        change(value)
    assert value == {"a": 2}


def is_frozen(value: Any) -> bool:
    """Return whether nothing in a value can change, looking at every part of it."""
    if isinstance(value, Message):
        return is_frozen(value.data)
    if type(value) is FrozenList:
        return all(map(is_frozen, value))
    if type(value) is FrozenDict:
        return all(type(key) is str and is_frozen(item) for key, item in value.items())
    return type(value) in (type(None), bool, int, float, str)


class Odd(dict[str, Any]):
    """A map of another class, with a list that could be changed inside it."""


class Number(int):
    """A number that could carry more than its value."""


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.text(max_size=5).map(Markup)
    | st.integers().map(Number)
    | st.integers(0, 5).map(range),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.lists(inner, max_size=4).map(FrozenList)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4)
        | st.dictionaries(st.text(max_size=5).map(Markup), inner, max_size=4)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4).map(Odd)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4).map(MappingProxyType)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4).map(FrozenDict)
        | inner.map(lambda data: Message("anna", "Anna", "hello", data))
    ),
    max_leaves=10,
)


@QUICK
@given(ANYTHING)
def test_nothing_that_can_change_gets_through(value: Any) -> None:
    """Every part is frozen, also what was put into frozen things or into a message by hand."""
    frozen = freeze(value)
    assert is_frozen(frozen)
    assert freeze(frozen) == frozen
    assert hash(freeze(value)) == hash(frozen)


@QUICK
@given(ANYTHING)
def test_the_constructors_freeze_too(value: Any) -> None:
    """A frozen list or map that is made by hand holds nothing that can change."""
    assert is_frozen(FrozenList([value]))
    assert is_frozen(FrozenDict({"a": value}))


@QUICK
@given(ANYTHING)
def test_copies(value: Any) -> None:
    """A copy is the thing itself; what is pickled comes back equal and as frozen."""
    frozen = FrozenList([value])
    assert copy.copy(frozen) is copy.deepcopy(frozen) is frozen
    again = pickle.loads(pickle.dumps(frozen))
    assert again == frozen
    assert is_frozen(again)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_json_lacks(value: float) -> None:
    """Nothing infinite, and nothing that is no number."""
    with pytest.raises(Unfreezable, match="is no JSON number"):
        freeze({"a": [value]})


@pytest.mark.parametrize(
    "value",
    [{1}, b"x", object(), len, (n for n in [1]), 1j, {1: 2}, {("a",): 1}],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_json(value: Any) -> None:
    """Sets, bytes, functions, generators, keys that are no text."""
    with pytest.raises(Unfreezable):
        freeze([value])


def nested(depth: int) -> Any:
    """Return so many lists inside one another."""
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_depth_is_bounded() -> None:
    """So many levels and no more, and no way around it through what is frozen already."""
    whole = freeze(nested(MAX_DEPTH))
    for deeper in (nested(MAX_DEPTH + 1), [whole], {"a": whole}, Message(data=[whole]), nested(100_000)):
        with pytest.raises(Unfreezable, match="nested too deeply"):
            freeze(deeper)


def test_hashes_heed_content_alone() -> None:
    """Equal values hash alike, whatever the order of their keys."""
    one, other = freeze({"a": [1], "b": {}}), freeze({"b": {}, "a": (1,)})
    assert one == other
    assert hash(one) == hash(other)


def test_a_message_stays_one() -> None:
    """It is kept as it is where its data are frozen, and made again where they were not."""
    message = Message("anna", "Anna", "hello", freeze([1]))
    assert freeze(message) is message
    mutable = Message("anna", "Anna", "hello", [[1]])
    assert freeze(mutable) == mutable
    assert isinstance(freeze(mutable).data, FrozenList)


def test_frozen_things_are_still_lists_and_maps() -> None:
    """For JSON, for templates and for whoever only reads."""
    value: Mapping[str, Any] = freeze({"a": (1, 2)})
    assert value == {"a": [1, 2]}
    assert isinstance(value["a"], list)
    assert [*value["a"], 3] == [1, 2, 3]
