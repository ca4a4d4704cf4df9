"""bad-input: an input whose schema is no JSON Schema, or whose default does not fit it, or whose name is taken.

Bad:   inputs: {rounds: {type: integr, default: 3}}
Good:  inputs: {rounds: {type: integer, default: 3}}
"""

from collections.abc import Iterator, Mapping

from llm_gc.check.problem import Problem
from llm_gc.check.rules.unknown_name import NAMES
from llm_gc.check.shape import near
from llm_gc.inputs import TYPES, misfit
from llm_gc.pipeline import Pipeline


def check(pipeline: Pipeline, _prompts: Mapping[str, str]) -> Iterator[Problem]:
    """Report what is wrong with the declarations of inputs."""
    for name, schema in pipeline.inputs.items():
        path = ("inputs", name)
        if name in NAMES or name in pipeline.roles:
            taken = "a name of llm-gc's own" if name in NAMES else "a role too"
            yield Problem(path, f"the input {name!r} is {taken}", "Call it something else.", key=True)
        type_ = schema.get("type")
        if isinstance(type_, str) and type_ not in TYPES:
            yield Problem((*path, "type"), f"{type_!r} is no type of JSON Schema", near(type_, list(TYPES)))
        elif "default" in schema and (wrong := misfit(schema["default"], schema)):
            yield Problem((*path, "default"), f"the default does not fit the input's own schema: {wrong}")
