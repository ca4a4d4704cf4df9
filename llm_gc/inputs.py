"""A pipeline's inputs: JSON Schemas, filled from texts of a command line or from values of a program."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from llm_gc.errors import UsageError

TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")

_SIMPLE = {"type", "description", "default", "title", "examples", "minimum", "maximum", "minLength", "maxLength", "enum"}


def resolve(schemas: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any], *, texts: bool = False) -> dict[str, Any]:
    """Give all inputs, defaults filled in. With ``texts``, what is given are words of a command line.

    Raises:
        UsageError: naming every input that is missing, unknown or does not fit.

    """
    wrong: list[str] = []
    values: dict[str, Any] = {}
    for name in given:
        if name not in schemas:
            declared = ", ".join(schemas) or "none"
            wrong.append(f"there is no input {name!r}; the inputs are: {declared}")
    for name, schema in schemas.items():
        if name in given:
            value = coerce(given[name], schema) if texts and isinstance(given[name], str) else given[name]
            if problem := misfit(value, schema):
                wrong.append(f"the input {name!r} does not fit: {problem}")
            values[name] = value
        elif "default" in schema:
            values[name] = schema["default"]
        else:
            about = f" ({schema['description']})" if schema.get("description") else ""
            wrong.append(f"the input {name!r} is missing{about}; give it as --{name.replace('_', '-')}")
    if wrong:
        raise UsageError("\n".join(wrong))
    return values


def coerce(text: str, schema: Mapping[str, Any]) -> Any:
    """Read a word of a command line as what the schema asks for; as it is, where it cannot be read so."""
    types = schema.get("type", "string")
    for type_ in [types] if isinstance(types, str) else types:
        if type_ == "string":
            return text
        try:
            value = json.loads({"yes": "true", "no": "false"}.get(text, text) if type_ == "boolean" else text)
        except ValueError:
            continue
        if _is(value, type_):
            return value
    return text


def misfit(value: Any, schema: Mapping[str, Any]) -> str:
    """Say how a value does not fit a schema; empty where it does.

    The plain cases are looked at here, since jsonschema costs more to import than all the rest of a short run.
    """
    if set(schema) <= _SIMPLE and isinstance(schema.get("type", ""), str):
        return _simple_misfit(value, schema)
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError, best_match

    try:
        Draft202012Validator.check_schema(dict(schema))
    except SchemaError as error:
        return f"its schema is no JSON Schema: {error.message}"
    found = best_match(Draft202012Validator(dict(schema)).iter_errors(value))
    return "" if found is None else found.message


def _simple_misfit(value: Any, schema: Mapping[str, Any]) -> str:
    type_ = schema.get("type")
    if type_ is not None and not _is(value, type_):
        return f"{value!r} is not of type {type_}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{value!r} is not one of {', '.join(map(str, schema['enum']))}"
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


def _is(value: Any, type_: str) -> bool:
    match type_:
        case "string":
            return isinstance(value, str)
        case "integer":
            return not isinstance(value, bool) and (
                isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            )
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "array":
            return isinstance(value, (list, tuple))
        case "object":
            return isinstance(value, Mapping)
        case "null":
            return value is None
    return False
