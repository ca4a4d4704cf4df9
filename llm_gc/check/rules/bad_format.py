"""bad-format: the `format` of a reply is no JSON Schema, or one that no reply can be held against.

Bad:   format: {approved: boolean}
Good:  format: {approved: {type: boolean}}       format: {type: object, properties: {approved: {type: boolean}}}
"""

from collections.abc import Iterator, Mapping
from typing import Any

from llm_gc.check.problem import Problem
from llm_gc.check.schemas import TYPES, problems
from llm_gc.check.subject import Subject
from llm_gc.check.words import shown
from llm_gc.inputs import misfit
from llm_gc.pipeline import Role
from llm_gc.protocol import Path
from llm_gc.steps.fields import is_schema
from llm_gc.steps.say import Turn


def check(subject: Subject) -> Iterator[Problem]:
    for at, model in subject.models:
        format_ = model.format if isinstance(model, (Role, Turn)) else None
        if isinstance(format_, Mapping):
            yield from _checked(format_, (*at, "format"))


def _checked(format_: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    if is_schema(format_):
        found = list(problems(format_, path))
        yield from found
        properties = format_.get("properties", {}) if not found else {}
        yield from _defaults(properties, (*path, "properties"))
        return
    for name, schema in format_.items():
        at = (*path, name)
        if not isinstance(schema, (Mapping, bool)):
            hint = f"Write {name}: {{type: {schema}}}." if schema in TYPES else "Write for example {type: string}."
            yield Problem(at, f"{shown(schema)} was given as the schema of {name!r}, and a map was expected", hint)
            continue
        found = list(problems(schema, at))
        yield from found
        if not found:
            yield from _defaults({name: schema}, path)


def _defaults(properties: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """A failed turn has the defaults of its format as its data: they must fit."""
    for name, schema in properties.items():
        if not isinstance(schema, Mapping) or "default" not in schema or "$ref" in str(schema):
            continue
        if wrong := misfit(schema["default"], schema):
            yield Problem((*path, name, "default"), f"the default does not fit its own schema: {wrong}")
