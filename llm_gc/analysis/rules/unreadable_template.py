"""unreadable-template: a template or expression with a syntax error, or a prompt file that is not there.

Bad:   prompt: m1/reviwer.j2     when: "{{ turn > 2 }}"
Good:  prompt: m1/reviewer.j2    when: turn > 2
"""

from collections.abc import Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import TemplateError


def check(subject: RuleContext) -> Iterator[Problem]:
    templates = subject.templates
    for text, compiled in subject.texts:
        if compiled is not None or (text.file and text.file not in templates):
            continue  # of a file that is not there, whoever reads the files has said so
        try:
            _ = templates.expression(text.text) if text.kind == "expression" else templates.template(text.text)
        except TemplateError as error:
            for one in (error, *error.others):
                message = f"the {text.kind} cannot be read: {one.message}"
                hint = "For an empty text write \"''\"." if not text.text and text.path[-2] == "set" else ""
                yield Problem(text.path, message, hint, file=one.file, line=one.line or 1, column=one.column)
