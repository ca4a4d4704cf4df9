"""bad-format: the `format` of a reply is no JSON Schema, or one that no reply can be held against.

Bad:   format: {approved: boolean}
Good:  format: {approved: {type: boolean}}       format: {type: object, properties: {approved: {type: boolean}}}
"""

from collections.abc import Iterator, Mapping
from typing import Any

from llm_gc.analysis.author_schemas import TYPES, problems
from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.analysis.wording import shown
from llm_gc.language.fields import is_schema
from llm_gc.language.inputs import misfit
from llm_gc.language.pipeline import Role
from llm_gc.language.steps.say import SpeakingStep
from llm_gc.protocol import Path


def check(subject: RuleContext) -> Iterator[Problem]:
    for at, model in subject.models:
        format_ = model.format if isinstance(model, (Role, SpeakingStep)) else None
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
