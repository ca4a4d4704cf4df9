"""What the pipelines' own conditions compare with: the numbers and words at which its course may change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jinja2 import Environment, TemplateSyntaxError, nodes

from llm_gc.drivers.explore.known import Known, known_in
from llm_gc.drivers.explore.liveness import Deciding
from llm_gc.drivers.explore.parts import Part
from llm_gc.protocol import Path
from llm_gc.texts import TextKind

_PARSER = Environment(autoescape=False)  # it parses, and renders nothing

_NAMES_OF_PEOPLE = ("role", "label", "name")
"""Attributes that hold a role's name: no reply changes them."""

_TEXT_METHODS = ("startswith", "endswith", "count", "find", "index", "split")


class Conditions:
    """The constants in deciding texts, and the words that each of these texts has."""

    def __init__(self, parts: Iterable[Part], deciding: Iterable[Deciding], inputs: Mapping[str, Any]) -> None:
        """Read them; a name of an input stands for its value, and so does a variable that is set from such values.

        ``compares`` tells whether values are held against values.
        """
        listed = list(parts)
        self._known = known_in(listed, inputs)
        self.groups: list[frozenset[str]] = []
        self.patterns: list[str] = []
        self.compares = False
        self._numbers: list[tuple[frozenset[str], float]] = []
        self._texts: list[tuple[frozenset[str], str]] = []
        templates = {part.path: part.templates for part in listed}
        for part, text, kind in deciding:
            source = templates[part].get(text, text)
            self._read(source, kind, self._known[part])

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

    def closed(self, text: str, part: Path) -> frozenset[str]:
        """Give the words of a pipeline's text, with those of the names that it speaks of, and so on."""
        return self._known[part].closed(text)

    def _read(self, source: str, kind: TextKind, known: Known) -> None:
        group = known.closed(source)
        self.groups.append(group)
        try:
            tree = _PARSER.parse(f"{{{{ {source} }}}}" if kind == "expression" else source)
        except TemplateSyntaxError:
            return
        for value in self._constants(tree, known.values):
            if isinstance(value, str):
                self._texts.append((group, value))
            else:
                self._numbers.append((group, value))
        filters = tree.find_all(nodes.Filter)
        self.patterns += [text for one in filters if one.name == "extract" for text in _strings(one.args)]

    def _constants(self, tree: nodes.Template, known: Mapping[str, Any]) -> Iterator[Any]:
        for compare in tree.find_all(nodes.Compare):
            operands = [compare.expr, *(operand.expr for operand in compare.ops)]
            fixed = [one for one in operands if isinstance(one, (nodes.Const, nodes.List))]
            self.compares |= not fixed and any(operand.op in ("eq", "ne") for operand in compare.ops)
            if not any(isinstance(one, nodes.Getattr) and one.attr in _NAMES_OF_PEOPLE for one in operands):
                for operand in operands:
                    yield from _values(operand, known)
        for call in tree.find_all(nodes.Call):
            if isinstance(call.node, nodes.Getattr) and call.node.attr in _TEXT_METHODS:
                yield from _strings(call.args)


def _values(operand: nodes.Expr, known: Mapping[str, Any]) -> Iterator[Any]:
    """Give what an operand stands for, as far as what is known tells: a text, a number, each of a list."""
    if isinstance(operand, (nodes.List, nodes.Tuple)):
        for item in operand.items:
            yield from _values(item, known)
        return
    value = _value(operand, known)
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        yield value


def _value(node: nodes.Expr, known: Mapping[str, Any]) -> Any:
    match node:
        case nodes.Const():
            return node.value
        case nodes.Name():
            return known.get(node.name)
        case nodes.Neg():
            inner = _value(node.node, known)
            return -inner if isinstance(inner, (int, float)) else None
        case nodes.BinExpr():
            return _computed(node, known)
    return None


def _computed(node: nodes.BinExpr, known: Mapping[str, Any]) -> Any:
    left, right = _value(node.left, known), _value(node.right, known)
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


def _strings(args: Iterable[nodes.Expr]) -> Iterator[str]:
    for arg in args:
        if isinstance(arg, nodes.Const) and isinstance(arg.value, str):
            yield arg.value
