"""The values of keys that roles and steps share: what a speaker sees, and the format of a reply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from llm_gc.steps.base import Expression, Name, Strict

Who = Literal["all", "none", "own", "others"] | list[Name]


def _read_view(value: Any) -> Any:
    return value if isinstance(value, (Mapping, View)) else {"from": value}


class View(Strict):
    """What a speaker is shown of what was said."""

    from_: Who = Field("all", alias="from", description="Whose messages: all, none, own, others, or a list of roles.")
    last: int | None = Field(None, ge=1, description="Only so many of the newest messages of each speaker.")
    opening: bool = Field(True, description="Whether the opening is shown.")


Sees = Annotated[View, BeforeValidator(_read_view, json_schema_input_type=Who | View)]


class Stop(Strict):
    """What ends the conversation when it is said: a token, or an expression that turns true."""

    token: str | None = Field(None, min_length=1, description="The text that ends it.", examples=["APPROVED"])
    match: Literal["line", "contains", "regex"] = Field(
        "line", description="Whether the token is a line of its own, anywhere in the reply, or a regular expression."
    )
    role: Name | None = Field(None, description="Only when this role says it.")
    when: Expression | None = Field(None, description="An expression, looked at after each message that is heard.")


def _read_stop(value: Any) -> Any:
    return {"token": value} if isinstance(value, str) else value


AnyStop = Annotated[Stop, BeforeValidator(_read_stop, json_schema_input_type=str | Stop)]


Format = Literal["json"] | dict[str, Any]

_KEYWORDS = frozenset(
    [
        "$ref",
        "$defs",
        "type",
        "enum",
        "const",
        "properties",
        "items",
        "prefixItems",
        "anyOf",
        "oneOf",
        "allOf",
        "not",
        "required",
        "pattern",
        "additionalProperties",
        "minimum",
        "maximum",
    ]
)


def schema_of(format_: Any) -> dict[str, Any] | None:
    """Give the JSON Schema that a ``format`` stands for: ``json`` is any object, a map of properties an object of them.

    The bare word is never sent: one of Ollama's two prompt paths accepts it and then enforces nothing.
    """
    if format_ is None:
        return None
    if format_ == "json":
        return {"type": "object"}
    if any(key in _KEYWORDS for key in format_) and not all(isinstance(v, Mapping) for v in format_.values()):
        return dict(format_)
    return {"type": "object", "properties": dict(format_), "required": list(format_)}
