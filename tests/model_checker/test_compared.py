"""What an expression holds its values against."""

from __future__ import annotations

from typing import Any

import pytest

from llm_gc.model_checker.boundary_values import Boundary, BoundaryValues
from llm_gc.model_checker.condition_vars import parsed

KNOWN: dict[str, list[Any]] = {
    "bar": [7],
    "each": [3, 5],
    "rules": [{"least": 70, "word": "go"}],
    "kinds": [["bug", "task"]],
}


def comparisons(expression: str) -> BoundaryValues:
    """Read an expression over what is known."""
    tree = parsed(expression, "expression")
    assert tree is not None
    return BoundaryValues(tree, KNOWN, frozenset({"bar", "rules", "kinds"}))


def met(expression: str) -> set[Any]:
    """Return the values alone."""
    return {one.value for one in comparisons(expression).met()}


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("x > 5", {5}),
        ("5 > x", {5}),
        ("-x > 5", {-5}),
        ("x > bar", {7}),
        ("x > each", {3, 5}),
        ("x >= rules.least", {70}),
        ("x == rules['word']", {"go"}),
        ("x in kinds", {"bug", "task"}),
        ("x in ['a', 'b']", {"a", "b"}),
        ("'yes' in x", {"yes"}),
        ("x + 2 > bar", {5}),
        ("bar - x > 2", {5}),
        ("x / 10 > 4", {40}),
        ("20 / x > 4", {5, 0}),
        ("2 * x + 1 > bar", {3}),
        ("x + y > 10", {10}),
        ("x > y + 5", {5}),
        ("x is gt(5)", {5}),
        ("x is divisibleby 3", {3}),
        ("x is odd", {2}),
        ("x | round | int == 7", {7}),
        ("x | abs > 4", {4, -4}),
        ("x | string == '3'", {"3", 3}),
        ("x | selectattr('kind', 'equalto', 'bug') | list", {"bug"}),
        ("x | select('gt', 5) | list", {5}),
        ("x.startswith('no')", {"no"}),
        ("{'a': 1, 'b': 2}[x]", {"a", "b"}),
        ("['a', 'b', 'c'][x]", {3}),
        ("1 / (x - 5)", {5}),
        ("x.role == 'anna'", set()),
        ("bar > 5", set()),
    ],
)
def test_what_it_changes_at(expression: str, values: set[Any]) -> None:
    """The comparison is solved for what a reply may change; what inputs alone decide is left out."""
    assert met(expression) == values


def test_lengths_are_told_apart_from_numbers() -> None:
    """So are items that a list must have."""
    assert list(comparisons("x | length > 3").met()) == [Boundary(3, "length")]
    assert list(comparisons("x[3]").met()) == [Boundary(3, "items")]


def test_a_number_may_be_read_out_of_a_text() -> None:
    """Then there are texts that say it, and its neighbours, as the regular expression reads it."""
    [plain, _] = comparisons("x | int > 5").met()
    assert list(plain.texts()) == ["4", "5", "6"]
    [read, *_] = comparisons("x | extract('score: ([0-9]+)') | int > 70").met()
    assert list(read.texts()) == ["score: 69", "score: 70", "score: 71"]


def test_what_cannot_be_solved_is_told() -> None:
    """Of what is computed so that no few values are enough."""
    for expression, beyond in (("x % 7 == 3", True), ("x * y == 12", True), ("x * 2 == 12", False), ("x == 3", False)):
        comparison = comparisons(expression)
        list(comparison.met())
        assert comparison.beyond is beyond
