"""unexpanded-variable: `${NAME}` stands for nothing here; a pipeline reads no environment.

Bad:   prompt: You work for ${COMPANY}.
Good:  prompt: You work for {{ company }}.     with inputs: {company: {type: string}}

What runs must be in the pipeline and its inputs, so that a run can be repeated. A value from the environment is given
as an input: `llm-gc run team.yaml --company "$COMPANY"`.
"""

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import Severity
from llm_gc.protocol import Path

SEVERITY: Severity = "warning"

_VARIABLE = re.compile(r"\$\{([A-Z_][A-Z0-9_]*)(?::?[-=?+][^}]*)?\}")


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report each `${NAME}` in the texts and names of a pipeline."""
    for path, text in _strings(subject):
        for found in _VARIABLE.finditer(text):
            name = found[1].lower().strip("_") or "value"
            message = f"{found[0]!r} is no variable here: it is used as these very words"
            hint = f"Declare an input, and write {{{{ {name} }}}} for it."
            if path[-1] in ("host", "extends", "scene"):
                hint = "Name it when the pipeline is run: --host, OLLAMA_HOST." if path[-1] == "host" else ""
            line = text.count("\n", 0, found.start()) + 1
            column = found.start() - text.rfind("\n", 0, found.start())
            yield Problem(path, message, hint, line=line, column=column)


def _strings(subject: RuleContext) -> Iterator[tuple[Path, str]]:
    """Return every text in the models with its path; what lies in models of their own is listed there."""
    for path, model in subject.models:
        for name, field in type(model).model_fields.items():
            yield from _in_value(getattr(model, name), (*path, field.alias or name))


def _in_value(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        if "${" in value:
            yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _in_value(inner, (*path, key))
    elif isinstance(value, list) and not any(isinstance(inner, BaseModel) for inner in value):
        for index, inner in enumerate(value):
            yield from _in_value(inner, (*path, index))
