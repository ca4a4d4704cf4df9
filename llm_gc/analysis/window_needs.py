"""How large a context window a role can need: a bound that holds for all values of the inputs, so far as they have one.

The course of a conversation is gone with every input as large as its schema lets it be. What a schema leaves open has
its default, or stands for a text or a list of an ordinary size.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from llm_gc.analysis.pipeline_facts import PipelineFacts
from llm_gc.analysis.worst_case import WorstCase
from llm_gc.language.pipeline import Pipeline

TEXT = 2000
"""Characters of an input for which no ``maxLength`` is given, unless its default is longer."""

ITEMS, MOST_ITEMS = 4, 100
"""Items of a list for which no ``maxItems`` is given, unless its default is longer; more than these are not made up."""

MOST_TEXT = 1_000_000
_WORD = "word "


def needs(pipeline: Pipeline, prompts: Mapping[str, str], scenes: Mapping[str, Pipeline]) -> dict[str, int]:
    """Return by role how many tokens its longest prompt and the reply to it can have together."""
    inputs = {name: {**schema, "default": largest(schema)} for name, schema in pipeline.inputs.items()}
    bounded = pipeline.model_copy(update={"inputs": inputs})
    return WorstCase(PipelineFacts(bounded, prompts, scenes), is_measured=True).peaks


def largest(schema: Any) -> Any:
    """Return a value as large as a schema lets it be; where the schema gives no bound, one of an ordinary size."""
    if not isinstance(schema, dict):
        return _text(TEXT)
    default = schema.get("default")
    if "const" in schema or schema.get("enum"):
        return max([schema["const"]] if "const" in schema else schema["enum"], key=_size)
    kinds = schema.get("type", "string")
    made = [_largest(kind, schema, default) for kind in (kinds if isinstance(kinds, list) else [kinds])]
    return max(made, key=_size)


def _largest(kind: Any, schema: dict[str, Any], default: Any) -> Any:
    match kind:
        case "boolean":
            return True
        case "null":
            return None
        case "integer" | "number":
            return _number(schema, default)
        case "array":
            count = schema.get("maxItems", max(ITEMS, len(default) if isinstance(default, list) else 0))
            return [largest(schema.get("items"))] * min(int(count), MOST_ITEMS)
        case "object":
            properties = schema.get("properties", {})
            return {name: largest(one) for name, one in properties.items()} if properties else default or {}
    given = len(default) if isinstance(default, str) else 0
    return _text(min(int(schema.get("maxLength", max(TEXT, given))), MOST_TEXT))


def _number(schema: dict[str, Any], default: Any) -> Any:
    """Return the largest number: its maximum, else its default, else the least one."""
    known = (schema.get("maximum"), schema.get("exclusiveMaximum"), default, schema.get("minimum"))
    return next((one for one in known if isinstance(one, (int, float)) and not isinstance(one, bool)), 1)


def _text(size: int) -> str:
    return (_WORD * (size // len(_WORD) + 1))[:size]


def _size(value: Any) -> int:
    return 0 if value is None else len(json.dumps(value, default=str))
