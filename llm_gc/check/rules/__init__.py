"""The rules beyond the schema: one file each, one line each here; a rule's name is its code."""

from collections.abc import Callable, Iterator, Mapping

from llm_gc.check.problem import Problem
from llm_gc.check.rules import (
    bad_format,
    bad_input,
    bad_option,
    bad_stop,
    idle_key,
    role_without_model,
    taken_name,
    unknown_attribute,
    unknown_name,
    unknown_role,
    unreadable_template,
)
from llm_gc.pipeline import Pipeline

Rule = Callable[[Pipeline, Mapping[str, str]], Iterator[Problem]]

RULES: dict[str, Rule] = {
    "unknown-role": unknown_role.check,
    "unreadable-template": unreadable_template.check,
    "unknown-name": unknown_name.check,
    "unknown-attribute": unknown_attribute.check,
    "taken-name": taken_name.check,
    "bad-input": bad_input.check,
    "bad-format": bad_format.check,
    "bad-option": bad_option.check,
    "bad-stop": bad_stop.check,
    "idle-key": idle_key.check,
    "role-without-model": role_without_model.check,
}
