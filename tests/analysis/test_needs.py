"""How large a context window a role can need: by the bounds of inputs and replies, not by their values."""

from __future__ import annotations

from typing import Any

import pytest

from llm_gc.analysis.window_needs import ITEMS, MOST_TEXT, TEXT, largest, needs
from tests.talks import pipeline


def of(turns: list[Any], **keys: Any) -> dict[str, int]:
    """What the roles of such a pipeline can need."""
    return needs(pipeline(turns, **keys), {}, {})


@pytest.mark.parametrize(
    ("schema", "size"),
    [
        ({"type": "string", "maxLength": 10}, 10),
        ({"type": "string", "maxLength": 10, "default": "a"}, 10),
        ({"type": "string"}, TEXT),
        ({"type": "string", "default": "a" * 5000}, 5000),
        ({"type": "string", "maxLength": 10**12}, MOST_TEXT),
        ({"enum": ["no", "perhaps"]}, 7),
        ({}, TEXT),
    ],
)
def test_the_largest_text(schema: dict[str, Any], size: int) -> None:
    """As long as its bound, else of an ordinary length, and no shorter than its default."""
    assert len(largest(schema)) == size


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 9, "default": 3}, 9),
        ({"type": "integer", "minimum": 1, "default": 3}, 3),
        ({"type": "integer", "minimum": 2}, 2),
        ({"type": "number"}, 1),
        ({"type": "boolean"}, True),
        ({"const": 4}, 4),
        ({"type": ["integer", "null"], "maximum": 5}, 5),
        ({"type": "array", "items": {"type": "integer", "maximum": 7}, "maxItems": 2}, [7, 7]),
        ({"type": "array", "items": {"const": 1}}, [1] * ITEMS),
        ({"type": "array", "items": {"const": 1}, "default": [1] * 9}, [1] * 9),
        ({"type": "object", "properties": {"a": {"const": 1}}}, {"a": 1}),
    ],
)
def test_the_largest_value(schema: dict[str, Any], value: Any) -> None:
    """Its bound, else its default."""
    assert largest(schema) == value


def test_what_is_heard_and_the_reply_count_together() -> None:
    """A role that hears ten replies of 500 tokens needs room for all of them, and for its own."""
    turns = [{"repeat": ["anna"], "times": 10}, "ben"]
    found = of(turns, roles={"anna": {"max_tokens": 500}, "ben": {"max_tokens": 700}})
    assert 5700 < found["ben"] < 6000
    assert 5000 < found["anna"] < 5300


def test_the_bounds_of_inputs_count_and_not_their_values() -> None:
    """Rounds, and the length of what is in the opening."""
    rounds = {"rounds": {"type": "integer", "maximum": 20, "default": 1}}
    loop = [{"repeat": ["anna", "ben"], "times": "{{ rounds }}"}]
    roles = {name: {"max_tokens": 100} for name in ("anna", "ben")}
    assert of(loop, roles=roles, inputs=rounds)["ben"] > 39 * 100
    task = {"task": {"type": "string", "maxLength": 40_000, "default": "x"}}
    assert of(["anna"], roles=roles, inputs=task, opening="{{ task }}")["anna"] > 10_000


def test_a_role_that_sees_less_needs_less() -> None:
    """And one that never speaks needs nothing."""
    turns = [{"repeat": ["anna"], "times": 20}, {"say": "ben", "sees": {"from": "all", "last": 1}}]
    found = of(turns, roles={name: {"max_tokens": 100} for name in ("anna", "ben", "cleo")})
    assert found["ben"] < 300
    assert "cleo" not in found


def test_a_loop_without_end_is_followed_up_to_the_limit() -> None:
    """A hundred turns where nobody says anything else; windows that are declared end nothing here."""
    roles = {"anna": {"max_tokens": 100, "num_ctx": 512}, "ben": {"max_tokens": 100}}
    loop = [{"repeat": ["anna", "ben"]}]
    assert of(loop, roles=roles)["ben"] > 99 * 100
    assert of(loop, roles=roles, limits={"max_turns": 6})["ben"] < 800
