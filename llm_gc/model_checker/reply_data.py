"""Data for structured replies, class by class: each value at which something may change, one of all that are alike.

The first one is the plain case: all properties, lists with several items. The properties of an object are tried in all
combinations where these are few, else any two of them in all, the others as in the plain case (pairwise coverage).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations, product
from random import Random
from typing import Any

from llm_gc.backends.sampling import merged, resolved, sample
from llm_gc.core import structured
from llm_gc.model_checker.conditions import Conditions

MAX_PRODUCT = 24
"""So many combinations of all properties are tried; where there are more, those of any two."""

MAX_DEPTH = 8
TRIES = 20

MOST_ITEMS = 16
"""So long a list is tried at most."""

_KEYS = ("first", "second")
"""The keys of maps that may have any."""

MOST_LETTERS = 400
"""So long a text is tried at most because something is asked of its length."""


@dataclass(frozen=True)
class TextClass:
    """The place of a free text in data: whoever gives a reply puts one of the right size there."""

    least: int = 0
    most: int | None = None


class ReplyData:
    """Makes data for one schema. ``read`` are the words of all texts of the pipeline, prompts too."""

    def __init__(self, schema: Any, conditions: Conditions, read: frozenset[str]) -> None:
        """Take what is to be met."""
        self._root, self._conditions, self._read = schema, conditions, read

    def all(self) -> list[Any]:
        """Return the data, all of which fit the schema; ``Text`` is where any text may.

        Where nothing fits that could be made, there is one of chance, and none at all where that does not fit either.
        """
        fitting = [data for data in self._of(self._root, "", 0) if self._fits(data)]
        if not fitting:
            tries = (sample(self._root, Random(number), daring=number > 1) for number in range(TRIES))
            fitting = [data for data in tries if self._fits(data)][:1]
        return fitting

    def _fits(self, data: Any) -> bool:
        return structured.parse(json.dumps(filled(data, "a text")), self._root)[1] is None

    def _of(self, schema: Any, name: str, depth: int) -> list[Any]:
        """Return the values of one place; ``name`` is the property that it is, or is in."""
        if depth > MAX_DEPTH or not isinstance(schema, Mapping):
            return [TextClass()]
        schema = self._plain(schema)
        for key in ("anyOf", "oneOf"):
            if key in schema:
                own = {k: v for k, v in schema.items() if k != key}
                return _unique(value for way in schema[key] for value in self._of(merged(own, way), name, depth + 1))
        if "const" in schema:
            return [schema["const"]]
        if "enum" in schema:
            return list(schema["enum"])
        told = "object" if "properties" in schema else "array" if "items" in schema else "string"
        types = schema.get("type") or told
        listed = [types] if isinstance(types, str) else list(types)
        return _unique(value for type_ in listed for value in self._typed(type_, schema, name, depth))

    def _plain(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a schema with what it points at and what it is made of laid into it."""
        for _ in range(MAX_DEPTH):
            if "$ref" in schema:
                rest = {key: value for key, value in schema.items() if key != "$ref"}
                schema = merged(rest, resolved(str(schema["$ref"]), self._root))
            elif "allOf" in schema:
                rest = {key: value for key, value in schema.items() if key != "allOf"}
                for part in schema["allOf"]:
                    rest = dict(merged(rest, part))
                schema = rest
        return schema

    def _typed(self, type_: str, schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        match type_:
            case "object":
                return self._objects(schema, name, depth)
            case "array":
                return self._arrays(schema, name, depth)
            case "boolean":
                return [True, False]
            case "integer" | "number":
                return self._numbers(schema, name, whole=type_ == "integer")
            case "null":
                return [None]
        return self._texts(schema, name)

    def _texts(self, schema: Mapping[str, Any], name: str) -> list[Any]:
        free = TextClass(int(schema.get("minLength", 0)), schema.get("maxLength"))
        plain = sample(schema, Random(0)) if {"pattern", "format"} & set(schema) else free
        met = [*self._conditions.texts(name), *([""] if self._decides(name) else [])]
        met += [long(length) for length in self._conditions.lengths(name) if 0 < length <= MOST_LETTERS]
        return [plain, *(text for text in met if len(filled(free, text)) == len(text))]

    def _decides(self, name: str) -> bool:
        """Return whether something may depend on a place; one without a name is the data itself, of which all may."""
        return not name or name in self._conditions.words

    def _numbers(self, schema: Mapping[str, Any], name: str, *, whole: bool) -> list[Any]:
        step = schema.get("multipleOf", 1 if whole else 0)
        near = step or 0.001
        low = max((schema[key] for key in ("minimum", "exclusiveMinimum") if key in schema), default=None)
        high = min((schema[key] for key in ("maximum", "exclusiveMaximum") if key in schema), default=None)
        ends = [low if low is not None else 0, high if high is not None else (low or 0) + 1]
        if "exclusiveMinimum" in schema:
            ends[0] += near
        if "exclusiveMaximum" in schema:
            ends[1] -= near
        if not self._decides(name) and name not in self._read:
            return [_number(ends[1], whole=whole)]
        around = [bound + by for bound in self._conditions.numbers(name) for by in (-near, 0, near)]
        candidates = [ends[1], ends[0], *around, *self._conditions.counts(name)]
        if whole:
            candidates = [math.floor(one) if one >= 0 else math.ceil(one) for one in candidates]
        bounded = [one for one in candidates if (low is None or one >= low) and (high is None or one <= high)]
        return _unique(_number(one, whole=whole) for one in bounded)

    def _arrays(self, schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        fixed, rest = list(schema.get("prefixItems", ())), schema.get("items", {})
        items = self._of(rest, name, depth + 1) if rest is not False else []
        front = [self._of(inner, name, depth + 1)[0] for inner in fixed]
        least, most = int(schema.get("minItems", 0)), schema.get("maxItems")
        several = max(least, 2, min(len(items), 3) if schema.get("uniqueItems") else 2)
        sizes = [several, 1, 0] if name in self._read or not name else [several]
        if self._decides(name):
            sizes += [most] if most is not None and most <= MOST_ITEMS else []
            sizes += [length for length in self._conditions.sizes(name) if length <= MOST_ITEMS]
        made = [[*front, *self._cycled(items, max(size - len(front), 0))] for size in sizes]
        alike = (1, max(sizes)) if self._decides(name) else (1,)
        made += [[*front, *[item] * max(size - len(front), 1)] for item in items[1:] for size in alike]
        return [one for one in made if len(one) >= least and (most is None or len(one) <= most)] or [
            [*front, *self._cycled(items, least if most is None else min(most, max(least, 1)))]
        ]

    def _cycled(self, items: list[Any], size: int) -> list[Any]:
        return [items[number % len(items)] for number in range(size)] if items else []

    def _objects(self, schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        properties, required = schema.get("properties", {}), set(schema.get("required", ()))
        values = {key: self._of(inner, key, depth + 1) for key, inner in properties.items() if inner is not False}
        values |= {key: [TextClass()] for key in required if key not in values}
        if not values:
            return self._maps(schema, name, depth)
        plain = {key: options[0] for key, options in values.items()}
        made = [plain]
        for group in self._groups(values):
            combined = product(*(values[key] for key in group))
            made += [{**plain, **dict(zip(group, combination, strict=True))} for combination in combined]
        made += [{k: v for k, v in plain.items() if k != key} for key in values if key not in required]
        return _unique(made)

    def _maps(self, schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        """Return maps of which the keys are anybody's choice."""
        inner = schema.get("additionalProperties", {})
        items = self._of(inner, name, depth + 1) if isinstance(inner, Mapping) and inner else []
        if items:
            return [dict(zip(_KEYS, self._cycled(items, size), strict=False)) for size in (2, 1, 0)] + [
                {_KEYS[0]: item} for item in items[1:]
            ]
        if inner is False or not self._conditions.attributes:
            return [{}]
        free = {key: {"type": self._guessed(key)} for key in self._conditions.attributes}
        return [{}, *self._objects({"properties": free}, name, depth)]

    def _guessed(self, name: str) -> list[str]:
        """Return the types that a place may well have of which no schema says anything."""
        numbers, texts = self._conditions.numbers(name), self._conditions.texts(name)
        return [*(["number"] if numbers else []), *(["string"] if texts or not numbers else [])]

    def _groups(self, values: Mapping[str, list[Any]]) -> Iterable[tuple[str, ...]]:
        """Return the properties that are to be tried together: all, where their combinations are few, else any two."""
        several = [key for key, options in values.items() if len(options) > 1]
        if math.prod(len(values[key]) for key in several) <= MAX_PRODUCT:
            return [tuple(several)]
        return combinations(several, 2)


def filled(data: Any, text: str) -> Any:
    """Return data with a text in the place of each ``Text``, as long as there it may and must be."""
    if isinstance(data, TextClass):
        return text.ljust(data.least, ".")[: data.most]
    if isinstance(data, Mapping):
        return {key: filled(value, text) for key, value in data.items()}
    return [filled(item, text) for item in data] if isinstance(data, list) else data


def long(length: int) -> str:
    """Return a text of some length."""
    return ("words" * (length // 5 + 1))[:length]


def _number(value: float, *, whole: bool) -> Any:
    return int(value) if whole or float(value).is_integer() else round(value, 6)


def _unique(values: Iterable[Any]) -> list[Any]:
    """Return each value once; true is not 1."""
    return list({repr(value): value for value in values}.values())
