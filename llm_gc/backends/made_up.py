"""Made-up data that fits a JSON Schema, all of it from the chance that is handed in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from llm_gc import regex
from llm_gc.backends.merging import merged, resolved
from llm_gc.backends.patterns import matching

_WORDS = ("the inputs", "the edge cases", "one small example", "the open questions", "the result", "the names")

_FORMATS = {
    "date": "2026-01-02", "date-time": "2026-01-02T03:04:05Z", "duration": "P1D", "email": "a@example.org",
    "hostname": "example.org", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1", "time": "03:04:05Z",
    "uri": "https://example.org/", "uri-reference": "/a", "uuid": "123e4567-e89b-42d3-a456-426614174000",
}  # fmt: skip

_TOLD_BY = {
    "object": {"properties", "required", "additionalProperties", "patternProperties", "propertyNames", "minProperties"},
    "array": {"items", "prefixItems", "contains", "minItems", "maxItems", "uniqueItems"},
    "string": {"pattern", "format", "minLength", "maxLength"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
}
"""The type that a schema without one means, told by its keywords."""

_ELSEWHERE = ("$ref", "allOf", "anyOf", "oneOf", "if", "then", "else")

SHALLOW = 5
"""From this depth on, everything is as small as it may be."""

MAX_DEPTH = 40
TRIES = 20


def sample(schema: Any, chance: Random, *, daring: bool = False) -> Any:
    """Make up data for a JSON Schema (2020-12).

    Keywords that can be followed are; what needs a search (``not``, ``if``, overlapping branches) is left to whoever
    checks the data and comes again. ``daring`` then takes the less likely ways too: other types, fewer properties.
    """
    return _Maker(schema, chance, daring).make(schema)


class _Maker:
    """Makes one value up."""

    def __init__(self, root: Any, chance: Random, daring: bool) -> None:
        self.root, self.chance, self.daring = root, chance, daring

    def make(self, schema: Any, depth: int = 0) -> Any:
        schema = self.plain(schema, depth)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self.chance.choice(list(schema["enum"]))
        if depth > MAX_DEPTH:
            return None
        match self.type_of(schema, depth):
            case "object":
                return self.object(schema, depth)
            case "array":
                return self.array(schema, depth)
            case "string":
                return self.string(schema)
            case "boolean":
                return self.chance.choice((True, False))
            case "integer":
                return int(self.number(schema, schema.get("multipleOf", 1)))
            case "number":
                return self.number(schema, schema.get("multipleOf", 0))
        return None

    def plain(self, schema: Any, depth: int) -> Mapping[str, Any]:
        """Merge what a schema points at, and what it leaves to choose, into what it says itself."""
        if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
            return {}
        own: Mapping[str, Any] = {key: value for key, value in schema.items() if key not in _ELSEWHERE}
        for part in self.parts(schema, depth):
            own = merged(own, self.plain(part, depth + 1))
        return own

    def parts(self, schema: Mapping[str, Any], depth: int) -> Iterator[Any]:
        if "$ref" in schema:
            yield resolved(str(schema["$ref"]), self.root)
        yield from schema.get("allOf", ())
        for key in ("anyOf", "oneOf"):
            if choices := list(schema.get(key, ())):
                flat = [choice for choice in choices if "$ref" not in str(choice)]
                yield self.chance.choice(flat if flat and depth >= SHALLOW else choices)
        if "if" in schema:
            holds = self.chance.choice((True, False))
            yield from (schema["if"], schema.get("then")) if holds else (schema.get("else"),)

    def type_of(self, schema: Mapping[str, Any], depth: int) -> str:
        types = schema.get("type") or next((type_ for type_, words in _TOLD_BY.items() if words & set(schema)), None)
        if types is None:
            types = (*_TOLD_BY, "boolean", "null") if self.daring else "string"
        if isinstance(types, str):
            return types
        likely = [type_ for type_ in types if type_ != "null"]
        if "null" in types and depth >= SHALLOW:
            return "null"
        return str(self.chance.choice(list(types)) if self.daring or not likely else likely[0])

    def object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        properties, required = schema.get("properties", {}), list(schema.get("required", ()))
        optional = [name for name, inner in properties.items() if name not in required and inner is not False]
        if depth >= SHALLOW or self.daring:
            optional = [name for name in optional if depth < SHALLOW and self.chance.random() < 0.5]
        room = schema.get("maxProperties", math.inf) - len(required)
        kept = {*required, *(name for number, name in enumerate(optional) if number < room)}
        kept |= {more for name, needs in schema.get("dependentRequired", {}).items() if name in kept for more in needs}
        names = [name for name in properties if name in kept]
        names += sorted(kept - set(names))
        is_map = not properties and isinstance(schema.get("additionalProperties"), Mapping) and depth < SHALLOW
        least = schema.get("minProperties", min(schema.get("maxProperties", 1), 1) if is_map else 0)
        for _ in range(TRIES):
            if len(names) < least and (name := self.name(schema)) not in names:
                names.append(name)
        return {name: self.make(_property(schema, name), depth + 1) for name in names}

    def name(self, schema: Mapping[str, Any]) -> str:
        """Make up the name of a property that nobody has named."""
        if self.daring and schema.get("properties"):
            return str(self.chance.choice(list(schema["properties"])))
        patterns = [{"pattern": pattern} for pattern in schema.get("patternProperties", ())]
        rules = schema.get("propertyNames", patterns[0] if patterns else {"pattern": "^[a-z]{3}[0-9]$"})
        return str(self.make({"type": "string", **rules}))

    def array(self, schema: Mapping[str, Any], depth: int) -> list[Any]:
        fixed, items = list(schema.get("prefixItems", ())), schema.get("items", {"type": "string"})
        wanted = schema.get("minContains", 1) if "contains" in schema else 0
        least = max(schema.get("minItems", 0), len(fixed), wanted)
        size = least if depth >= SHALLOW else max(least, self.chance.randint(0, 4) if self.daring else 2)
        size = min(size, schema.get("maxItems", size), size if items is not False else len(fixed))
        made: list[Any] = []
        for number in range(size):
            inner = fixed[number] if number < len(fixed) else items
            if number >= size - wanted:
                inner = {"allOf": [inner, schema["contains"]]}
            value = self.make(inner, depth + 1)
            for _ in range(TRIES if schema.get("uniqueItems") else 0):
                value = self.make(inner, depth + 1) if value in made else value
            if not schema.get("uniqueItems") or value not in made:
                made.append(value)
        return made

    def string(self, schema: Mapping[str, Any]) -> str:
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        least = int(schema.get("minLength", 0))
        if "pattern" in schema:
            return matching(str(schema["pattern"]), self.chance, self.chance.randint(1, 8) if self.daring else least)
        text = self.chance.choice(_WORDS)
        text = f"{text} {self.chance.randint(1, 999)}" if self.daring else text
        return text.ljust(least, ".")[: int(schema.get("maxLength", max(len(text), least)))]

    def number(self, schema: Mapping[str, Any], step: float) -> float:
        """Give a number between the bounds; with a ``step``, a multiple of it."""
        bottom = [schema[key] for key in ("minimum", "exclusiveMinimum") if key in schema]
        top = [schema[key] for key in ("maximum", "exclusiveMaximum") if key in schema]
        span = (1000 if self.daring else 10) * max(step, 1)
        low: float = max(bottom) if bottom else min(0, min(top) - span) if top else 0
        high: float = min(top) if top else low + span
        if not step:
            value = low + (high - low) * self.chance.choice((0.25, 0.5, 0.75))
            return round(value, 6) if low < round(value, 6) < high else value
        first, last = math.ceil(low / step), math.floor(high / step)
        first += first * step == schema.get("exclusiveMinimum")
        last -= last * step == schema.get("exclusiveMaximum")
        return round(self.chance.randint(first, max(first, last)) * step, 10)


def _property(schema: Mapping[str, Any], name: str) -> Any:
    """Give the schema of a property, whatever says something about it."""
    said = [schema["properties"][name]] if name in schema.get("properties", {}) else []
    said += [
        inner for pattern, inner in schema.get("patternProperties", {}).items() if regex.compile(pattern).search(name)
    ]
    return {"allOf": said} if said else schema.get("additionalProperties", {"type": "string"})
