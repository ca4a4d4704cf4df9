"""A pipeline's inputs: JSON Schemas, filled from texts of a command line or from values of a program."""

from __future__ import annotations

import json
import math
from collections.abc import Container, Iterator, Mapping
from typing import Any, NoReturn

from llm_gc.errors import UsageError
from llm_gc.protocol import Path
from llm_gc.values import json_schema
from llm_gc.values.did_you_mean import near
from llm_gc.values.frozen import Unfreezable, freeze
from llm_gc.values.regex import RegexError

_SIMPLE = frozenset((
    "type", "description", "default", "title", "examples", "minimum", "maximum", "minLength", "maxLength", "enum",
))  # fmt: skip

_WORDS = {
    "anyOf": "{value} fits none of the alternatives",
    "const": "{value} is not {shown}",
    "exclusiveMaximum": "{value} is not less than {wanted}",
    "exclusiveMinimum": "{value} is not more than {wanted}",
    "maxItems": "it has more items than {wanted}",
    "minItems": "it has fewer items than {wanted}",
    "multipleOf": "{value} is no multiple of {wanted}",
    "pattern": "{value} does not match {wanted}",
    "uniqueItems": "it has the same item twice",
}


def resolve(
    schemas: Mapping[str, Mapping[str, Any]],
    given: Mapping[str, Any],
    *,
    texts: bool = False,
    by_name: Container[str] = (),
) -> dict[str, Any]:
    """Return all inputs, defaults filled in, as frozen data.

    With ``texts``, what is given are words of a command line, on which those ``by_name`` have no option of their own.

    Raises:
        UsageError: naming every input that is missing, unknown or does not fit.

    """
    wrong: list[str] = []
    values: dict[str, Any] = {}
    for name in given:
        if name not in schemas:
            hint = near(name, schemas) or f"The inputs are {', '.join(schemas)}." if schemas else "It has none."
            wrong.append(f"there is no input {name!r}. {hint}")
    for name, schema in schemas.items():
        if name not in given and "default" not in schema:
            about = f" ({str(schema['description']).rstrip('.')})" if schema.get("description") else ""
            option = f"--input {name}=…" if name in by_name else f"--{name.replace('_', '-')}"
            wrong.append(f"the input {name!r} is missing{about}{f'; give it as {option}' if texts else ''}")
            continue
        value = given.get(name, schema.get("default"))
        if texts and name in given and isinstance(value, (str, list)):
            value = coerce(value, schema)
        values[name], problem = _fitted(value, schema)
        if problem and isinstance(value, str) and schema.get("type") == "array":
            items = [item.strip() for item in value.strip(" []").split(",")]
            problem = f"{_short(value)} is no list; write it as JSON: {_short_list(items)}"
        if problem:
            wrong.append(f"the input {name!r} does not fit: {problem}")
    if wrong:
        raise UsageError(*wrong)
    return values


def _fitted(value: Any, schema: Mapping[str, Any]) -> tuple[Any, str]:
    """Return a value as frozen data, and how it does not fit."""
    try:
        frozen = freeze(value)
    except Unfreezable as error:
        return None, str(error)
    if schema.get("type") == "integer" and isinstance(frozen, float) and frozen.is_integer():
        frozen = int(frozen)
    return frozen, misfit(frozen, schema)


def coerce(text: str | list[str], schema: Mapping[str, Any]) -> Any:
    """Return a word of a command line as what the schema asks for; as it is, where it cannot be read so.

    A list of words are the items of a list, and one word without a comma may be the only one.
    """
    items = schema.get("items", {})
    if isinstance(text, list):
        return [coerce(word, items) for word in text]
    if "type" not in schema and isinstance(schema.get("enum"), (list, tuple)):
        return next((value for value in schema["enum"] if text in (value, json.dumps(value))), text)
    types = schema.get("type", "string")
    for type_ in [types] if isinstance(types, str) else types:
        if type_ == "string":
            return text
        word = text.strip()
        if type_ == "boolean":
            word = {"yes": "true", "no": "false"}.get(word.lower(), word.lower())
        try:
            value = json.loads(word, parse_constant=_refuse)
        except (ValueError, RecursionError):
            continue
        if _is(value, type_):
            return value
    return [coerce(text, items)] if types == "array" and text and not _IN_LISTS.intersection(text) else text


_IN_LISTS = frozenset(",;[]{}\n")
"""Characters by which a word may be meant as a list that is written in another way."""


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def misfit(value: Any, schema: Mapping[str, Any]) -> str:
    """Return how a value does not fit a schema; empty where it does.

    The plain cases are looked at here, since jsonschema costs more to import than all the rest of a short run.
    """
    if _is_plain(schema):
        return _simple_misfit(value, schema)
    try:
        found = json_schema.best(json_schema.errors(value, schema))
    except (json_schema.TooManyChecks, RegexError) as error:
        return str(error)
    return "" if found is None else _said_of(found)


def misfits(value: Any, schema: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Yield everything in a value that does not fit a schema: where in it, and how."""
    if _is_plain(schema):
        wrong = _simple_misfit(value, schema)
        yield from [((), wrong)] if wrong else []
        return
    try:
        errors = json_schema.errors(value, schema)
    except (json_schema.TooManyChecks, RegexError) as error:
        yield (), str(error)
        return
    for one in errors:
        found = json_schema.best([one])  # of alternatives the one that was meant
        yield tuple(found.absolute_path), _said_of(found)


def _is_plain(schema: Mapping[str, Any]) -> bool:
    return schema.keys() <= _SIMPLE and isinstance(schema.get("type", ""), str)


def _said_of(error: Any) -> str:
    """Put an error of jsonschema's into words: ours, where there are some for what the schema asks."""
    value, wanted, keyword = error.instance, error.validator_value, error.validator
    words = ""
    if keyword == "type" and not isinstance(wanted, str):
        words = f"{_short(value)} is not of type {' or '.join(wanted)}"
    elif keyword in _SIMPLE:
        words = _simple_misfit(value, {keyword: wanted})
    elif keyword == "required":
        words = f"the key {next(key for key in wanted if error.message.startswith(repr(key)))!r} is missing"
    elif keyword == "additionalProperties" and "patternProperties" not in error.schema:
        known = error.schema.get("properties", {})
        unknown = next(key for key in value if key not in known)
        hint = near(unknown, known)
        words = f"there is no key {unknown!r}{'. ' if hint else ''}{hint}"
    elif keyword in _WORDS:
        words = _WORDS[keyword].format(value=_short(value), wanted=wanted, shown=_short(wanted))
    return words or str(error.message)


def _simple_misfit(value: Any, schema: Mapping[str, Any]) -> str:
    type_ = schema.get("type")
    if type_ is not None and not _is(value, type_):
        return f"{_short(value)} is not of type {type_}"
    if "enum" in schema and not any(_equal(value, one) for one in schema["enum"]):
        hint = near(value, [one for one in schema["enum"] if isinstance(one, str)]) if isinstance(value, str) else ""
        return f"{_short(value)} is not one of {', '.join(map(str, schema['enum']))}{'. ' if hint else ''}{hint}"
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    size = len(value) if isinstance(value, str) else None
    if number and value < schema.get("minimum", value):
        return f"{value} is less than {schema['minimum']}"
    if number and value > schema.get("maximum", value):
        return f"{value} is more than {schema['maximum']}"
    if size is not None and size < schema.get("minLength", 0):
        return f"{value!r} is shorter than {schema['minLength']}"
    if size is not None and size > schema.get("maxLength", size):
        return f"it is longer than {schema['maxLength']}"
    return ""


def _short(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "nothing" if value is None else str(value).lower()
    return repr(value) if len(repr(value)) <= 60 else repr(value)[:59] + "…"


def _short_list(items: list[str]) -> str:
    text = json.dumps(items, ensure_ascii=False)
    return f"'{text}'" if len(text) <= 80 else '\'["…", "…"]\''


def _equal(one: Any, other: Any) -> bool:
    """Compare as JSON does: true is not 1, and 1.0 is."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _is(value: Any, type_: str) -> bool:
    match type_:
        case "string":
            return isinstance(value, str)
        case "integer":
            return not isinstance(value, bool) and (
                isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            )
        case "number":
            return not isinstance(value, bool) and (
                isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
            )
        case "boolean":
            return isinstance(value, bool)
        case "array":
            return isinstance(value, (list, tuple))
        case "object":
            return isinstance(value, Mapping)
        case "null":
            return value is None
    return False
