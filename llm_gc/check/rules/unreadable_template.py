"""unreadable-template: a template or expression with a syntax error, or a prompt file that is not there.

Bad:   prompt: m1/reviwer.j2     when: "{{ turn > 2 }}"
Good:  prompt: m1/reviewer.j2    when: turn > 2
"""

from collections.abc import Iterator, Mapping

from llm_gc.check.problem import Problem
from llm_gc.errors import TemplateError
from llm_gc.pipeline import Pipeline
from llm_gc.templates import Templates
from llm_gc.texts import texts


def check(pipeline: Pipeline, prompts: Mapping[str, str]) -> Iterator[Problem]:
    templates = Templates.over(prompts)
    for text in texts(pipeline):
        if text.file and text.file not in prompts:
            continue  # whoever reads the files has said so
        try:
            if text.kind == "expression":
                templates.expression(text.text)
            else:
                templates.template(text.text)
        except TemplateError as error:
            message = f"the {text.kind} cannot be read: {error.message}"
            yield Problem(text.path, message, file=error.file, line=error.line or 1, column=error.column)
