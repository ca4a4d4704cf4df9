"""The rules beyond the schema: one file each, one line each here; a rule's name is its code."""

from collections.abc import Callable, Iterator, Mapping

from llm_gc.check.problem import Problem
from llm_gc.check.rules import bad_input, unknown_name, unknown_role, unreadable_template
from llm_gc.pipeline import Pipeline

Rule = Callable[[Pipeline, Mapping[str, str]], Iterator[Problem]]

RULES: dict[str, Rule] = {
    "unknown-role": unknown_role.check,
    "unreadable-template": unreadable_template.check,
    "unknown-name": unknown_name.check,
    "bad-input": bad_input.check,
}
