"""Structured replies: parsed, held against their schema, and how to ask again for one that does not fit."""

from __future__ import annotations

import json
from typing import Any

from llm_gc.errors import TemplateError
from llm_gc.protocol import Failure
from llm_gc.templates.filters import unfenced
from llm_gc.values import json_schema, regex
from llm_gc.values.frozen import freeze

_MISFIT = "The structured reply does not fit its format:"


def parse(content: str, schema: Any) -> tuple[Any, str | None]:
    """Return a reply's data, and what is wrong with it (none where it fits). A code fence around it is forgiven.

    Raises:
        TemplateError: where a pattern of the schema cannot be used.

    """
    try:
        data = freeze(json.loads(unfenced(content)))
    except (ValueError, RecursionError) as error:
        return None, f"it is not valid JSON: {error}"
    wrong = _misfit(data, schema)
    return (None, wrong) if wrong else (data, None)


def _misfit(data: Any, schema: Any) -> str | None:
    try:
        error = json_schema.best(json_schema.errors(data, schema))
    except regex.TooLong as found:
        return f"it cannot be held against its schema: {found}"
    except regex.RegexError as found:  # validate refuses it; a transcript may have been recorded before it did
        raise TemplateError(f"the format cannot be used: {found}") from found
    except Exception as broken:  # noqa: BLE001  # numbers beyond all floats, schemas that lead nowhere or in a circle
        return f"it cannot be held against its schema: {broken}"
    return None if error is None else f"at {error.json_path}: {error.message}"


def defaults(schema: Any) -> Any:
    """Return what replaces the data of a failed turn: of each property its ``default`` or none, none without any."""
    properties = schema.get("properties", {}) if isinstance(schema, dict) else {}
    given = {name: inner.get("default") for name, inner in properties.items() if isinstance(inner, dict)}
    has_default = any(isinstance(inner, dict) and "default" in inner for inner in properties.values())
    return freeze(given) if has_default else None


def malformed(wrong: str) -> Failure:
    """Return the failure of a reply that does not fit."""
    return Failure("malformed", f"{_MISFIT} {wrong}.")


def repair(failure: Failure) -> str:
    """Return the words in which a role is asked again after such a failure."""
    wrong = failure.message.removeprefix(_MISFIT).strip().rstrip(".")
    return f"That reply does not fit the required format: {wrong}. Reply again with the JSON alone, and nothing else."
