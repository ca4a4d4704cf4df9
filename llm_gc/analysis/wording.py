"""What a JSON Schema expects, and what was given in its place, in words for authors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from llm_gc.language.base import DYNAMIC, NAME
from llm_gc.protocol import Path
from llm_gc.values import units
from llm_gc.values.did_you_mean import nearest
from llm_gc.values.safe_text import mask_all

_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a map",
    "array": "a list",
    "null": "nothing",
}

_PATTERNS = {
    NAME: "a name of small letters, digits and _",
    DYNAMIC: "a template in {{ }}",
    units.PATTERN: "a duration such as 30s, 2m or 1h",
    r"\.json$": "the name of a .json file",
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$": "a name of at most 64 letters, digits, dots, hyphens and _",
}

_FORMS = frozenset(("const", "enum", "pattern"))

EMPTY = {"minItems": "an item", "minProperties": "an entry", "minLength": "some text"}
"""What is lacking where there is nothing."""


def expected(schema: Mapping[str, Any]) -> str:
    """Return what a schema expects."""
    if "$ref" in schema:
        return "a step" if schema["$ref"].endswith("/step") else "a map"
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if "anyOf" in schema:
        return one_of(expected(branch) for branch in schema["anyOf"])
    if schema.get("pattern") in _PATTERNS:
        return _PATTERNS[schema["pattern"]]
    types = schema.get("type", "object")
    if types == ["string", "object"]:
        return "the name of a role or a map"
    return one_of(_TYPES[name] for name in ([types] if isinstance(types, str) else types))


def one_of(words: Iterable[str]) -> str:
    """Join alternatives."""
    *front, last = dict.fromkeys(words)
    if not front:
        return last
    return ", ".join(front) + (", or " if any("," in word for word in front) else " or ") + last


def bound(keyword: str, limit: Any) -> str:
    """Return what a keyword of JSON Schema asks for beyond a type."""
    match keyword:
        case "enum":
            return "one of " + ", ".join(map(str, limit))
        case "const":
            return str(limit)
        case "pattern":
            return _PATTERNS.get(limit, f"text that matches {limit}")
        case "minimum":
            return f"at least {limit}"
        case "maximum":
            return f"at most {limit}"
        case "minItems" | "minProperties" | "minLength":
            return f"at least {limit} of them"
    return f"{keyword} {limit}"


def shown(value: Any) -> str:
    """Show a value, or say what it is where it is too large to show."""
    if isinstance(value, (dict, list)):
        what = "map" if isinstance(value, dict) else "list"
        return f"a {what}" if value else f"an empty {what}"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value == "":
        return "an empty text"
    text = mask_all(repr(value))
    return text if len(text) <= 60 else text[:57] + "…" + text[-1]


def within(path: Path) -> str:
    """Return where, in words: the innermost names of a path."""
    names = [str(step) for step in path if isinstance(step, str)]
    return f" in {'.'.join(names[-2:])!r}" if names else ""


def as_name(text: str) -> str:
    """Return a name that is as near to a text as a name can be; empty where nothing of it is left."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    return name if name[:1].isalpha() else ""


def advice(value: Any, schema: Mapping[str, Any]) -> str:
    """Return how a value is written that is of the wrong type, where the slip is a common one."""
    branches = [schema, *schema.get("anyOf", [])]
    types = [type_ for branch in branches for type_ in _listed(branch.get("type", []))]
    words = [str(word) for branch in branches for word in [*branch.get("enum", []), *_listed(branch.get("const", []))]]
    if isinstance(value, str):
        if value.lower() in ("yes", "no", "on", "off") and "boolean" in types:
            return f"Write {'true' if value.lower() in ('yes', 'on') else 'false'}."
        if found := nearest(value, words):
            return f"Did you mean {found!r}?"
        if value.strip().lstrip("-").isdigit() and {"integer", "number"} & {*types}:
            return "Leave the quotes out."
        if "array" in types and "string" not in types:
            fits = len(value) <= 40 and "\n" not in value
            return f"Write it as a list: [{value}]." if fits else "Write it as a list."
        if value in _TYPES and "object" in types:
            return f"Write {{type: {value}}}."
    if isinstance(value, (int, float)):
        if any(branch.get("pattern") == units.PATTERN for branch in branches):
            return f"Write {value}s for seconds." if not isinstance(value, bool) else ""
        if any(branch.get("type") == "string" and not branch.keys() & _FORMS for branch in branches):
            return "Put it in quotes."
    return ""


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
