"""failing-template: a template or expression that fails whatever was said before it: it names nothing that could help.

Bad:   times: "{{ '3' + 1 }}"      when: 1 / 0 > 1
Good:  times: "{{ 3 + 1 }}"        when: turn / 2 > 1
"""

from collections.abc import Iterator, Mapping
from typing import Any

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import TemplateError

_NOTHING: Mapping[str, Any] = {}


def check(subject: RuleContext) -> Iterator[Problem]:
    everywhere = subject.templates.everywhere
    for text, compiled in subject.texts:
        if compiled is None or not compiled.names <= everywhere:
            continue
        try:
            compiled(_NOTHING.__getitem__)
        except TemplateError as error:
            is_expression = text.kind == "expression"
            for one in subject.templates.culprits(text.text, error, is_expression=is_expression):
                message = f"the {text.kind} always fails: {one.message}"
                yield Problem(text.path, message, file=one.file, line=one.line or 1, column=one.column)
