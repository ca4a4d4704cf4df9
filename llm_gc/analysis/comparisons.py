"""Comparisons in templates and expressions that cannot turn out as their author means.

Two kinds are found. Operands whose types never meet: a message beside a text, a text beside ``true``, a text in small
letters beside one with capitals, a key that a map does not have. And an order (``<``, ``>=``) of data that are none
after a failed turn, which would fail the conversation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from jinja2 import nodes

from llm_gc.analysis.value_types import Resolve, Value, attribute_chain, evaluated, properties
from llm_gc.protocol import Path
from llm_gc.templates import column, parsed

Types = frozenset[str]

_TEXT_FILTERS = frozenset((
    "capitalize", "center", "escape", "extract", "format", "indent", "join", "lower", "replace", "string", "striptags",
    "title", "tojson", "trim", "truncate", "upper", "wordwrap",
))  # fmt: skip
_NUMBER_FILTERS = frozenset(("abs", "count", "float", "int", "length", "round", "wordcount"))
_OF_MESSAGE: dict[str, Types] = {
    **dict.fromkeys(("content", "label", "role", "heard"), frozenset({"text"})),
    "failed": frozenset({"truth value"}),
    "error": frozenset({"text", "nothing"}),
    "turn": frozenset({"number", "nothing"}),
}
_OF_SCHEMA = {"string": "text", "integer": "number", "number": "number", "boolean": "truth value", "null": "nothing",
              "array": "list", "object": "map"}  # fmt: skip
_ORDER = ("lt", "lteq", "gt", "gteq")
_SIGNS = {"eq": "==", "ne": "!=", "lt": "<", "lteq": "<=", "gt": ">", "gteq": ">="}


class Compared(NamedTuple):
    """A comparison of two operands, and the conditions under which it is evaluated at all."""

    left: nodes.Node
    op: str
    right: nodes.Node
    guards: tuple[nodes.Node, ...]


@dataclass(slots=True)
class Suspect:
    """A comparison at a path: how often it was met, and how often it was wrong, with what is wrong."""

    kind: Literal["never", "unguarded"]
    message: str
    hint: str
    file: str
    line: int | None
    column: int | None
    met: int = 0
    wrong: int = 0


class TypedComparisons:
    """What is wrong with the comparisons that a walk meets, by path and place."""

    def __init__(self, inputs: dict[str, Any], prompts: dict[str, str]) -> None:
        """Take the schemas of the inputs, and the texts of the prompt files by name."""
        self._inputs, self._prompts = inputs, prompts
        self._cached: dict[tuple[str, bool], tuple[str, tuple[Compared, ...]]] = {}
        self.suspects: dict[tuple[Path, str, int], Suspect] = {}

    def look(self, path: Path, text: str, resolve: Resolve, conditions: Sequence[str], *, is_expression: bool) -> None:
        """Look at the comparisons of a template or an expression in the current state."""
        file, compared = self._compared(text, is_expression)
        for one in compared:
            if one.op in _ORDER:
                self._look_for_guard(path, file, one, resolve, conditions)
            else:
                self._look_at_types(path, file, one, resolve)

    def _compared(self, text: str, is_expression: bool) -> tuple[str, tuple[Compared, ...]]:
        key = (text, is_expression)
        if key not in self._cached:
            file = text if not is_expression and text in self._prompts else ""
            found = parsed(self._prompts[file] if file else text, file, is_expression=is_expression)
            self._cached[key] = file, tuple(_comparisons([found], ())) if found is not None else ()
        return self._cached[key]

    def _suspect(self, kind: Literal["never", "unguarded"], path: Path, file: str, node: nodes.Node) -> Suspect:
        at = node.lineno
        key = (path, kind, id(node))
        if key not in self.suspects:
            self.suspects[key] = Suspect(kind, "", "", file, int(at) if at else None, column(at))
        return self.suspects[key]

    def _look_at_types(self, path: Path, file: str, one: Compared, resolve: Resolve) -> None:
        suspect = self._suspect("never", path, file, one.left)
        suspect.met += 1
        wrong = self._key_of_map(one, resolve) if one.op in ("in", "notin") else self._unequal(one, resolve)
        if wrong:
            suspect.wrong += 1
            suspect.message, suspect.hint = wrong

    def _unequal(self, one: Compared, resolve: Resolve) -> tuple[str, str] | None:
        sign = _SIGNS[one.op]
        for operand, other in ((one.left, one.right), (one.right, one.left)):
            if wrong := _wrong_case(operand, other):
                return f"a text in {wrong} is never {other.value!r}", f"Write {_cased(operand, other)!r}."  # type: ignore[attr-defined]  # it is a constant
        left, right = self._types(one.left, resolve), self._types(one.right, resolve)
        if left is None or right is None or left & right or {"number", "truth value"} <= left | right:
            return None
        named, other = (one.left, one.right) if attribute_chain(one.left) else (one.right, one.left)
        names = ".".join(attribute_chain(named))
        hint = ""
        if "message" in left | right and "text" in left | right and names:
            hint = f"Compare its content: {names}.content {sign} {_shown(other)}"
        elif "truth value" in left | right and names:
            is_truth = not isinstance(other, nodes.Const) or not isinstance(other.value, bool)
            hint = (
                f"A truth value needs no comparison: {names}"
                if is_truth
                else "For yes or no, give the role a 'format'."
            )
        return f"{_a(left)} is never equal to {_a(right)}, so {sign!r} gives the same each time", hint

    def _key_of_map(self, one: Compared, resolve: Resolve) -> tuple[str, str] | None:
        names, value = attribute_chain(one.right), evaluated(one.right, resolve)
        if value.kind != "data" or not names or not isinstance(one.left, nodes.Const):
            return None
        where, wanted = ".".join(names), one.left.value
        hint = f"To look for it in what was said, write {wanted!r} in {'.'.join([*names[:-1], 'content'])}."
        if not value.schemas:
            return f"{where} is always none here: no reply that it can be of has a 'format'", hint
        known = [properties(schema) for schema in value.schemas]
        if any(one is None for one in known) or any(wanted in (one or {}) for one in known):
            return None
        return f"{where} is a map, of which {wanted!r} is never a key", hint

    def _look_for_guard(
        self, path: Path, file: str, one: Compared, resolve: Resolve, conditions: Sequence[str]
    ) -> None:
        for operand in (one.left, one.right):
            names, value = attribute_chain(operand), evaluated(operand, resolve)
            if value.kind != "data" or not value.absent or not value.schemas or not all(names):
                continue
            of_whom = names[: 2 if names[0] == "said" else 1]
            around = [tree for text in conditions if (tree := parsed(text, is_expression=True)) is not None]
            if any(_mentions(guard, of_whom) for guard in (*one.guards, *around)):
                continue
            suspect = self._suspect("unguarded", path, file, operand)
            suspect.met, suspect.wrong = 1, 1
            written, sign = ".".join(names), _SIGNS[one.op]
            suspect.message = f"{written} is none where that turn failed, and {sign!r} would fail the conversation"
            asked = ".".join(names[:-1]) or f"{written} is not none"
            suspect.hint = f"Ask for it first: {asked} and {_shown(one.left)} {sign} {_shown(one.right)}"

    def _types(self, node: nodes.Node, resolve: Resolve) -> Types | None:
        """Return the types that an operand can have; None where nobody can say."""
        match node:
            case nodes.Const():
                return frozenset({_type_of(node.value)})
            case nodes.Filter() if node.name in _TEXT_FILTERS:
                return frozenset({"text"})
            case nodes.Filter() if node.name in _NUMBER_FILTERS:
                return frozenset({"number"})
            case nodes.Not() | nodes.Compare() | nodes.Test():
                return frozenset({"truth value"})
            case nodes.Name() | nodes.Getattr() | nodes.Getitem():
                return self._of_names(node, resolve)
        return None

    def _of_names(self, node: nodes.Node, resolve: Resolve) -> Types | None:
        names = attribute_chain(node)
        if len(names) == 1 and names[0] in self._inputs and resolve(names).kind == "unknown":
            return _of_schemas([self._inputs[names[0]]])
        if len(names) > 1 and names[-1] in _OF_MESSAGE and resolve(names[:-1]).kind == "message":
            return _OF_MESSAGE[names[-1]]
        value = resolve(names) if names else Value()
        if value.kind == "data":
            found = _of_schemas(value.schemas) if value.schemas else None
            return found | {"nothing"} if found and value.absent else found
        return frozenset({value.kind}) if value.kind in ("message", "list") else None


def _comparisons(children: Sequence[nodes.Node], guards: tuple[nodes.Node, ...]) -> Iterator[Compared]:
    """Return the comparisons in nodes, each with the conditions around it."""
    for node in children:
        match node:
            case nodes.Compare() if len(node.ops) == 1:
                yield Compared(node.expr, node.ops[0].op, node.ops[0].expr, guards)
                yield from _comparisons([node.expr, node.ops[0].expr], guards)
            case nodes.And() | nodes.Or():
                yield from _comparisons([node.left], guards)
                yield from _comparisons([node.right], (*guards, node.left))
            case nodes.CondExpr():
                inside = (*guards, node.test)
                yield from _comparisons([node.test], guards)
                yield from _comparisons([node.expr1, *([node.expr2] if node.expr2 else [])], inside)
            case nodes.If():
                inside = (*guards, node.test)
                yield from _comparisons([node.test], guards)
                yield from _comparisons([*node.body, *node.elif_, *node.else_], inside)
            case nodes.For() | nodes.Macro() | nodes.CallBlock() | nodes.With():
                continue  # names of their own are bound there
            case _:
                yield from _comparisons(list(node.iter_child_nodes()), guards)


def _mentions(guard: nodes.Node, names: Sequence[str]) -> bool:
    """Return whether a condition asks for a name, or for what it begins with."""
    chains = [attribute_chain(one) for one in guard.find_all((nodes.Name, nodes.Getattr, nodes.Getitem))]
    chains.append(attribute_chain(guard))
    return any(chain[: len(names)] == list(names) for chain in chains)


def _wrong_case(operand: nodes.Node, other: nodes.Node) -> str:
    """Return which letters a text is put into that is compared with one that has others; empty where it fits."""
    if not isinstance(operand, nodes.Filter) or not isinstance(other, nodes.Const) or not isinstance(other.value, str):
        return ""
    if operand.name == "lower" and other.value != other.value.lower():
        return "small letters"
    return "capitals" if operand.name == "upper" and other.value != other.value.upper() else ""


def _cased(operand: nodes.Node, other: nodes.Node) -> str:
    value = str(getattr(other, "value", ""))
    return value.lower() if getattr(operand, "name", "") == "lower" else value.upper()


def _shown(node: nodes.Node) -> str:
    """Return a name or a constant as it is written; an ellipsis for anything else."""
    if isinstance(node, nodes.Const):
        return repr(node.value)
    return ".".join(attribute_chain(node)) or "…"


def _of_schemas(schemas: Sequence[Any]) -> Types | None:
    found: set[str] = set()
    for schema in schemas:
        if not isinstance(schema, dict):
            return None
        if isinstance(schema.get("enum"), list):
            found |= {_type_of(value) for value in schema["enum"]}
            continue
        types = schema.get("type")
        listed = [types] if isinstance(types, str) else types
        if not isinstance(listed, list) or not all(one in _OF_SCHEMA for one in listed):
            return None
        found |= {_OF_SCHEMA[one] for one in listed}
    return frozenset(found) or None


def _type_of(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "truth value"
    if isinstance(value, (int, float)):
        return "number"
    return "text" if isinstance(value, str) else "list"


def _a(types: Types) -> str:
    return " or ".join(one if one == "nothing" else f"a {one}" for one in sorted(types))
