"""bad-input: an input whose schema is no JSON Schema, or whose default does not fit it.

Bad:   inputs: {rounds: {type: integr, default: 3}}
Good:  inputs: {rounds: {type: integer, default: 3}}
"""

from collections.abc import Iterator

from llm_gc.check.problem import Problem
from llm_gc.check.schemas import problems
from llm_gc.check.subject import Subject
from llm_gc.inputs import misfits


def check(subject: Subject) -> Iterator[Problem]:
    for name, schema in subject.pipeline.inputs.items():
        path = ("inputs", name)
        found = list(problems(schema, path))
        yield from found
        for inside, wrong in misfits(schema["default"], schema) if not found and "default" in schema else ():
            yield Problem((*path, "default", *inside), f"the default does not fit the input's own schema: {wrong}")
