"""bad-input: an input whose schema is no JSON Schema, or whose default does not fit it.

Bad:   inputs: {rounds: {type: integr, default: 3}}
Good:  inputs: {rounds: {type: integer, default: 3}}
"""

from collections.abc import Iterator

from llm_gc.analysis.author_schemas import problems
from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.language.inputs import misfits


def check(subject: RuleContext) -> Iterator[Problem]:
    for name, schema in subject.pipeline.inputs.items():
        path = ("inputs", name)
        found = list(problems(schema, path))
        yield from found
        for inside, wrong in misfits(schema["default"], schema) if not found and "default" in schema else ():
            yield Problem((*path, "default", *inside), f"the default does not fit the input's own schema: {wrong}")
