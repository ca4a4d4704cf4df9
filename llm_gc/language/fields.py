"""The values of keys that roles and steps share: what a speaker sees, and the format of a reply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from llm_gc.language.base import Expression, Name, Positive, Strict

Who = Literal["all", "none", "own", "others"] | Annotated[list[Name], Field(min_length=1)]


def _read_view(value: Any) -> Any:
    return value if isinstance(value, (Mapping, View)) else {"from": value}


class View(Strict):
    """What a speaker is shown of what was said."""

    from_: Who = Field("all", alias="from", description="Whose messages: all, none, own, others, or a list of roles.")
    last: Positive | None = Field(None, description="Only so many of each speaker's newest messages.", examples=[1])
    opening: bool = Field(True, description="Whether the opening is shown.")


Sees = Annotated[View, BeforeValidator(_read_view, json_schema_input_type=Who | View)]


class Stop(Strict):
    """What ends the conversation when it is said: a token, or an expression that turns true."""

    token: str | None = Field(None, min_length=1, description="The text that ends it.", examples=["APPROVED"])
    match: Literal["line", "contains", "regex"] = Field(
        "line",
        description="How it is looked for: as a line of its own, anywhere in the reply, or as a regular expression.",
    )
    role: Name | None = Field(None, description="Only where this role says it.", examples=["reviewer"])
    when: Expression | None = Field(
        None,
        description="An expression, looked at after each reply that is heard; true ends it.",
        examples=["last.data.score > 8"],
    )


def _read_stop(value: Any) -> Any:
    return {"token": value} if isinstance(value, str) else value


_Token = Annotated[str, Field(min_length=1)]

AnyStop = Annotated[Stop, BeforeValidator(_read_stop, json_schema_input_type=_Token | Stop)]


Format = Literal["json"] | Annotated[str, Field(pattern=r"\.json$")] | Annotated[dict[str, Any], Field(min_length=1)]

_ALWAYS = frozenset((
    "additionalProperties", "allOf", "anyOf", "dependentRequired", "dependentSchemas", "maxItems", "maxLength",
    "maxProperties", "minItems", "minLength", "minProperties", "multipleOf", "oneOf", "patternProperties",
    "prefixItems", "propertyNames", "uniqueItems",
))  # fmt: skip
"""Keywords of JSON Schema by which nobody would call a property."""

_OTHERS = frozenset((
    "const", "contains", "default", "deprecated", "description", "else", "enum", "examples", "exclusiveMaximum",
    "exclusiveMinimum", "format", "if", "items", "maximum", "minimum", "not", "pattern", "properties", "readOnly",
    "required", "then", "title", "type", "writeOnly",
))  # fmt: skip
"""Keywords of JSON Schema that are words, and may well be the name of a property."""


def is_schema(map_: Mapping[str, Any]) -> bool:
    """Return whether a map is a JSON Schema and not a map of properties.

    The schema of a property is a map. So a keyword whose value is none, such as ``type: object``, makes a schema of the
    whole; so does ``properties`` with a map of maps, and a keyword that can be nothing else.
    """
    return any(
        key.startswith("$")
        or key in _ALWAYS
        or (key == "properties" and _holds_properties(value))
        or (key in _OTHERS and not isinstance(value, Mapping))
        for key, value in map_.items()
    )


def _holds_properties(value: Any) -> bool:
    """Return whether ``properties`` is the keyword and not a property of that name, whose value would be a schema."""
    return isinstance(value, Mapping) and not is_schema(value)


def schema_of(format_: Any) -> dict[str, Any] | None:
    """Return the JSON Schema that a ``format`` means: ``json`` is any object, a map of properties an object of them.

    The bare word is never sent: one of Ollama's two prompt paths accepts it and then enforces nothing.
    """
    if format_ is None:
        return None
    if not isinstance(format_, Mapping):
        return {"type": "object"}
    if is_schema(format_):
        return dict(format_)
    return {"type": "object", "properties": dict(format_), "required": list(format_)}
