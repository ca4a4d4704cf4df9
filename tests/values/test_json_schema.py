"""Values held against JSON Schemas: as jsonschema does, but in bounded time, and in one order."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from llm_gc.core import structured
from llm_gc.errors import TemplateError
from llm_gc.language.inputs import misfit, misfits
from llm_gc.values import json_schema, regex

NAMES = ("a", "b", "ab", "é1")
PATTERNS = ("^a", r"\d$", "b+", r"^\w{1,2}$")


def value_of(chance: Random, depth: int = 0) -> Any:
    """Generate a value."""
    kind = chance.randrange(9 if depth < 3 else 6)
    if kind < 6:
        return chance.choice([None, True, False, 0, 1, 1.0, 2.5, "", "a", "b1", "é", "aa"])
    if kind < 8:
        return {name: value_of(chance, depth + 1) for name in chance.sample(NAMES, chance.randint(0, 3))}
    return [value_of(chance, depth + 1) for _ in range(chance.randint(0, 4))]


def schema_of(chance: Random, depth: int = 0) -> Any:
    """Generate a schema of the keywords that are replaced, and of some that lead to them."""
    if depth > 3 or chance.random() < 0.1:
        return chance.choice([True, False, {"type": "string"}, {"type": ["object", "null"]}, {"$ref": "#"}])

    def inner() -> Any:
        return schema_of(chance, depth + 1)

    made: dict[str, Callable[[], Any]] = {
        "pattern": lambda: chance.choice(PATTERNS),
        "patternProperties": lambda: {pattern: inner() for pattern in chance.sample(PATTERNS, 2)},
        "additionalProperties": inner,
        "properties": lambda: {name: inner() for name in chance.sample(NAMES, 2)},
        "uniqueItems": lambda: True,
        "unevaluatedItems": inner,
        "unevaluatedProperties": inner,
        "dependentSchemas": lambda: {chance.choice(NAMES): inner()},
        "prefixItems": lambda: [inner()],
        "items": inner,
        "contains": inner,
        "anyOf": lambda: [inner(), inner()],
        "oneOf": lambda: [inner(), inner()],
        "allOf": lambda: [inner()],
        "if": inner,
        "then": inner,
        "else": inner,
        "not": inner,
        "minLength": lambda: 1,
        "enum": lambda: [0, "a", [1]],
    }
    return {key: made[key]() for key in chance.sample(sorted(made), chance.randint(1, 4))}


def told(errors: Any) -> list[tuple[str, str, str]]:
    """Return where each error is, the keyword, and what it says where jsonschema names nothing twice."""
    return sorted(
        (
            error.json_path,
            str(error.validator),
            "" if error.validator == "unevaluatedProperties" else str(error.message),
        )
        for error in errors
    )


def test_it_is_as_strict_as_jsonschema() -> None:
    """Made-up values over made-up schemas have the same errors."""
    chance, wrong = Random(1), 0
    for _ in range(1500):
        schema, value = schema_of(chance), value_of(chance)
        try:
            expected = told(Draft202012Validator(schema).iter_errors(value))
        except BaseException as error:  # # rpds, below jsonschema, panics where the recursion ends in it
            if isinstance(error, RecursionError) or type(error).__name__ == "PanicException":
                continue
            raise
        assert told(json_schema.errors(value, schema)) == expected, (schema, value)
        wrong += bool(expected)
    assert wrong > 300


SLOW = "^(a+)+$"
"""A pattern over which Python's engine takes longer than anybody can wait, for a text of forty characters."""


@pytest.mark.parametrize(
    "schema",
    [
        {"patternProperties": {SLOW: True}, "additionalProperties": {"type": "string"}},
        {"patternProperties": {SLOW: {"type": "string"}}, "unevaluatedProperties": {"type": "string"}},
        {"propertyNames": {"pattern": SLOW}},
        {"additionalProperties": {"pattern": SLOW}},
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "propertyNames": {"$ref": "#/$defs/name"},
         "$defs": {"name": {"$schema": "http://json-schema.org/draft-07/schema#", "pattern": SLOW}}},
        {"$defs": {"name": {"pattern": SLOW}}, "unevaluatedItems": False, "propertyNames": {"$ref": "#/$defs/name"}},
    ],
)  # fmt: skip
def test_no_pattern_backtracks(schema: Any) -> None:
    """Wherever a pattern is searched for, and whatever a ``$schema`` inside names."""
    text = "a" * 40 + "!"
    assert json_schema.errors({text: text, text * 2: 1}, schema)


NESTED = {
    "$defs": {
        "tree": {
            "anyOf": [
                {"properties": {"of": {"$ref": "#/$defs/tree"}}, "required": ["one"]},
                {"properties": {"of": {"$ref": "#/$defs/tree"}}, "required": ["other"]},
            ]
        }
    },
    "$ref": "#/$defs/tree",
}


def nested(depth: int) -> Any:
    """Return a map in a map in a map."""
    value: Any = {}
    for _ in range(depth):
        value = {"of": value}
    return value


def test_alternatives_in_a_circle_are_bounded() -> None:
    """The work doubles with each level, until it is given up."""
    assert json_schema.errors(nested(5), NESTED)
    with pytest.raises(json_schema.TooManyChecks, match="500,000 checks"):
        json_schema.errors(nested(50), NESTED)
    assert "takes more than 500,000 checks" in str(structured.parse(json.dumps(nested(50)), NESTED)[1])
    assert "takes more than 500,000 checks" in misfit(nested(50), NESTED)
    assert [path for path, _ in misfits(nested(50), NESTED)] == [()]


@pytest.mark.parametrize(
    "items",
    [
        [{"a": number} for number in range(30_000)],
        [[number] for number in range(30_000)],
        [number * (2**61 - 1) for number in range(30_000)],
        [*range(15_000), *map(str, range(15_000)), None, True],
    ],
    ids=["maps", "lists", "numbers of one hash", "mixed"],
)
def test_unique_items_are_not_compared_each_with_each(items: list[Any]) -> None:
    """Thirty thousand items are sorted, whatever they are."""
    assert not json_schema.errors(items, {"uniqueItems": True})
    assert json_schema.errors([*items, items[7]], {"uniqueItems": True})


def test_unevaluated_items_take_linear_time() -> None:
    """Which items were looked at is a set."""
    schema = {"allOf": [{"items": {"type": "integer"}}], "unevaluatedItems": False}
    assert not json_schema.errors(list(range(60_000)), schema)


def test_unequal_values_stay_unequal() -> None:
    """As in JSON, true is not 1, and 1.0 is."""
    assert not json_schema.errors([True, 1, "1", [1], [True], {"a": 1}, {"a": True}, None], {"uniqueItems": True})
    assert json_schema.errors([1, 1.0], {"uniqueItems": True})
    assert json_schema.errors([{"a": 1, "b": 2}, {"b": 2.0, "a": 1}], {"uniqueItems": True})


def test_many_errors_are_bounded() -> None:
    """They are not all kept where there are more than anybody could read."""
    assert len(json_schema.errors(["a"] * 10_000, {"items": {"type": "integer"}})) == 10_000
    with pytest.raises(json_schema.TooManyChecks):
        json_schema.errors(["a"] * 100_000, {"items": {"type": "integer"}})
    with pytest.raises(json_schema.TooManyChecks):  # each repeats all of the value
        json_schema.errors(["x" * 1000] * 1000, {"allOf": [{"type": "string"}] * 200})


def test_errors_come_in_the_order_of_the_value() -> None:
    """Two processes report the same first error of several."""
    code = (
        "from llm_gc.core.structured import parse\n"
        "print(parse('{\"x\": 1, \"y\": 2, \"z\": 3, \"w\": 4}', {'additionalProperties': {'type': 'string'}})[1])"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": n}
        ).stdout
        for n in "0123456"
    }
    assert len(said) == 1


def test_no_reference_leads_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a network nor a file is looked at for a schema."""
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: pytest.fail("something was opened"))
    for there in ("http://127.0.0.1:9/a.json", "file:///etc/hostname"):
        wrong = structured.parse("1", {"$ref": there})[1]
        assert wrong is not None
        assert "cannot be held against its schema" in wrong


def test_a_pattern_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an error of its author's, and no fault of the reply; a reply that is too long for it is one."""
    with pytest.raises(TemplateError, match=re.escape("'(?=a)' uses a look-ahead")):
        structured.parse('"a"', {"pattern": "(?=a)"})
    assert "uses a look-ahead" in misfit("a", {"pattern": "(?=a)"})
    monkeypatch.setattr(regex, "MAX_WORK", 10)
    assert "is too large for a text of" in str(structured.parse('"abcdef"', {"pattern": "a+b"})[1])
