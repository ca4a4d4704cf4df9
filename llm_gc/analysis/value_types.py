"""What a name can hold as far as a pipeline declares it: a message, a list of messages, the data of a known schema."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jinja2 import nodes

MANY = 16
"""With more schemas than that nothing is told any more."""

Schema = Mapping[str, Any]

_SAME = frozenset(("list", "reject", "rejectattr", "reverse", "select", "selectattr", "sort", "unique"))
"""The filters that give a list of what was in the list."""


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """What a name can hold.

    ``schemas`` are those that the data of a message or the data itself may have been made by, none among them for a
    message without data. ``item`` is what a list holds. ``failed`` tells that the turn may have failed, so that the
    data are the defaults of the schema; ``absent`` that there may be nothing. ``hidden`` are the roles of whose words
    in it the others may not hear all.
    """

    kind: Literal["message", "list", "data", "unknown"] = "unknown"
    schemas: tuple[Schema | None, ...] = ()
    item: Value | None = None
    failed: bool = False
    absent: bool = False
    hidden: frozenset[str] = frozenset()


UNKNOWN = Value()
SILENT = Value("message", (None,), absent=True)
"""The message of somebody who said nothing, or nothing structured."""


def message(schemas: Iterable[Schema | None], hidden: Iterable[str] = ()) -> Value:
    """Return the message that a reply of one of these formats is; it may have failed."""
    return Value("message", tuple(schemas), failed=True, hidden=frozenset(hidden))


def union(values: Iterable[Value]) -> Value:
    """Return what is one of these values."""
    found = list(dict.fromkeys(values))  # mostly it is one and the same
    if len(found) == 1:
        return found[0]
    if not found or any(value.kind != found[0].kind or value.kind == "unknown" for value in found):
        return UNKNOWN
    schemas = {id(schema): schema for value in found for schema in value.schemas}
    if len(schemas) > MANY:
        return UNKNOWN
    items = [value.item or UNKNOWN for value in found]
    item = union(items) if found[0].kind == "list" else None
    failed, absent = any(value.failed for value in found), any(value.absent for value in found)
    hidden = frozenset[str]().union(*(value.hidden for value in found))
    return Value(found[0].kind, tuple(schemas.values()), item, failed, absent, hidden)


def properties(schema: Schema | None) -> Mapping[str, Any] | None:
    """Return the properties that an object of a schema can have; None where it may have others or be none."""
    known = schema.get("properties") if schema is not None else None
    if schema is None or not isinstance(known, Mapping) or schema.get("type") != "object":
        return None
    open_ = ("$ref", "allOf", "anyOf", "dependentSchemas", "else", "if", "not", "oneOf", "patternProperties", "then")
    if any(key in schema for key in open_) or schema.get("additionalProperties", False) is not False:
        return None
    return known


def step_into(value: Value, word: str) -> Value:
    """Return what an attribute or an item of a value is; an empty word is an item that is worked out."""
    if value.kind == "list":
        return value.item or UNKNOWN if not word else UNKNOWN
    if value.kind == "message" and word == "data":
        schemas = tuple(one for one in value.schemas if one is not None)
        return Value("data", schemas, None, value.failed, value.absent or None in value.schemas)
    if value.kind != "data" or not word:
        return _items(value) if value.kind == "data" else UNKNOWN
    inner = [_property(schema, word) for schema in value.schemas]
    if not inner or any(one is None for one in inner):
        return UNKNOWN
    known = [one for one in inner if one is not None]
    required = all(word in (schema or {}).get("required", ()) for schema in value.schemas)
    has_default = all("default" in one for one in known)
    return Value("data", tuple(known), absent=value.absent or not required or (value.failed and not has_default))


def _property(schema: Schema | None, word: str) -> Schema | None:
    found = (properties(schema) or {}).get(word)
    return found if isinstance(found, Mapping) else None


def _items(value: Value) -> Value:
    inner = [schema.get("items") for schema in value.schemas if schema is not None]
    if not inner or not all(isinstance(one, Mapping) for one in inner):
        return UNKNOWN
    return Value("data", tuple(inner), absent=True)


Resolve = Callable[[Sequence[str]], Value]
"""Gives what a name with its attributes is."""


def evaluated(node: nodes.Node | None, resolve: Resolve) -> Value:
    """Return what an expression gives."""
    if isinstance(node, (nodes.Name, nodes.Getattr, nodes.Getitem)):
        words = attribute_chain(node)
        return resolve(words) if words else UNKNOWN
    if isinstance(node, nodes.Filter) and node.name in _SAME and node.node is not None:
        value = evaluated(node.node, resolve)
        return value if value.kind == "list" else UNKNOWN
    if isinstance(node, nodes.Or):
        return union([evaluated(node.left, resolve), evaluated(node.right, resolve)])
    if isinstance(node, nodes.CondExpr) and node.expr2 is not None:
        return union([evaluated(node.expr1, resolve), evaluated(node.expr2, resolve)])
    return UNKNOWN


def choices(node: nodes.Node | None, resolve: Resolve) -> frozenset[str | None] | None:
    """Return all texts that an expression can give, none among them for nothing; None where nobody can tell."""
    match node:
        case nodes.Const():
            return frozenset({node.value}) if isinstance(node.value, str) or node.value is None else None
        case nodes.Or():
            left, right = choices(node.left, resolve), choices(node.right, resolve)
            return None if left is None or right is None else (left - {None, ""}) | right
        case nodes.CondExpr():
            first = choices(node.expr1, resolve)
            second = choices(node.expr2, resolve) if node.expr2 is not None else frozenset({None})
            return None if first is None or second is None else first | second
        case nodes.Name() | nodes.Getattr() | nodes.Getitem():
            return _enumerated(evaluated(node, resolve))
    return None


def _enumerated(value: Value) -> frozenset[str | None] | None:
    """Return the texts that data can be, by the ``enum`` or ``const`` of its schema."""
    found: set[str | None] = {None} if value.absent else set()
    for schema in value.schemas:
        one = schema or {}
        listed = one["enum"] if isinstance(one.get("enum"), list) else [one["const"]] if "const" in one else None
        if value.kind != "data" or listed is None or not all(isinstance(item, str) for item in listed):
            return None
        found.update(listed)
        if isinstance(one.get("default"), str):
            found.add(one["default"])
    return frozenset(found) if value.schemas else None


def attribute_chain(node: nodes.Node) -> list[str]:
    """Return a name with the attributes that follow it; an empty list where the node begins with no name."""
    words: list[str] = []
    while isinstance(node, (nodes.Getattr, nodes.Getitem)):
        if isinstance(node, nodes.Getattr):
            words.append(node.attr)
        else:
            words.append(
                node.arg.value if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str) else ""
            )
        node = node.node
    return [node.name, *reversed(words)] if isinstance(node, nodes.Name) else []
