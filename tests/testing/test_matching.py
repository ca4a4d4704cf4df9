"""Matching: what a value must be like, word by word."""

from __future__ import annotations

from typing import Any

import pytest

from llm_gc.protocol import Message
from llm_gc.testing.comparing import matched, same, unwrapped
from llm_gc.transcript.cases import MatchSpec, as_match
from llm_gc.values.frozen import freeze


@pytest.mark.parametrize(
    ("match", "holds", "fails"),
    [
        ({"equals": "ab"}, ["ab"], ["a", "abc", "", 3]),
        ({"equals": None}, [None], ["", 0]),
        ({"equals": {"a": [1]}}, [{"a": [1]}, {"a": [1.0]}], [{"a": [True]}, {"a": [1], "b": 2}, {"a": []}]),
        ({"contains": "b"}, ["b", "abc"], ["", "ac", "B"]),
        ({"contains": ["a", "b"]}, ["ab", "ba"], ["a", "b"]),
        ({"lacks": "b"}, ["", "ac"], ["b", "abc"]),
        ({"lacks": ["a", "b"]}, ["c"], ["ca", "cb"]),
        ({"starts": "ab"}, ["ab", "abc"], ["", "a", "cab"]),
        ({"ends": "ab"}, ["ab", "cab"], ["", "b", "abc"]),
        ({"matches": "^b.$"}, ["bc"], ["b", "abc", "b\n"]),
        ({"starts": "a", "ends": "c", "lacks": "b"}, ["ac"], ["abc", "a", "c"]),
        ({"contains": "a"}, [Message(content="ab", data=3)], [Message(content="b"), 3, None, ["a"]]),
    ],
)
def test_what_holds_of_what(match: dict[str, Any], holds: list[Any], fails: list[Any]) -> None:
    """All that is given must hold, and what does not is told."""
    words = MatchSpec.model_validate(match)
    assert [value for value in holds if list(matched("it", words, freeze(value), ()))] == []
    assert [value for value in fails if not list(matched("it", words, freeze(value), ()))] == []


def test_each_word_that_does_not_hold_is_told_at_its_place() -> None:
    """Of several, every one; of a list, its item."""
    words = MatchSpec.model_validate({"contains": ["a", "x", "y"], "starts": "b", "lacks": "a"})
    assert [one.path for one in matched("it", words, "a", ("p",))] == [
        ("p", "contains", 1), ("p", "contains", 2), ("p", "lacks"), ("p", "starts"),
    ]  # fmt: skip


def test_values_are_the_same_as_json_has_it() -> None:
    """Whole numbers and others alike; a truth is no number, however deep."""
    assert same({"a": [1, 2.0]}, {"a": [1.0, 2]})
    assert not same([True], [1])
    assert not same({"a": {"b": False}}, {"a": {"b": 0}})
    assert not same([1], [1, 2])
    assert not same("1", 1)


def test_a_message_is_what_was_expected_of_it() -> None:
    """Its content for a text, its data for anything else; where it has no data, its content."""
    message = Message(content="text", data={"a": 1})
    assert unwrapped(message, "x") == "text"
    assert unwrapped(message, {"a": 1}) == {"a": 1}
    assert unwrapped(Message(content="text"), {"a": 1}) == "text"
    assert unwrapped([message, message], ["x", {}]) == ["text", {"a": 1}]
    assert unwrapped({"m": message}, {"m": "x"}) == {"m": "text"}


def test_which_maps_say_what_a_value_is_like() -> None:
    """Those of a match's words alone."""
    assert as_match({"contains": "a"}) == MatchSpec.model_validate({"contains": "a"})
    assert [as_match(value) for value in ({}, {"contains": "a", "b": 1}, "contains", ["a"], None)] == [None] * 5
