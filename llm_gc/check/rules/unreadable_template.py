"""unreadable-template: a template or expression with a syntax error, or a prompt file that is not there.

Bad:   prompt: m1/reviwer.j2     when: "{{ turn > 2 }}"
Good:  prompt: m1/reviewer.j2    when: turn > 2
"""

from collections.abc import Iterator, Mapping

from llm_gc.check.problem import Problem
from llm_gc.check.shape import near
from llm_gc.errors import TemplateError
from llm_gc.pipeline import Pipeline
from llm_gc.templates import Templates
from llm_gc.texts import texts


def check(pipeline: Pipeline, prompts: Mapping[str, str]) -> Iterator[Problem]:
    """Compile every template and expression; report those that cannot be."""
    templates = Templates(prompts)
    for text in texts(pipeline):
        if text.file and text.file not in prompts:
            yield Problem(text.path, f"there is no file {text.file!r} under prompts/", near(text.file, list(prompts)))
            continue
        try:
            if text.kind == "expression":
                templates.expression(text.text)
            else:
                templates.template(text.text)
        except TemplateError as error:
            yield Problem(text.path, f"the {text.kind} cannot be read: {error.message}", file=error.file, line=error.line)
