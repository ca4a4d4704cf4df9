"""schema: a small value that fits a JSON Schema, for schemas as simple as people write them."""

import json
import random
from collections.abc import Callable, Mapping
from typing import Any

from .errors import refused

Schema = Mapping[str, Any]

_WORDS = ("yes", "a clear name", "the edge cases", "what was agreed", "the simplest way", "the data")

# Deeper than this only what is required is filled in, so that a recursive schema reaches an end.
_DEEPEST = 6


def check(schema: Schema) -> None:
    """Refuse a schema that the engine cannot turn into a grammar."""
    kinds = schema.get("type", [])
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if kind not in _MAKERS:
            raise refused(f"JSON schema conversion failed:\nUnrecognized schema: {json.dumps(schema)}")


def example(schema: Schema, chance: random.Random) -> Any:
    """A value that fits; where the schema leaves a choice, chance decides."""
    return _Maker(schema, chance).value(schema, 0)


class _Maker:
    """Knows the whole schema, so that references can be followed."""

    def __init__(self, root: Schema, chance: random.Random) -> None:
        self.root = root
        self.chance = chance

    def value(self, schema: Schema, depth: int) -> Any:
        if "$ref" in schema:
            return self.value(self._referred(schema["$ref"]), depth + 1)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.chance.choice(list(schema["enum"]))
        for several in ("anyOf", "oneOf", "allOf"):
            if several in schema:
                return self.value(schema[several][-1 if depth > _DEEPEST else 0], depth + 1)
        kind = schema.get("type", "object" if "properties" in schema else "string")
        return _MAKERS[kind[0] if isinstance(kind, list) else kind](self, schema, depth)

    def object(self, schema: Schema, depth: int) -> dict[str, Any]:
        required = schema.get("required", ())
        fields = schema.get("properties", {}).items()
        wanted = [(name, inner) for name, inner in fields if name in required or depth <= _DEEPEST]
        return {name: self.value(inner, depth + 1) for name, inner in wanted}

    def array(self, schema: Schema, depth: int) -> list[Any]:
        size = schema.get("minItems", min(1 if depth <= _DEEPEST else 0, schema.get("maxItems", 1)))
        return [self.value(schema.get("items", {}), depth + 1) for _ in range(size)]

    def string(self, schema: Schema, depth: int) -> str:
        text = self.chance.choice(_WORDS).ljust(schema.get("minLength", 0), ".")
        return text[: schema.get("maxLength", len(text))]

    def integer(self, schema: Schema, depth: int) -> int:
        low = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
        high = schema.get("maximum", schema.get("exclusiveMaximum", low + 11) - 1)
        return self.chance.randint(int(low), max(int(low), int(high)))

    def number(self, schema: Schema, depth: int) -> float:
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
        high = schema.get("maximum", schema.get("exclusiveMaximum", low + 1))
        return min(high, max(low, round(self.chance.uniform(low, high), 2)))  # type: ignore[no-any-return]

    def boolean(self, schema: Schema, depth: int) -> bool:
        return self.chance.random() < 0.5

    def null(self, schema: Schema, depth: int) -> None:
        return None

    def _referred(self, reference: str) -> Schema:
        """What a reference such as `#/$defs/Person` points at."""
        place: Any = self.root
        for key in reference.split("/")[1:]:
            place = place[key]
        return place  # type: ignore[no-any-return]


_KINDS = ("object", "array", "string", "integer", "number", "boolean", "null")
_MAKERS: dict[str, Callable[[_Maker, Schema, int], Any]] = {kind: getattr(_Maker, kind) for kind in _KINDS}
