"""What an expression holds its values against, and at which of them it may give something else.

A comparison is solved for what is not known: ``score / 10 > threshold`` changes where a score is ten times the
threshold. What cannot be solved so is told apart, since then no values prove that it never holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice, pairwise, product
from random import Random
from typing import Any, Literal, NamedTuple

from jinja2 import nodes

from llm_gc.backends.sampling import matching
from llm_gc.values import regex

_NAMES_OF_PEOPLE = ("role", "label", "name")
"""Attributes that hold a role's name: no reply changes them."""

_TEXT_METHODS = ("startswith", "endswith", "count", "find", "index", "split")

_LENGTHS = ("length", "count")

_SAME = frozenset((
    "abs", "d", "default", "first", "float", "int", "last", "list", "lower", "max", "mean", "median", "min", "round",
    "string", "sum", "trim", "upper",
))  # fmt: skip
"""Filters that give about what they are given, or one of it."""

_ORDERS = frozenset((
    "eq", "equalto", "==", "ne", "!=", "gt", "greaterthan", ">", "ge", ">=", "lt", "lessthan", "<", "le", "<=",
    "divisibleby", "sameas", "in",
))  # fmt: skip
"""Tests with a value beside what they test."""

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")

_MOST = 12
"""So many values are looked at where one of several may be."""


class Boundary(NamedTuple):
    """A value that something is held against: it itself, a length, that of a list, or a number read out of a text.

    ``pattern`` is the regular expression by which it is read.
    """

    value: Any
    what: Literal["value", "length", "items", "read"] = "value"
    pattern: str | None = None

    def texts(self) -> Iterator[str]:
        """Yield texts at which a number that is read out of them changes something."""
        for number in (self.value - 1, self.value, self.value + 1):
            if self.pattern is None:
                yield f"{number:g}"
            elif (found := _speaking(self.pattern, f"{number:g}")) is not None:
                yield found


class BoundaryValues:
    """The comparisons of one text, over what is known. ``fixed`` are the names that no reply changes.

    ``compares`` says whether two values are held against one another that nobody knows, ``beyond`` whether something
    is computed that cannot be solved.
    """

    def __init__(self, tree: nodes.Template, known: Mapping[str, Sequence[Any]], fixed: frozenset[str]) -> None:
        """Take a text that was read."""
        self._tree, self._known, self._fixed = tree, known, fixed
        self.compares = self.beyond = False

    def met(self) -> Iterator[Boundary]:
        """Yield what values are held against."""
        for compare in self._tree.find_all(nodes.Compare):
            yield from self._compare(compare)
        for test in self._tree.find_all(nodes.Test):
            yield from self._test(test)
        for one in self._tree.find_all(nodes.Filter):
            yield from self._filter(one)
        for item in self._tree.find_all(nodes.Getitem):
            yield from self._item(item)
        for division in self._tree.find_all((nodes.Div, nodes.FloorDiv, nodes.Mod)):
            yield from self._against(division.right, [0])
        for call in self._tree.find_all(nodes.Call):
            if isinstance(call.node, nodes.Getattr) and call.node.attr in _TEXT_METHODS:
                yield from (Boundary(text) for text in _strings(call.args))

    def _compare(self, compare: nodes.Compare) -> Iterator[Boundary]:
        operands = [compare.expr, *(operand.expr for operand in compare.ops)]
        fixed = any(isinstance(one, (nodes.Const, nodes.List)) for one in operands)
        self.compares |= not fixed and any(operand.op in ("eq", "ne") for operand in compare.ops)
        if any(isinstance(one, nodes.Getattr) and one.attr in _NAMES_OF_PEOPLE for one in operands):
            return
        for left, right in pairwise(operands):
            values = [*self._each(right), *self._each(left)]
            yield from self._against(left, self._each(right))
            yield from self._against(right, self._each(left))
            if not values:  # one of two that nobody knows may be next to nothing
                yield from self._numbers(left, right)

    def _against(self, node: nodes.Expr, values: Iterable[Any]) -> Iterator[Boundary]:
        if not {name.name for name in _names(node)} <= self._fixed:
            for value in values:
                yield from self._solved(node, value)

    def _each(self, node: nodes.Expr) -> list[Any]:
        """Return the values that may be on one side; of a list, its items."""
        found = self._values(node)
        return [item for value in found for item in (value if isinstance(value, (list, tuple)) else [value])]

    def _numbers(self, *sides: nodes.Expr) -> Iterator[Boundary]:
        for side in sides:
            for const in side.find_all(nodes.Const):
                if isinstance(const.value, (int, float)) and not isinstance(const.value, bool):
                    yield Boundary(const.value)

    def _test(self, test: nodes.Test) -> Iterator[Boundary]:
        if test.name in ("even", "odd"):
            yield Boundary(2)
        elif test.name in _ORDERS:
            for argument in test.args:
                yield from self._against(test.node, self._each(argument))

    def _filter(self, one: nodes.Filter) -> Iterator[Boundary]:
        """Yield what a filter tests the items of a list by, after the attribute and the name of the test."""
        first = {"select": 1, "reject": 1, "selectattr": 2, "rejectattr": 2}.get(one.name)
        for argument in one.args[first:] if first else ():
            yield from (Boundary(value) for value in self._each(argument))

    def _item(self, item: nodes.Getitem) -> Iterator[Boundary]:
        """Yield the keys of a map and the length of a list that are known, where what is asked for is not."""
        if isinstance(item.arg, nodes.Const) and isinstance(item.arg.value, int):
            yield Boundary(item.arg.value, "items")
        if self._values(item.arg) or isinstance(item.arg, nodes.Slice):
            return
        if isinstance(item.node, nodes.Dict):
            yield from (Boundary(value) for pair in item.node.items for value in self._values(pair.key))
        elif isinstance(item.node, nodes.List):
            yield Boundary(len(item.node.items))
        for value in self._values(item.node)[:_MOST]:
            if isinstance(value, (list, tuple)):
                yield Boundary(len(value))
            elif isinstance(value, Mapping):
                yield from map(Boundary, value)

    def _solved(self, node: nodes.Expr, value: Any) -> Iterator[Boundary]:
        """Yield the values of what is not known in ``node`` at which it is ``value``."""
        if isinstance(value, str):
            yield Boundary(value)
            if isinstance(node, nodes.Filter) and node.name == "string" and _NUMBER.fullmatch(value):
                yield Boundary(float(value))
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield from self._solved_for(node, value)

    def _solved_for(self, node: nodes.Expr, value: float) -> Iterator[Boundary]:
        match node:
            case nodes.Neg():
                yield from self._solved(node.node, -value)
            case nodes.BinExpr():
                yield from self._inverted(node, value)
            case nodes.Filter() if node.node is not None:
                yield from self._filtered(node, node.node, value)
            case nodes.Name() | nodes.Getattr() | nodes.Getitem():
                yield Boundary(value)
            case _:
                self.beyond = True
                yield Boundary(value)

    def _filtered(self, filter_: nodes.Filter, inner: nodes.Expr, value: float) -> Iterator[Boundary]:
        """Yield the values of what goes into a filter at which ``value`` comes out."""
        if filter_.name in _LENGTHS:
            yield Boundary(value, "length")
            return
        if filter_.name in ("int", "float"):
            extracts = isinstance(inner, nodes.Filter) and inner.name == "extract"
            patterns = _strings(inner.args) if extracts else [None]  # type: ignore[attr-defined]  # it is a filter
            yield from (Boundary(value, "read", pattern) for pattern in patterns)
        if filter_.name == "abs":
            yield from self._solved(inner, -value)
        if filter_.name in _SAME:
            yield from self._solved(inner, value)
        else:
            yield Boundary(value)

    def _inverted(self, node: nodes.BinExpr, value: float) -> Iterator[Boundary]:
        lefts, rights = _numbers_of(self._values(node.left)), _numbers_of(self._values(node.right))
        self.beyond |= node.operator not in _INVERSES or (node.operator in "*/" and not lefts and not rights)
        of_left, of_right = _INVERSES.get(node.operator, (_itself, _itself))
        nothing = 1.0 if node.operator in "*/" else 0.0
        for other in rights or [nothing]:
            if not lefts and (found := of_left(value, other)) is not None:
                yield from self._solved(node.left, found)
        for other in lefts or [nothing]:
            if not rights and (found := of_right(value, other)) is not None:
                yield from self._solved(node.right, found)

    def _values(self, node: nodes.Node) -> list[Any]:
        """Return the values that may be somewhere, as far as what is known tells."""
        match node:
            case nodes.Const():
                return [node.value]
            case nodes.Name():
                return list(self._known.get(node.name, ()))
            case nodes.List() | nodes.Tuple():
                return [list(one) for one in islice(product(*map(self._values, node.items)), _MOST)]
            case nodes.Neg():
                return [-value for value in _numbers_of(self._values(node.node))]
            case nodes.BinExpr():
                sides = product(_numbers_of(self._values(node.left)), _numbers_of(self._values(node.right)))
                computed = (_computed(node.operator, left, right) for left, right in islice(sides, _MOST))
                return [value for value in computed if value is not None]
            case nodes.Getattr():
                return [value[node.attr] for value in self._maps(node.node) if node.attr in value]
            case nodes.Getitem() if isinstance(node.arg, nodes.Const):
                return [value[node.arg.value] for value in self._maps(node.node) if node.arg.value in value]
        return []

    def _maps(self, node: nodes.Node) -> list[Mapping[Any, Any]]:
        return [value for value in self._values(node) if isinstance(value, Mapping)]


def _itself(value: float, _: float) -> float:
    return value


_Inverse = Callable[[float, float], float | None]

_INVERSES: dict[str, tuple[_Inverse, _Inverse]] = {
    "+": (lambda value, other: value - other, lambda value, other: value - other),
    "-": (lambda value, other: value + other, lambda value, other: other - value),
    "*": (lambda value, other: value / other if other else None, lambda value, other: value / other if other else None),
    "/": (lambda value, other: value * other, lambda value, other: other / value if value else None),
}
"""For each operator: its left side from what comes out and the right one, and its right side from the left one."""


def _computed(operator: str, left: float, right: float) -> float | None:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/" if right:
            return left / right
    return None


def _numbers_of(values: Iterable[Any]) -> list[float]:
    return [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]


def _names(node: nodes.Node) -> list[nodes.Name]:
    return [*([node] if isinstance(node, nodes.Name) else []), *node.find_all(nodes.Name)]


def _strings(args: Iterable[nodes.Expr]) -> Iterator[str]:
    for arg in args:
        if isinstance(arg, nodes.Const) and isinstance(arg.value, str):
            yield arg.value


def patterns_of(tree: nodes.Template) -> list[str]:
    """Return the regular expressions by which a text looks into texts."""
    return [text for one in tree.find_all(nodes.Filter) if one.name == "extract" for text in _strings(one.args)]


def _speaking(pattern: str, number: str) -> str | None:
    """Return a text out of which a regular expression reads this number; None where none could be made up."""
    try:
        text = matching(pattern, Random(0))
        found = regex.compile(pattern).search(text)
        span = found.spans[min(len(found.spans) - 1, 1)] if found else None
        if span is None:
            return None
        spoken = text[: span[0]] + number + text[span[1] :]
        again = regex.compile(pattern).search(spoken)
    except regex.RegexError:
        return None
    return spoken if again and again[min(len(again.spans) - 1, 1)] == number else None
