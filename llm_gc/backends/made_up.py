"""Made-up words, and made-up data that fits a JSON Schema: all of it from the chance that is handed in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random
from typing import Any

_OPENINGS = ("First", "Then", "After that", "Besides", "Finally")
_VERBS = ("check", "write down", "compare", "measure", "name", "sort", "test", "draw")
_THINGS = ("the inputs", "the edge cases", "one small example", "the open questions", "the order of the steps",
           "what can fail", "the result", "the names")  # fmt: skip
_WHY = ("so that nothing is lost", "before anything else is done", "and keep the answer", "in one place",
        "with a short note why", "until it is plain")  # fmt: skip

MAX_DEPTH = 8


def sentences(chance: Random, role: str, turn: int) -> str:
    """Give a short text that says openly that nobody thought it."""
    count = chance.randint(2, 3)
    said = [
        f"{_OPENINGS[i]}, {chance.choice(_VERBS)} {chance.choice(_THINGS)} {chance.choice(_WHY)}." for i in range(count)
    ]
    return f"(Rehearsed words of {role}, turn {turn}.) " + " ".join(said)


def sample(schema: Any, chance: Random, root: Any = None, depth: int = 0) -> Any:
    """Make up data for the usual shapes of a JSON Schema (2020-12); null where nothing is said about it.

    Combinations that need a search (``not``, ``if``, overlapping ``allOf``) are taken as far as they are plain.
    """
    if not isinstance(schema, Mapping):
        return None
    root = schema if root is None else root
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return chance.choice(list(schema["enum"]))
    if "$ref" in schema:
        return sample(_resolve(str(schema["$ref"]), root), chance, root, depth + 1) if depth < MAX_DEPTH else None
    for key in ("anyOf", "oneOf"):
        if schema.get(key):
            choices = list(schema[key])
            chosen = choices[-1] if depth >= MAX_DEPTH else chance.choice(choices)
            return sample({**{k: v for k, v in schema.items() if k != key}, **chosen}, chance, root, depth + 1)
    if schema.get("allOf"):
        return sample(_merged(schema), chance, root, depth + 1)
    return _typed(schema, chance, root, depth)


def _typed(schema: Mapping[str, Any], chance: Random, root: Any, depth: int) -> Any:
    match _type_of(schema):
        case "object":
            return _object(schema, chance, root, depth)
        case "array":
            fixed = [sample(item, chance, root, depth + 1) for item in schema.get("prefixItems", [])]
            least = max(schema.get("minItems", 0), 0 if depth >= MAX_DEPTH else 1)
            size = max(min(max(least, 2), schema.get("maxItems", least + 1)) - len(fixed), 0)
            items = schema.get("items", {"type": "string"})
            return fixed + [sample(items, chance, root, depth + 1) for _ in range(size if items is not False else 0)]
        case "string":
            return _string(schema, chance)
        case "integer":
            low, high = _range(schema)
            return chance.randint(int(low), max(int(high), int(low)))
        case "number":
            low, high = _range(schema)
            return round(low + (high - low) * chance.choice((0.25, 0.5, 0.75, 1.0)), 6)
        case "boolean":
            return chance.choice((True, False))
    return None


def _object(schema: Mapping[str, Any], chance: Random, root: Any, depth: int) -> dict[str, Any]:
    properties = schema.get("properties", {})
    required = list(schema.get("required", []))
    names = [*properties, *(name for name in required if name not in properties)]
    kept = [name for name in names if name in required or depth < MAX_DEPTH]
    return {name: sample(properties.get(name, {"type": "string"}), chance, root, depth + 1) for name in kept}


def _string(schema: Mapping[str, Any], chance: Random) -> str:
    known = {
        "date": "2026-01-02",
        "date-time": "2026-01-02T03:04:05Z",
        "email": "a@example.org",
        "uri": "https://example.org",
    }
    if schema.get("format") in known:
        return known[schema["format"]]
    text = chance.choice(_THINGS)
    literal = re.fullmatch(r"\^?([A-Za-z0-9 _-]*)\$?", str(schema.get("pattern", "^$")))
    if "pattern" in schema and literal:
        text = literal[1]
    text = text.ljust(int(schema.get("minLength", 0)), ".")
    return text[: int(schema.get("maxLength", len(text)))]


def _range(schema: Mapping[str, Any]) -> tuple[float, float]:
    step = 1 if _type_of(schema) == "integer" else 0.5
    low = schema.get("minimum", schema["exclusiveMinimum"] + step if "exclusiveMinimum" in schema else None)
    high = schema.get("maximum", schema["exclusiveMaximum"] - step if "exclusiveMaximum" in schema else None)
    if low is None:
        low = 0 if high is None or high >= 0 else high - 10
    return low, low + 10 if high is None else high


def _type_of(schema: Mapping[str, Any]) -> str | None:
    type_ = schema.get("type")
    if isinstance(type_, (list, tuple)):
        return next((name for name in type_ if name != "null"), "null")
    if type_ is None and ("properties" in schema or "required" in schema):
        return "object"
    if type_ is None and ("items" in schema or "prefixItems" in schema):
        return "array"
    return type_


def _merged(schema: Mapping[str, Any]) -> dict[str, Any]:
    merged = {key: value for key, value in schema.items() if key != "allOf"}
    for part in schema["allOf"]:
        for key, value in part.items():
            if key == "properties":
                merged[key] = {**merged.get(key, {}), **value}
            elif key == "required":
                merged[key] = [*merged.get(key, []), *value]
            else:
                merged[key] = value
    return merged


def _resolve(ref: str, root: Any) -> Any:
    node = root
    for step in ref.removeprefix("#").strip("/").split("/"):
        if step:
            node = node.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(node, Mapping) else None
    return node
