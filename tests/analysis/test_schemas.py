"""JSON Schemas that authors write: what is wrong with them, and that what is not told of never fails later."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from llm_gc.analysis.author_schemas import KEYWORDS, problems, target

QUICK = settings(max_examples=300, derandomize=True, deadline=None, database=None)


def told(schema: Any) -> list[str]:
    """Return all that is wrong with a schema, each with its path."""
    return [f"{'.'.join(map(str, p.path))}: {p.message}. {p.hint}".rstrip(" .") for p in problems(schema, ())]


RIGHT: list[Any] = [
    {},
    True,
    {"type": ["string", "null"], "description": "x", "default": "y"},
    {"type": "object", "properties": {"type": {"type": "string"}, "$ref": {"enum": [1]}}, "required": ["type"]},
    {"$defs": {"tree": {"properties": {"left": {"$ref": "#/$defs/tree"}}}}, "$ref": "#/$defs/tree"},
    {"items": {"$ref": "#"}},
    {"properties": {"a": {"$ref": "#/properties/b"}, "b": {"type": "string"}}},
    {
        "allOf": [{"$ref": "#/$defs/a"}],
        "$defs": {"a": {"anyOf": [{"type": "string"}, {"items": {"$ref": "#/$defs/a"}}]}},
    },
    {"$defs": {"a/b": {"type": "string"}}, "$ref": "#/$defs/a~1b"},
    {"prefixItems": [{"type": "string"}], "items": False},
    {"x-mine": 3, "pattern": "^a+$", "enum": [None], "const": {"type": 3}},
    {"default": {"type": "integr", "pattern": "("}},
]


@pytest.mark.parametrize("schema", RIGHT, ids=str)
def test_what_is_right(schema: Any) -> None:
    """Properties may be called like keywords, references may go round by way of a part."""
    assert told(schema) == []


TYPES = "The types are string, integer, number, boolean, array, object, null"
NOWHERE = "leads to no schema in here; write for example #/$defs/name"
NO_WORD = "is no keyword of JSON Schema"
CIRCLE = {"a": {"not": {"$ref": "#/$defs/b"}}, "b": {"if": {"$ref": "#/$defs/a"}}}

WRONG: list[tuple[Any, str]] = [
    ({"type": "integr"}, "type: 'integr' is no type of JSON Schema. Did you mean 'integer'?"),
    ({"type": "text"}, f"type: 'text' is no type of JSON Schema. {TYPES}"),
    ({"type": 3}, f"type: 3 is no type of JSON Schema. {TYPES}"),
    ({"type": ["string", "nul"]}, "type.1: 'nul' is no type of JSON Schema. Did you mean 'null'?"),
    ({"descripton": "x"}, f"descripton: 'descripton' {NO_WORD}. Did you mean 'description'?"),
    ({"items": {"typ": "string"}}, f"items.typ: 'typ' {NO_WORD}. Did you mean 'type'?"),
    ({"properties": {"a": {"minimun": 1}}}, f"properties.a.minimun: 'minimun' {NO_WORD}. Did you mean 'minimum'?"),
    ({"anyOf": [{}, {"zzz": 1}]}, f"anyOf.1.zzz: 'zzz' {NO_WORD}"),
    (
        {"verdict": {"type": "string"}},
        f"verdict: 'verdict' {NO_WORD}. The schemas of properties belong under 'properties'",
    ),
    ({"$id": "http://x"}, f"$id: '$id' {NO_WORD}"),
    ({"$dynamicRef": "#"}, f"$dynamicRef: '$dynamicRef' {NO_WORD}"),
    ({"pattern": "("}, "pattern: '(' is no regular expression: missing ), unterminated subpattern at position 0"),
    (
        {"patternProperties": {"[": {}}},
        "patternProperties.[: '[' is no regular expression: unterminated character set at position 0",
    ),
    ({"minimum": "two"}, "minimum: 'two' was given in 'minimum', and a number was expected"),
    ({"required": "a"}, "required: 'a' was given in 'required', and a list was expected. Write it as a list: [a]"),
    ({"properties": []}, "properties: an empty list was given in 'properties', and a map was expected"),
    ({"properties": {"a": 3}}, "properties.a: 3 was given in 'properties.a', and a map or true or false was expected"),
    ({"anyOf": []}, "anyOf: 'anyOf' is an empty list, and needs an item"),
    ({"maxLength": -1}, "maxLength: -1 was given in 'maxLength', and at least 0 was expected"),
    ({"$ref": "#/$defs/x"}, f"$ref: '#/$defs/x' {NOWHERE}"),
    ({"$ref": "https://example.org/x"}, f"$ref: 'https://example.org/x' {NOWHERE}"),
    ({"$ref": "other.json"}, f"$ref: 'other.json' {NOWHERE}"),
    ({"$ref": "#/const", "const": {"type": "string"}}, f"$ref: '#/const' {NOWHERE}"),
    ({"$ref": "#"}, "$ref: '#' leads back to itself, without end"),
    ({"allOf": [{"$ref": "#"}]}, "allOf.0.$ref: '#' leads back to itself, without end"),
    ({"$ref": "#/$defs/a", "$defs": CIRCLE}, "$defs.a.not.$ref: '#/$defs/b' leads back to itself, without end"),
]


@pytest.mark.parametrize(("schema", "message"), WRONG, ids=str)
def test_what_is_wrong(schema: Any, message: str) -> None:
    """Each at its place, in words."""
    assert told(schema) == [message]


def test_everything_is_told_at_once() -> None:
    """As far as words go."""
    assert len(told({"typ": 1, "properties": {"a": {"type": "x"}, "b": {"pattern": "("}}})) == 3


def test_what_a_reference_leads_to() -> None:
    """Through maps and lists, with escapes; nothing, where it leads nowhere."""
    root = {"$defs": {"a/b~c d": {"anyOf": [{}, {"type": "string"}]}}}
    assert target("#", root) is root
    assert target("#/$defs/a~1b~0c%20d/anyOf/1", root) == {"type": "string"}
    for ref in ("#/$defs/x", "#/$defs/a~1b~0c%20d/anyOf/2", "#/$defs/a~1b~0c%20d/anyOf/x", "x", "", "#x/y"):
        assert target(ref, root) is None


LEAVES: list[Any] = [
    {}, True, False, {"type": "string"}, {"type": "array"}, {"$ref": "#"}, {"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"},
    {"$ref": "#/properties/a"}, {"$ref": "#/nothing"}, {"pattern": "a+"}, {"pattern": "("}, {"enum": [1]},
    {"minimum": 1}, {"minLength": 1}, {"required": ["a"]},
]  # fmt: skip
ONE = st.sampled_from(["items", "not", "if", "then", "additionalProperties", "contains", "propertyNames"])
MANY = st.sampled_from(["anyOf", "allOf", "oneOf", "prefixItems"])
MAPS = st.sampled_from(["properties", "$defs", "patternProperties"])
SMALL: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: (
        st.dictionaries(ONE, inner, max_size=2)
        | st.dictionaries(MANY, st.lists(inner, min_size=1, max_size=2), max_size=1)
        | st.dictionaries(MAPS, st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2), max_size=2)
    ),
    max_leaves=6,
)
VALUES: list[Any] = [None, True, 1, "a", "", [], [[], "a"], {}, {"a": {"a": {}}, "b": [1]}]


@QUICK
@given(SMALL)
def test_a_schema_of_which_nothing_is_told_never_fails(schema: Any) -> None:
    """Whatever a model says is held against it without an error, and without an end that does not come."""
    if told(schema):
        return
    validator = Draft202012Validator(schema)
    for value in VALUES:
        validator.is_valid(value)


def test_every_keyword_is_known() -> None:
    """Those of the draft that may be used here, and no other."""
    metas = ["core", "applicator", "unevaluated", "validation", "meta-data", "format-annotation", "content"]
    registry: Any = importlib.import_module("jsonschema_specifications").REGISTRY
    known: set[str] = set()
    for meta in metas:
        known |= set(registry.contents(f"https://json-schema.org/draft/2020-12/meta/{meta}")["properties"])
    anchors = {"$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$vocabulary"}
    assert known - anchors | {"definitions"} == KEYWORDS
