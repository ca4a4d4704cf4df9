"""What the pipeline's own conditions compare with: the numbers and words at which its course may change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jinja2 import Environment, TemplateSyntaxError, nodes

from llm_gc.drivers.explore.reads import words
from llm_gc.pipeline import Pipeline
from llm_gc.steps.set import Set
from llm_gc.templates import Templates
from llm_gc.texts import TextKind, models

_PARSER = Environment(autoescape=False)  # it parses, and renders nothing

_NAMES_OF_PEOPLE = ("role", "label", "name")
"""Attributes that hold a role's name: no reply changes them."""

_TEXT_METHODS = ("startswith", "endswith", "count", "find", "index", "split")


class Conditions:
    """The constants in deciding texts, and the words that each of these texts has."""

    def __init__(
        self,
        pipeline: Pipeline,
        deciding: Mapping[tuple[str, TextKind], Templates],
        inputs: Mapping[str, Any],
    ) -> None:
        """Read them; a name of an input stands for its value, and so does a variable that is set from such values.

        ``compares`` tells whether values are held against values.
        """
        self._known = dict(inputs)
        self.groups: list[frozenset[str]] = []
        self.patterns: list[str] = []
        self.compares = False
        self._numbers: list[tuple[frozenset[str], float]] = []
        self._texts: list[tuple[frozenset[str], str]] = []
        self._variables = _variables(pipeline)
        for name, expression in _set(pipeline):
            if self._known.get(name) is None:
                self._known[name] = self._worked_out(expression)
        for (text, kind), templates in deciding.items():
            source = templates.get(text, text)
            self._read(source, kind, self.closed(source))

    @property
    def words(self) -> frozenset[str]:
        """All words of deciding texts."""
        return frozenset().union(*self.groups)

    def numbers(self, name: str) -> list[float]:
        """Give the numbers with which texts compare that speak of this name, in ascending order."""
        return sorted({number for group, number in self._numbers if name in group})

    def texts(self, name: str | None = None) -> list[str]:
        """Give the texts with which the named is compared, or anything at all, in the order of the document."""
        return list(dict.fromkeys(text for group, text in self._texts if name is None or name in group))

    def closed(self, text: str) -> frozenset[str]:
        """Give the words of a text, with those of the variables that it speaks of, and so on."""
        known, new = frozenset[str](), words(text)
        while new:
            known |= new
            new = frozenset[str]().union(*(self._variables.get(word, frozenset()) for word in new)) - known
        return known

    def _read(self, source: str, kind: TextKind, group: frozenset[str]) -> None:
        self.groups.append(group)
        try:
            tree = _PARSER.parse(f"{{{{ {source} }}}}" if kind == "expression" else source)
        except TemplateSyntaxError:
            return
        for value in self._constants(tree):
            if isinstance(value, str):
                self._texts.append((group, value))
            else:
                self._numbers.append((group, value))
        filters = tree.find_all(nodes.Filter)
        self.patterns += [text for one in filters if one.name == "extract" for text in _strings(one.args)]

    def _constants(self, tree: nodes.Template) -> Iterator[Any]:
        for compare in tree.find_all(nodes.Compare):
            operands = [compare.expr, *(operand.expr for operand in compare.ops)]
            fixed = [one for one in operands if isinstance(one, (nodes.Const, nodes.List))]
            self.compares |= not fixed and any(operand.op in ("eq", "ne") for operand in compare.ops)
            if not any(isinstance(one, nodes.Getattr) and one.attr in _NAMES_OF_PEOPLE for one in operands):
                for operand in operands:
                    yield from self._values(operand)
        for call in tree.find_all(nodes.Call):
            if isinstance(call.node, nodes.Getattr) and call.node.attr in _TEXT_METHODS:
                yield from _strings(call.args)

    def _values(self, operand: nodes.Expr) -> Iterator[Any]:
        """Give what an operand stands for, as far as the inputs tell: a text, a number, each of a list."""
        if isinstance(operand, (nodes.List, nodes.Tuple)):
            for item in operand.items:
                yield from self._values(item)
            return
        value = self._value(operand)
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            yield value

    def _value(self, node: nodes.Expr) -> Any:
        match node:
            case nodes.Const():
                return node.value
            case nodes.Name():
                return self._known.get(node.name)
            case nodes.Neg():
                inner = self._value(node.node)
                return -inner if isinstance(inner, (int, float)) else None
            case nodes.BinExpr():
                return self._computed(node)
        return None

    def _worked_out(self, expression: Any) -> Any:
        """Give what a variable is set to, where it can be told before anybody has spoken."""
        if not isinstance(expression, str):
            return expression
        try:
            output = _PARSER.parse(f"{{{{ {expression} }}}}").find(nodes.Output)
        except TemplateSyntaxError:
            return None
        return self._value(output.nodes[0]) if output is not None else None

    def _computed(self, node: nodes.BinExpr) -> Any:
        left, right = self._value(node.left), self._value(node.right)
        if not all(isinstance(one, (int, float)) for one in (left, right)):
            return None
        match node.operator:
            case "+":
                return left + right
            case "-":
                return left - right
            case "*":
                return left * right
            case "/" if right:
                return left / right
        return None


def _variables(pipeline: Pipeline) -> dict[str, frozenset[str]]:
    """Give the words of the expressions by which each variable is set."""
    found: dict[str, frozenset[str]] = defaultdict(frozenset)
    for name, expression in _set(pipeline):
        if isinstance(expression, str):
            found[name] |= words(expression)
    return found


def _set(pipeline: Pipeline) -> Iterator[tuple[str, Any]]:
    """Give every variable that is set, with its expression."""
    for _, model in models(pipeline.turns):
        yield from model.set.items() if isinstance(model, Set) else ()


def _strings(args: Iterable[nodes.Expr]) -> Iterator[str]:
    for arg in args:
        if isinstance(arg, nodes.Const) and isinstance(arg.value, str):
            yield arg.value
