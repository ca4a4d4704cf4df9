"""What the JSON Schema has to say of a document, in sentences for its author."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from llm_gc.check.problem import Problem
from llm_gc.protocol import Path
from llm_gc.schema import pipeline_schema
from llm_gc.steps import KINDS

BRACES = r"\{\{"
"""The pattern of a template that stands in the place of a number."""

_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a map",
    "array": "a list",
    "null": "nothing",
}


def check(document: Any) -> Iterator[Problem]:
    """Give everything in which a document is not as the schema says."""
    from jsonschema import Draft202012Validator  # only what is wrong pays for its import

    errors = Draft202012Validator(pipeline_schema()).iter_errors(document)
    for error in sorted(errors, key=lambda e: [str(step) for step in e.absolute_path]):
        yield from _explain(error, ())


def _explain(error: Any, outer: Path) -> Iterator[Problem]:
    path: Path = (*outer, *error.path) if outer else tuple(error.absolute_path)
    keyword, value, expected = error.validator, error.instance, error.validator_value
    match keyword:
        case "if":
            for inner in error.context:
                yield from _explain(inner, path)
        case "anyOf":
            yield from _explain_alternatives(error, path)
        case "oneOf":
            yield _which_kind(path, value)
        case "additionalProperties":
            known = list(error.schema.get("properties", {}))
            for key in [key for key in value if key not in known]:
                yield Problem((*path, key), f"unknown key {key!r}{_in(path)}", near(key, known), key=True)
        case "required":
            for key in [key for key in expected if key not in value]:
                yield Problem(path, f"the key {key!r} is missing{_in(path)}", key=True)
        case "type":
            if value is None and path:
                yield Problem(path, f"the key {path[-1]!r} has no value", f"Give it {_named(error.schema)}.", key=True)
            else:
                yield Problem(path, f"{_shown(value)} was given{_in(path)}, and {_named(error.schema)} was expected")
        case "pattern" if error.parent is not None and error.parent.validator == "propertyNames":
            yield _bad_name((*path, value), value)
        case "propertyNames":
            yield from (_bad_name((*path, inner.instance), inner.instance) for inner in [error, *error.context][:1])
        case _:
            yield Problem(path, f"{_shown(value)} was given{_in(path)}, and {_bounded(error)} was expected")


def _explain_alternatives(error: Any, path: Path) -> Iterator[Problem]:
    """Speak about the alternative that was meant: the one whose type fits; about all of them where none does."""
    branches: dict[int, list[Any]] = {}
    for inner in error.context:
        branches.setdefault(inner.schema_path[0], []).append(inner)
    for inners in branches.values():
        if not any(_is_another_type(inner) for inner in inners):
            for inner in inners:
                yield from _explain(inner, path)
            return
    names = [_named(branch) for branch in error.validator_value]
    expected = " or ".join(dict.fromkeys(names))
    if error.instance is None and path:
        yield Problem(path, f"the key {path[-1]!r} has no value", f"Give it {expected}.", key=True)
    else:
        yield Problem(path, f"{_shown(error.instance)} was given{_in(path)}, and {expected} was expected")


def _is_another_type(error: Any) -> bool:
    """Tell whether an alternative was not meant at all: another type, or a template without braces."""
    no_template = error.validator == "pattern" and error.validator_value == BRACES
    return not error.path and (no_template or error.validator in ("type", "const", "enum"))


def _which_kind(path: Path, value: dict[str, Any]) -> Problem:
    found = [key for key in value if key in KINDS]
    if len(found) > 1:
        return Problem(path, f"a step is one thing, and this one has the keys {' and '.join(found)}")
    hint = next((near(key, list(KINDS)) for key in value if near(key, list(KINDS))), "")
    return Problem(path, f"a step must have one of the keys {', '.join(KINDS)}, and this one has none", hint)


def _bad_name(path: Path, name: Any) -> Problem:
    message = f"{name!r} is no name; a name has small letters, digits and _, and begins with a letter"
    return Problem(path, message, key=True)


def _named(schema: dict[str, Any]) -> str:
    """Say what a schema expects."""
    if "$ref" in schema:
        return "a step" if schema["$ref"].endswith("/step") else "a map"
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    if "const" in schema:
        return repr(schema["const"])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_named(branch) for branch in schema["anyOf"]))
    if schema.get("pattern") == BRACES:
        return "a template in {{ }}"
    if schema.get("pattern", "").endswith("(ms|s|m|h)$"):
        return "a duration such as 30s, 2m or 1h"
    types = schema.get("type", "object")
    return " or ".join(_WORDS[name] for name in ([types] if isinstance(types, str) else types))


def _bounded(error: Any) -> str:
    limit = error.validator_value
    match error.validator:
        case "enum":
            hint = near(error.instance, limit) if isinstance(error.instance, str) else ""
            return "one of " + ", ".join(map(str, limit)) + (f" ({hint.rstrip('?').lower()}?)" if hint else "")
        case "pattern":
            return "a duration such as 30s, 2m or 1h" if "ms|s|m|h" in limit else f"text that matches {limit}"
        case "minimum":
            return f"at least {limit}"
        case "maximum":
            return f"at most {limit}"
        case "minItems" | "minProperties" | "minLength":
            return "something in it" if limit == 1 else f"at least {limit}"
    return f"what the schema says ({error.message})"


def _in(path: Path) -> str:
    """Say where, in words: the innermost names of a path."""
    names = [str(step) for step in path if isinstance(step, str)]
    return f" in {'.'.join(names[-2:])!r}" if names else ""


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a map" if value else "an empty map"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if value is None:
        return "nothing"
    return repr(value) if len(repr(value)) <= 60 else repr(value)[:57] + "…'"


def near(word: str, known: list[str]) -> str:
    """Ask whether a near name was meant; empty where none is near."""
    found = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"Did you mean {found[0]!r}?" if found else ""
