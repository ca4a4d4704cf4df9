"""Sample data that fits a JSON Schema, its patterns included, drawn from a given source of chance."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any
from urllib.parse import unquote

from llm_gc.values import regex

Make = Callable[[], str]

_CHARACTERS = "".join(char for char in string.printable if char.isprintable())
_CLASSES = {"d": string.digits, "w": string.ascii_lowercase, "s": " "}
_CLASSES |= {"D": string.ascii_lowercase, "W": " ", "S": string.ascii_lowercase}
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r"}
_COUNT = re.compile(r"([*+?]|\{(\d+)(?:(,)(\d*))?\})\??")
_GROUP = re.compile(r"\((?:\?:|\?P?<[A-Za-z]\w*>)?")
_MANY = 1_000


def matching(pattern: str, chance: Random, count: int = 1) -> str:
    """Generate text that matches; what may be repeated is, ``count`` times as far as its bounds let it.

    What looks around or back is not understood: whoever needs to be certain checks the text.
    """
    return _PatternReader(pattern, chance, count).choice()()


class _PatternReader:
    """Reads a pattern from left to right; everything read is a function that makes text up for it."""

    def __init__(self, pattern: str, chance: Random, count: int) -> None:
        self.rest, self.chance, self.count = pattern, chance, count

    def take(self) -> str:
        """Take one character, none at the end."""
        taken, self.rest = self.rest[:1], self.rest[1:]
        return taken

    def choice(self) -> Make:
        """Read ways with bars between them, up to the end of the group."""
        ways = [self.sequence()]
        while self.rest.startswith("|"):
            self.take()
            ways.append(self.sequence())

        def make() -> str:
            way = self.chance.choice(ways)
            return way()

        return make

    def sequence(self) -> Make:
        parts: list[Make] = []
        while self.rest and self.rest[0] not in "|)":
            parts.append(self.counted(self.atom()))
        return lambda: "".join(part() for part in parts)

    def counted(self, one: Make) -> Make:
        found = _COUNT.match(self.rest)
        if found is None:
            return one
        self.rest = self.rest[found.end() :]
        sign, least, comma, most = found.groups()
        low, high = {"*": (0, _MANY), "+": (1, _MANY), "?": (0, 1)}.get(sign, (int(least or 0), int(least or 0)))
        high = int(most or _MANY) if comma else high
        return lambda: "".join(one() for _ in range(min(max(self.count, low), high)))

    def atom(self) -> Make:
        if found := _GROUP.match(self.rest):
            self.rest = self.rest[found.end() :]
            inner = self.choice()
            self.take()
            return inner
        char = self.take()
        if char in "^$":
            return str
        if char == "[":
            return self.any_of(self.members())
        if char == ".":
            return self.any_of(string.ascii_lowercase)
        return self.any_of(self.escaped() if char == "\\" else char)

    def any_of(self, characters: str) -> Make:
        return lambda: self.chance.choice(characters) if characters else ""

    def escaped(self) -> str:
        char = self.take()
        return "" if char in "bBAZ" else _CLASSES.get(char, _CONTROLS.get(char, char))

    def members(self) -> str:
        """Read a class, and return the characters in it."""
        members, is_negated = "", self.rest.startswith("^")
        if is_negated:
            self.take()
        while self.rest and (not self.rest.startswith("]") or not members):
            char = self.take()
            char = self.escaped() if char == "\\" else char
            if self.rest.startswith("-") and not self.rest.startswith("-]"):
                self.take()
                last = self.take()
                last = self.escaped() if last == "\\" else last
                char = "".join(map(chr, range(ord(char), ord(last) + 1)))
            members += char
        self.take()
        return "".join(char for char in _CHARACTERS if char not in members) if is_negated else members


_LARGER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains")
_SMALLER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains")


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema that asks for both, as far as that can be said in one."""
    both = {**one, **other}
    for key in set(one) & set(other):
        mine, yours = one[key], other[key]
        if key in ("properties", "patternProperties"):
            both[key] = {**mine, **{name: {"allOf": [mine.get(name, {}), yours[name]]} for name in yours}}
        elif key == "required":
            both[key] = [*mine, *(name for name in yours if name not in mine)]
        elif key in ("items", "contains", "additionalProperties", "propertyNames"):
            both[key] = False if False in (mine, yours) else {"allOf": [mine, yours]}
        elif key == "enum":
            both[key] = [value for value in mine if value in yours]
        elif key == "type":
            mine, yours = ([value] if isinstance(value, str) else value for value in (mine, yours))
            both[key] = [value for value in mine if value in yours] or ["integer"]  # which is a number, too
        elif key in _LARGER or key in _SMALLER:
            both[key] = max(mine, yours) if key in _LARGER else min(mine, yours)
    return both


def resolved(ref: str, root: Any) -> Any:
    """Return what a reference within the schema ``root`` points at; None where it points at nothing."""
    node = root
    for step in unquote(ref).removeprefix("#").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(node, Sequence) and not isinstance(node, str):
            node = node[int(name)] if name.isdigit() and int(name) < len(node) else None
        else:
            node = node.get(name) if isinstance(node, Mapping) else None
    return node


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
    """Generate data for a JSON Schema (2020-12).

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
        """Generate the name of a property that nobody has named."""
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
        """Return a number between the bounds; with a ``step``, a multiple of it."""
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
    """Return the schema of a property, whatever says something about it."""
    said = [schema["properties"][name]] if name in schema.get("properties", {}) else []
    said += [
        inner for pattern, inner in schema.get("patternProperties", {}).items() if regex.compile(pattern).search(name)
    ]
    return {"allOf": said} if said else schema.get("additionalProperties", {"type": "string"})
