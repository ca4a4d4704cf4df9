"""JSON Schemas put together: two as one, and what a reference points at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

_LARGER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains")
_SMALLER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains")


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give a schema that asks for both, as far as that can be said in one."""
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
    """Give what a reference within the schema ``root`` points at; none where it points at nothing."""
    node = root
    for step in unquote(ref).removeprefix("#").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(node, Sequence) and not isinstance(node, str):
            node = node[int(name)] if name.isdigit() and int(name) < len(node) else None
        else:
            node = node.get(name) if isinstance(node, Mapping) else None
    return node
