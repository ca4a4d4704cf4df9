"""The stand-in's data: whatever schema a pipeline may ask for, what is made up fits it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from llm_gc.backends.rehearsal import make_up
from llm_gc.backends.sampling import matching, sample
from tests.talks import talk

TEXT = {"type": "string"}
TREE = {"type": "object", "properties": {"name": TEXT, "children": {"type": "array", "items": {"$ref": "#"}}},
        "required": ["name", "children"]}  # fmt: skip
LIST = {"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "required": ["value", "next"], "properties": {
    "value": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}}}}  # fmt: skip
TERM = {"$ref": "#/$defs/term", "$defs": {"term": {"oneOf": [
    {"type": "number"},
    {"type": "array", "prefixItems": [{"enum": ["+", "*"]}, {"$ref": "#/$defs/term"}, {"$ref": "#/$defs/term"}],
     "items": False, "minItems": 3}]}}}  # fmt: skip
REVIEW = {
    "type": "object",
    "properties": {
        "approved": {"type": "boolean"},
        "severity": {"enum": ["low", "medium", "high"]},
        "score": {"type": "integer", "minimum": 1, "maximum": 10},
        "findings": {
            "type": "array",
            "maxItems": 3,
            "items": {
                "type": "object",
                "properties": {"file": {"type": "string", "pattern": r"^[a-z_]+\.py$"}, "line": {"type": "integer"}},
                "required": ["file", "line"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["approved", "severity", "score", "findings"],
    "additionalProperties": False,
}

SCHEMAS: dict[str, dict[str, Any]] = {
    "nothing is said": {},
    "any object": {"type": "object"},
    "any array": {"type": "array"},
    "text": TEXT,
    "boolean": {"type": "boolean"},
    "null": {"type": "null"},
    "const": {"const": {"a": [1, None]}},
    "const null": {"const": None},
    "enum": {"enum": ["yes", "no", 3, None]},
    "enum of one type": {"type": "string", "enum": [1, 2, "three"]},
    "several types": {"type": ["string", "null"]},
    "several types, bounded": {"type": ["integer", "string"], "minimum": 5, "minLength": 3},
    "integer": {"type": "integer"},
    "integer from": {"type": "integer", "minimum": 100},
    "integer up to": {"type": "integer", "maximum": -100},
    "integer between": {"type": "integer", "minimum": 7, "maximum": 7},
    "integer strictly between": {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5},
    "integer strictly below": {"type": "integer", "exclusiveMaximum": 0},
    "integer between fractions": {"type": "integer", "minimum": 1.2, "maximum": 2.9},
    "integer multiple": {"type": "integer", "multipleOf": 7, "minimum": 20},
    "number": {"type": "number"},
    "number strictly between": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    "number in a small range": {"type": "number", "minimum": 1e-9, "maximum": 2e-9},
    "number below": {"type": "number", "maximum": -0.5},
    "number multiple": {"type": "number", "multipleOf": 0.1, "minimum": 0, "maximum": 1},
    "number multiple, strictly": {"type": "number", "multipleOf": 0.25, "exclusiveMinimum": 0, "maximum": 0.25},
    "number without a type": {"minimum": 10, "maximum": 12},
    "text of a length": {"type": "string", "minLength": 40, "maxLength": 40},
    "short text": {"type": "string", "maxLength": 3},
    "pattern, literal": {"type": "string", "pattern": "^APPROVED$"},
    "pattern, choice": {"type": "string", "pattern": "^(yes|no|may be)$"},
    "pattern, classes": {"type": "string", "pattern": r"^[A-Z]{3}-\d{4}$"},
    "pattern, counts": {"type": "string", "pattern": r"^v\d+(\.\d+){1,2}(?:-[a-z]+)?$"},
    "pattern, negated": {"type": "string", "pattern": r"^[^\s,;]+@[^\s]+$"},
    "pattern, of a length": {"type": "string", "pattern": "^[a-z ]*$", "minLength": 20, "maxLength": 30},
    "pattern, anywhere": {"type": "string", "pattern": r"\bend\b"},
    "pattern, escapes": {"type": "string", "pattern": r"^\[x\]\.\*\\$"},
    "date": {"type": "string", "format": "date"},
    "date and time": {"type": "string", "format": "date-time"},
    "email": {"type": "string", "format": "email"},
    "address": {"type": "string", "format": "ipv4"},
    "uuid": {"type": "string", "format": "uuid"},
    "array of a length": {"type": "array", "items": TEXT, "minItems": 5, "maxItems": 5},
    "empty array": {"type": "array", "items": TEXT, "maxItems": 0},
    "array of different": {"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 3, "uniqueItems": True},
    "array of many different": {"type": "array", "items": {"type": "integer"}, "minItems": 15, "uniqueItems": True},
    "array of different texts": {"type": "array", "items": TEXT, "minItems": 10, "uniqueItems": True},
    "tuple": {"type": "array", "prefixItems": [TEXT, {"type": "integer"}], "items": False, "minItems": 2},
    "tuple and more": {"type": "array", "prefixItems": [TEXT], "items": {"type": "integer"}, "minItems": 3},
    "array with": {"type": "array", "items": {"type": "integer"}, "contains": {"minimum": 90}, "minContains": 2},
    "required, not declared": {"type": "object", "required": ["what"]},
    "closed": {"type": "object", "properties": {"a": TEXT}, "additionalProperties": False},
    "a map of numbers": {"type": "object", "additionalProperties": {"type": "number"}, "minProperties": 2},
    "names by a pattern": {"type": "object", "propertyNames": {"pattern": "^[a-z]{2}$"}, "minProperties": 3},
    "properties by a pattern": {"type": "object", "patternProperties": {"^x_[a-z]+$": {"type": "integer"}},
                                "additionalProperties": False, "minProperties": 1},
    "at most so many": {"type": "object", "properties": {"a": TEXT, "b": TEXT, "c": TEXT}, "required": ["c"],
                        "maxProperties": 2},
    "forbidden property": {"type": "object", "properties": {"a": False, "b": TEXT}},
    "one needs another": {"properties": {"a": TEXT}, "required": ["a"], "dependentRequired": {"a": ["b"]}},
    "any of": {"anyOf": [TEXT, {"type": "integer", "minimum": 3}]},
    "one of": {"oneOf": [{"type": "integer", "multipleOf": 3}, {"type": "integer", "multipleOf": 5}], "minimum": 1},
    "one of, told apart": {"oneOf": [{"properties": {"kind": {"const": k}, k: TEXT}, "required": ["kind", k]}
                                     for k in ("cat", "dog")]},
    "any of, with siblings": {"type": "object", "properties": {"a": TEXT, "b": TEXT},
                              "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
    "all of": {"allOf": [{"type": "integer", "minimum": 3}, {"maximum": 3}]},
    "all of, objects": {"allOf": [{"properties": {"a": {"minLength": 2}}}, {"$ref": "#/$defs/x"}],
                        "$defs": {"x": {"properties": {"a": TEXT, "b": TEXT}, "required": ["a", "b"]}}},
    "all of any of": {"allOf": [{"anyOf": [TEXT, {"type": "integer"}]}, {"anyOf": [{"type": "null"}, TEXT]}]},
    "not": {"not": {"type": "string"}},
    "not this one": {"type": "integer", "minimum": 0, "maximum": 1, "not": {"const": 0}},
    "if then else": {"type": "object", "properties": {"kind": {"enum": ["a", "b"]}}, "required": ["kind"],
                     "if": {"properties": {"kind": {"const": "a"}}}, "then": {"required": ["x"]},
                     "else": {"required": ["y"]}},
    "definitions": {"type": "array", "items": {"$ref": "#/$defs/a~1b"}, "$defs": {"a/b": {"type": "boolean"}}},
    "a pointer into a list": {"allOf": [{"type": "integer"}], "$ref": "#/allOf/0"},
    "tree": TREE,
    "linked list": LIST,
    "terms": TERM,
    "review": REVIEW,
}  # fmt: skip


ASK = talk(["anna"]).pending[0]


def made_up(schema: dict[str, Any], seed: int) -> str:
    """Return what the stand-in says where a reply has this format."""
    return "".join(make_up(replace(ASK, format=schema, options={"seed": seed}), 1))


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_it_fits(schema: dict[str, Any]) -> None:
    """For each of some seeds, the data fits the schema, its formats too, and keeps to a bearable size."""
    judge = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    judge.check_schema(schema)
    for seed in range(8):
        text = made_up(schema, seed)
        judge.validate(json.loads(text))
        assert len(text) < 1000


@pytest.mark.parametrize("name", ["review", "tree", "pattern, classes", "array of many different"])
def test_the_same_chance_gives_the_same_data(name: str) -> None:
    """What is made up depends on the schema and the seed alone, and differs from seed to seed."""
    texts = [made_up(SCHEMAS[name], seed) for seed in range(20)]
    assert texts == [made_up(SCHEMAS[name], seed) for seed in range(20)]
    assert len(set(texts)) > 1


@pytest.mark.parametrize("name", ["review", "text", "integer", "tree", "any of, with siblings", "a map of numbers"])
def test_the_usual_fits_without_a_search(name: str) -> None:
    """What people write every day is followed, not guessed."""
    judge = Draft202012Validator(SCHEMAS[name])
    assert all(judge.is_valid(sample(SCHEMAS[name], Random(seed))) for seed in range(50))


@pytest.mark.parametrize("schema", [
    {"type": "integer", "minimum": 5, "maximum": 4},
    {"$ref": "#"},
    {"$ref": "#/nowhere"},
    {"$ref": "#/$defs/endless", "$defs": {"endless": {"properties": {"a": {"$ref": "#/$defs/endless"}},
                                                      "required": ["a"]}}},
    {"allOf": [{"type": "string"}, {"type": "integer"}]},
    {"enum": []},
    {"type": "array", "items": {"const": 1}, "minItems": 3, "uniqueItems": True},
])  # fmt: skip
def test_what_nothing_fits_comes_to_an_end(schema: dict[str, Any]) -> None:
    """A schema that nothing fits gives something all the same, and soon."""
    json.dumps(sample(schema, Random(1), daring=True))


def test_optional_properties_are_shown() -> None:
    """What may be there is there, so that a rehearsal shows all of a structure."""
    schema = {"type": "object", "properties": {"a": TEXT, "b": {"type": "integer"}}, "required": ["a"]}
    assert set(sample(schema, Random(1))) == {"a", "b"}


PATTERNS = [
    "", "abc", "^abc$", "a|b|cd", "^(a|b)c$", "[a-f0-9]{8}", r"\d{3}-\w+\s\S", "x?y*z+", "a{2,}", "a{2,4}b", "^$",
    "(?:ab){3}", "(?P<name>[A-Z])-[^A-Z]", r"[\d.]+", r"[\]\-x]", "[]a]", "[a-]", "a+?", "(a(b(c|d))){2}", "é+", ".",
    r"\(\)\{\}", r"\t\D\W",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_text_matches_its_pattern(pattern: str) -> None:
    """Whatever the chance and the count."""
    for count in range(6):
        assert re.search(pattern, matching(pattern, Random(count), count))


@pytest.mark.parametrize("pattern", ["(?=a)b", "(", "[", "a{", "*", "\\", ")", r"(a)\1", "[z-a]", "a{99999}"])
def test_a_pattern_that_is_not_understood_is_no_error(pattern: str) -> None:
    """Something is made up, and it ends."""
    assert len(matching(pattern, Random(1), 3)) < 100_001
