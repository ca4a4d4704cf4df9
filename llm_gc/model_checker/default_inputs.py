"""Inputs for an exploration: what is given, else the default, else an example, else made up from the schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from llm_gc.backends.sampling import sample
from llm_gc.language.inputs import coerce, misfit, resolve
from llm_gc.language.pipeline import Pipeline

LINES = "the first line\nthe second line\nthe third line"
"""A made-up text has several lines: it may be a list to whoever splits it."""

Origin = Literal["given", "default", "example", "made up"]


@dataclass(frozen=True)
class DefaultInputs:
    """The value of an input, and where it is from."""

    value: Any
    origin: Origin


def default_inputs(pipeline: Pipeline, given: Mapping[str, Any], *, texts: bool = False) -> dict[str, DefaultInputs]:
    """Return a value for each input. With ``texts``, what is given are words of a command line.

    Raises:
        UsageError: naming every input that is unknown or does not fit.

    """
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for name, schema in pipeline.inputs.items():
        value, origin = _value(schema)
        if name in given:
            value, origin = given[name], "given"
            value = coerce(value, schema) if texts and isinstance(value, str) else value
        values[name], origins[name] = value, origin
    unknown = {name: value for name, value in given.items() if name not in pipeline.inputs}
    resolved = resolve(pipeline.inputs, {**values, **unknown})
    return {name: DefaultInputs(value, origins[name]) for name, value in resolved.items()}


def _value(schema: Mapping[str, Any]) -> tuple[Any, Origin]:
    if "default" in schema:
        return schema["default"], "default"
    fitting = (one for one in schema.get("examples", ()) if not misfit(one, schema))
    for example in fitting:
        return example, "example"
    if schema.get("type", "string") == "string" and not misfit(LINES, schema):
        return LINES, "made up"
    return sample(schema, Random(0)), "made up"  # it need not be unforeseeable, but the same each time
