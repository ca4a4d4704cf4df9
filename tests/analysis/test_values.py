"""What a name can hold, and what an expression over it can give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from llm_gc.analysis.value_types import (
    MANY,
    SILENT,
    UNKNOWN,
    Value,
    choices,
    evaluated,
    message,
    properties,
    step_into,
    union,
)
from llm_gc.templates import Templates

SCORE: dict[str, Any] = {"type": "object", "properties": {"score": {"type": "integer"}}, "required": ["score"]}
NEXT: dict[str, Any] = {
    "type": "object",
    "properties": {"next": {"enum": ["ben", "carl"], "default": "ben"}, "perhaps": {"const": "dora"}},
    "required": ["next"],
}


def test_a_union_knows_no_more_than_its_parts() -> None:
    """The schemas of all of them; nothing where one is not known, is of another kind, or where they are many."""
    both = union([message([SCORE]), message([NEXT]), message([SCORE])])
    assert both.schemas == (SCORE, NEXT)
    assert union([message([SCORE]), SILENT]).absent
    assert union([message([SCORE]), UNKNOWN]) is UNKNOWN
    assert union([message([SCORE]), Value("list")]) is UNKNOWN
    assert union([]) is UNKNOWN
    assert union(message([{"type": "object", "n": n}]) for n in range(MANY + 1)) is UNKNOWN
    lists = union([Value("list", item=both), Value("list", item=SILENT)])
    assert lists.item is not None
    assert lists.item.schemas == (SCORE, NEXT, None)


@pytest.mark.parametrize(
    ("schema", "names"),
    [
        (SCORE, ["score"]),
        ({**SCORE, "additionalProperties": False}, ["score"]),
        ({**SCORE, "additionalProperties": True}, None),
        ({**SCORE, "allOf": []}, None),
        ({**SCORE, "patternProperties": {}}, None),
        ({"type": "object"}, None),
        ({"type": ["object", "null"], "properties": {}}, None),
        (None, None),
    ],
)
def test_the_properties_that_an_object_can_have(schema: Any, names: list[str] | None) -> None:
    """Where its schema lets no others are."""
    found = properties(schema)
    assert (None if found is None else list(found)) == names


def test_attributes_and_items() -> None:
    """Of a message, its data and a list."""
    assert step_into(message([SCORE]), "content") is UNKNOWN
    assert step_into(step_into(message([SCORE]), "data"), "score").schemas == ({"type": "integer"},)
    assert step_into(step_into(message([SCORE]), "data"), "other") is UNKNOWN
    assert step_into(step_into(message([None]), "data"), "score") is UNKNOWN
    assert step_into(Value("list", item=SILENT), "") is SILENT
    assert step_into(Value("list", item=SILENT), "length") is UNKNOWN
    assert step_into(Value("data", ({"type": "array", "items": SCORE},)), "").schemas == (SCORE,)
    assert step_into(Value("data", ({"type": "array"},)), "") is UNKNOWN


def resolve(words: Sequence[str]) -> Value:
    """Know two messages and a list of one."""
    value = {"verdict": message([NEXT]), "score": message([SCORE]), "all": Value("list", item=message([NEXT]))}
    found = value.get(words[0], UNKNOWN)
    for word in words[1:]:
        found = step_into(found, word)
    return found


@pytest.mark.parametrize(
    ("expression", "given"),
    [
        ("'ben'", {"ben"}),
        ("none", {None}),
        ("1", None),
        ("verdict.data.next", {"ben", "carl"}),
        ("verdict.data.perhaps", {"dora", None}),
        ("verdict.data.perhaps or 'emil'", {"dora", "emil"}),
        ("verdict.data['next'] if x else 'emil'", {"ben", "carl", "emil"}),
        ("'ben' if x", {"ben", None}),
        ("'ben' if x else y", None),
        ("y or 'ben'", None),
        ("score.data.score", None),
        ("verdict.content", None),
        ("verdict.data.next | upper", None),
        ("all[0].data.next", {"ben", "carl"}),
    ],
)
def test_the_texts_that_an_expression_can_give(expression: str, given: set[str | None] | None) -> None:
    """By what is written there, and by the schemas of data; None where nobody can tell."""
    assert choices(Templates().expression(expression).sole, resolve) == given


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("verdict", "message"),
        ("verdict or score", "message"),
        ("verdict if x else score", "message"),
        ("verdict if x", "unknown"),
        ("verdict.data", "data"),
        ("all | select | list", "list"),
        ("all | map('upper')", "unknown"),
        ("verdict | select", "unknown"),
        ("f(x).y", "unknown"),
        ("x + 1", "unknown"),
    ],
)
def test_what_an_expression_gives(expression: str, kind: str) -> None:
    """A name, one of two, or a list gone through a filter that keeps its items."""
    assert evaluated(Templates().expression(expression).sole, resolve).kind == kind
