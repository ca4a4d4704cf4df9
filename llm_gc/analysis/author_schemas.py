"""What is wrong with a JSON Schema that an author wrote, and with what could go wrong when it is used.

A schema is used on what models write, in the middle of a run. So what would fail only then is looked for before:
a regular expression that cannot be read, a reference to nothing, to elsewhere or to itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.wording import shown
from llm_gc.protocol import Path
from llm_gc.values import json_schema, regex
from llm_gc.values.did_you_mean import near

MAPS = frozenset(("$defs", "definitions", "dependentSchemas", "patternProperties", "properties"))
LISTS = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
SINGLE = frozenset((
    "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not", "propertyNames", "then",
    "unevaluatedItems", "unevaluatedProperties",
))  # fmt: skip
PLAIN = frozenset((
    "$comment", "$ref", "$schema", "const", "contentEncoding", "contentMediaType", "default", "dependentRequired",
    "deprecated", "description", "enum", "examples", "exclusiveMaximum", "exclusiveMinimum", "format", "maxContains",
    "maxItems", "maxLength", "maxProperties", "maximum", "minContains", "minItems", "minLength", "minProperties",
    "minimum", "multipleOf", "pattern", "readOnly", "required", "title", "type", "uniqueItems", "writeOnly",
))  # fmt: skip
KEYWORDS = MAPS | LISTS | SINGLE | PLAIN

SAME = frozenset(("allOf", "anyOf", "else", "if", "not", "oneOf", "then"))
"""The keywords whose schemas are about the same value, and not about a part of it."""

TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")


def problems(schema: Any, path: Path) -> Iterator[Problem]:
    """Yield everything that is wrong with the schema that is at a path."""
    found = False
    for at, inner in _schemas(schema):
        for problem in _keywords(inner, (*path, *at)):
            found = True
            yield problem
    if not found and not _is_plain(schema):
        yield from _by_the_book(schema, path)
        yield from _references(schema, path)


def _is_plain(schema: Any) -> bool:
    """Return whether a schema has but the plainest words, rightly used: then the book need not be opened.

    Opening it costs a short run as much as all its other checks.
    """
    return isinstance(schema, Mapping) and all(
        (key == "default")
        or (key == "type" and isinstance(value, str))
        or (key in ("description", "title") and isinstance(value, str))
        or (key in ("minimum", "maximum") and isinstance(value, (int, float)) and not isinstance(value, bool))
        or (key in ("minLength", "maxLength") and type(value) is int and value >= 0)
        or (key == "enum" and isinstance(value, list))
        for key, value in schema.items()
    )


def _schemas(schema: Any, path: Path = ()) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield a schema and all schemas in it, each with its path."""
    if not isinstance(schema, Mapping):
        return
    yield path, schema
    for key, value in schema.items():
        if key in MAPS and isinstance(value, Mapping):
            for name, inner in value.items():
                yield from _schemas(inner, (*path, key, name))
        elif key in LISTS and isinstance(value, list):
            for index, inner in enumerate(value):
                yield from _schemas(inner, (*path, key, index))
        elif key in SINGLE:
            yield from _schemas(value, (*path, key))


def _keywords(schema: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """Look at the words of one schema."""
    for key, value in schema.items():
        if key not in KEYWORDS and not key.startswith("x-"):
            hint = near(key, sorted(KEYWORDS)) or (
                "The schemas of properties belong under 'properties'." if isinstance(value, Mapping) else ""
            )
            yield Problem((*path, key), f"{key!r} is no keyword of JSON Schema", hint, key=True)
    types = schema.get("type", [])
    for index, type_ in enumerate(types if isinstance(types, list) else [types]):
        if not isinstance(type_, str) or type_ not in TYPES:
            at: Path = (*path, "type", index) if isinstance(types, list) else (*path, "type")
            hint = near(str(type_), TYPES) or f"The types are {', '.join(TYPES)}."
            yield Problem(at, f"{shown(type_)} is no type of JSON Schema", hint)
    for pattern, at, is_key in _patterns(schema, path):
        if problem := regex.problem(pattern):
            yield Problem(at, problem, key=is_key)


def _patterns(schema: Mapping[str, Any], path: Path) -> Iterator[tuple[str, Path, bool]]:
    if isinstance(schema.get("pattern"), str):
        yield schema["pattern"], (*path, "pattern"), False
    if isinstance(schema.get("patternProperties"), Mapping):
        yield from ((name, (*path, "patternProperties", name), True) for name in schema["patternProperties"])


def _by_the_book(schema: Any, path: Path) -> Iterator[Problem]:
    """Hold a schema against the schema of schemas."""
    from jsonschema import Draft202012Validator

    error: Any = json_schema.best(json_schema.errors(schema, Draft202012Validator.META_SCHEMA))
    if error is not None:
        from llm_gc.analysis.shape import explain

        yield from explain(error, (*path, *error.absolute_path))


def _references(schema: Any, path: Path) -> Iterator[Problem]:
    """Look for references that lead nowhere, elsewhere, or back to where they are."""
    if not isinstance(schema, Mapping):
        return
    by_id = {id(inner): (at, inner) for at, inner in _schemas(schema)}
    for at, inner in by_id.values():
        ref = inner.get("$ref")
        if isinstance(ref, str) and id(target(ref, schema)) not in by_id:
            message = f"{ref!r} leads to no schema in here; write for example #/$defs/name"
            yield Problem((*path, *at, "$ref"), message)
            return
    for at, inner in by_id.values():
        if "$ref" in inner and _goes_round(inner, schema):
            yield Problem((*path, *at, "$ref"), f"{inner['$ref']!r} leads back to itself, without end")
            return


def target(ref: str, root: Mapping[str, Any]) -> Any:
    """Return what a reference leads to in a schema; None where that is nothing."""
    if not ref.startswith("#"):
        return None
    node: Any = root
    for step in ref[1:].split("/")[1:] if ref != "#" else []:
        name = unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(node, Mapping) and name in node:
            node = node[name]
        elif isinstance(node, list) and name.isdecimal() and int(name[:6]) < len(node):
            node = node[int(name[:6])]
        else:
            return None
    return node


def _goes_round(start: Mapping[str, Any], root: Mapping[str, Any]) -> bool:
    """Return whether a value that is held against a schema is held against that schema again."""
    heap, seen = list(_same_value(start, root)), set()
    while heap:
        inner = heap.pop()
        if inner is start:
            return True
        if id(inner) not in seen:
            seen.add(id(inner))
            heap += _same_value(inner, root)
    return False


def _same_value(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Return the schemas that a value is held against besides, when it is held against this one."""
    held = [target(schema["$ref"], root)] if isinstance(schema.get("$ref"), str) else []
    for key in SAME & schema.keys():
        held += schema[key] if isinstance(schema[key], list) else [schema[key]]
    if isinstance(schema.get("dependentSchemas"), Mapping):
        held += schema["dependentSchemas"].values()
    return (one for one in held if isinstance(one, Mapping))
