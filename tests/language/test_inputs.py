"""Inputs: filled, read from words of a command line, held against their schemas."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_gc.errors import UsageError
from llm_gc.language.inputs import coerce, misfit, misfits, resolve
from llm_gc.values.frozen import FrozenList

QUICK = settings(max_examples=100, derandomize=True, deadline=None, database=None)

SCHEMAS: dict[str, dict[str, Any]] = {
    "task": {"type": "string", "minLength": 1, "description": "What to plan."},
    "rounds": {"type": "integer", "minimum": 1, "default": 3},
    "topics": {"type": "array", "items": {"type": "string"}, "default": ["a"]},
}


def wrong(given_: dict[str, Any], *, texts: bool = False, by_name: Any = (), schemas: Any = None) -> str:
    """Return what is said of inputs that will not do."""
    with pytest.raises(UsageError) as caught:
        resolve(schemas or SCHEMAS, given_, texts=texts, by_name=by_name)
    return str(caught.value)


def test_defaults_are_filled_in() -> None:
    """What is not given is as declared; what comes out cannot be changed."""
    values = resolve(SCHEMAS, {"task": "Plan."})
    assert values == {"task": "Plan.", "rounds": 3, "topics": ["a"]}
    assert isinstance(values["topics"], FrozenList)


def test_a_default_is_not_shared() -> None:
    """What is done with one run's inputs does not show in the next one's."""
    default = ["a"]
    values = resolve({"topics": {"type": "array", "default": default}}, {})
    default.append("b")
    assert values["topics"] == ["a"]


def test_everything_wrong_is_said_at_once() -> None:
    """Missing, unknown and unfit, each in a line of its own."""
    assert wrong({"rounds": 0, "topcis": []}).splitlines() == [
        "there is no input 'topcis'. Did you mean 'topics'?",
        "the input 'task' is missing (What to plan)",
        "the input 'rounds' does not fit: 0 is less than 1",
    ]


def test_a_command_line_is_told_its_option() -> None:
    """Only who types options is notified of them."""
    schemas: dict[str, dict[str, Any]] = {"how_long": {}}
    assert wrong({}, texts=True, schemas=schemas) == "the input 'how_long' is missing; give it as --how-long"
    named = wrong({}, texts=True, by_name={"how_long"}, schemas=schemas)
    assert named == "the input 'how_long' is missing; give it as --input how_long=…"
    assert wrong({}, schemas=schemas) == "the input 'how_long' is missing"


def test_an_unknown_input_is_answered_with_those_there_are() -> None:
    """Where no name is near, all of them are told."""
    assert "The inputs are task, rounds, topics." in wrong({"task": "x", "zzz": 1})
    with pytest.raises(UsageError, match=r"there is no input 'a'\. It has none\."):
        resolve({}, {"a": 1})


@pytest.mark.parametrize("value", [{1, 2}, b"x", math.nan, object(), {1: 2}])
def test_values_that_are_no_json(value: Any) -> None:
    """A program may give anything; what has no place in JSON is refused in words."""
    assert "the input 'any' does not fit: " in wrong({"any": value}, schemas={"any": {}})


def test_a_whole_number_is_a_whole_number() -> None:
    """3.0 fits an integer, and becomes one."""
    value = resolve(SCHEMAS, {"task": "x", "rounds": 3.0})["rounds"]
    assert (value, type(value)) == (3, int)


@pytest.mark.parametrize(
    ("text", "type_", "value"),
    [
        ("3", "integer", 3),
        ("-3", "integer", -3),
        ("3.0", "integer", 3.0),
        ("3.5", "integer", "3.5"),
        ("x", "integer", "x"),
        ("0.5", "number", 0.5),
        ("1e999", "number", "1e999"),
        ("NaN", "number", "NaN"),
        ("-Infinity", "number", "-Infinity"),
        ("true", "boolean", True),
        ("Yes", "boolean", True),
        ("no", "boolean", False),
        ("1", "boolean", "1"),
        ('["a", 1]', "array", ["a", 1]),
        ("[NaN]", "array", "[NaN]"),
        ('{"a": 1}', "object", {"a": 1}),
        ("null", "null", None),
        ("5", "string", "5"),
        ("null", "string", "null"),
        ("5", ["integer", "string"], 5),
        ("five", ["integer", "string"], "five"),
        ("[" * 100_000, "array", "[" * 100_000),
        ("9" * 5000, "integer", "9" * 5000),
    ],
)
def test_words_of_a_command_line(text: str, type_: Any, value: Any) -> None:
    """Read as what the schema asks for; left alone where they cannot be."""
    found = coerce(text, {"type": type_})
    assert (found, type(found)) == (value, type(value))


def test_words_are_read_only_where_words_are_given() -> None:
    """A program's text is a text."""
    assert resolve({"n": {"type": "integer"}}, {"n": "3"}, texts=True) == {"n": 3}
    assert "'3' is not of type integer" in wrong({"n": "3"}, schemas={"n": {"type": "integer"}})


VALUES = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0, 2.5, "", "a", "ab", "abc", [], [1], {}])
)
SIMPLE = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null"]),
        "minimum": st.integers(-2, 2),
        "maximum": st.integers(-2, 2),
        "minLength": st.integers(0, 2),
        "maxLength": st.integers(0, 2),
        "enum": st.lists(VALUES, min_size=1, max_size=3),
    },
)


@QUICK
@given(VALUES, SIMPLE)
def test_the_short_way_agrees_with_json_schema(value: Any, schema: dict[str, Any]) -> None:
    """The plain cases that are looked at without jsonschema come out as it has them."""
    from jsonschema import Draft202012Validator

    assert (misfit(value, schema) == "") == Draft202012Validator(schema).is_valid(value)


def test_the_long_way() -> None:
    """Whatever else a schema asks for is asked too."""
    schema = {"type": "array", "items": {"type": "string"}, "maxItems": 1}
    assert misfit(["a"], schema) == ""
    assert misfit([1], schema) == "1 is not of type string"


@pytest.mark.parametrize(
    ("value", "schema", "told"),
    [
        (1, {"type": ["string", "null"]}, "1 is not of type string or null"),
        (["x"], {"items": {"enum": ["y", "yy"]}}, "'x' is not one of y, yy"),
        ([9], {"items": {"maximum": 3}}, "9 is more than 3"),
        ([None], {"items": {"const": True}}, "nothing is not true"),
        ("x", {"pattern": "^a"}, "'x' does not match ^a"),
        ({"a": 1}, {"required": ["a", "b"]}, "the key 'b' is missing"),
        ({"naem": 1}, {"properties": {"name": {}}, "additionalProperties": False},
         "there is no key 'naem'. Did you mean 'name'?"),
        (3, {"exclusiveMinimum": 3}, "3 is not more than 3"),
        (3, {"exclusiveMaximum": 3}, "3 is not less than 3"),
        (5, {"multipleOf": 2}, "5 is no multiple of 2"),
        ([], {"minItems": 2}, "it has fewer items than 2"),
        ([1, 2], {"maxItems": 1}, "it has more items than 1"),
        ([1, 1], {"uniqueItems": True}, "it has the same item twice"),
        (True, {"anyOf": [{"type": "string"}, {"type": "null"}]}, "true fits none of the alternatives"),
        ([True], {"enum": [[1]], "items": {}}, "[True] is not one of [[1]]"),
        (4, {"not": {"const": 4}}, "4 should not be valid under {'const': 4}"),
    ],
)  # fmt: skip
def test_the_long_way_speaks_like_the_short_one(value: Any, schema: dict[str, Any], told: str) -> None:
    """What is looked at by jsonschema is told in the same words, and what has none of ours in its own."""
    assert misfit(value, schema) == told


def test_an_enum_asks_what_was_meant() -> None:
    """A near word is offered."""
    assert misfit("fsat", {"enum": ["fast", "slow"]}) == "'fsat' is not one of fast, slow. Did you mean 'fast'?"


@pytest.mark.parametrize(("value", "word"), [(None, "nothing"), (True, "true"), (False, "false")])
def test_values_are_told_as_they_are_written(value: Any, word: str) -> None:
    """Not in Python's words."""
    assert misfit(value, {"type": "string"}) == f"{word} is not of type string"


def test_where_in_a_value_something_does_not_fit() -> None:
    """Its place in a list or a map is told, of all that does not fit."""
    names = {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 2}]}}
    schema = {"type": "object", "properties": {"names": names}, "required": ["names", "a", "b"]}
    assert list(misfits({"names": ["a", 1, 2, []], "a": 3}, schema)) == [
        (("names", 1), "1 is less than 2"),
        (("names", 3), "[] fits none of the alternatives"),
        ((), "the key 'b' is missing"),
    ]
    assert [wrong for _, wrong in misfits({}, schema)] == [f"the key {key!r} is missing" for key in ("names", "a", "b")]
    assert list(misfits({"names": ["a"], "a": 1, "b": 2}, schema)) == []
    assert list(misfits(3, {"type": "string"})) == [((), "3 is not of type string")]
    assert list(misfits("3", {"type": "string"})) == []


def test_long_values_are_shown_shortly() -> None:
    """An error stays readable."""
    assert len(misfit("x" * 10_000, {"type": "integer"})) < 100
