"""unknown-name: a template uses a name that no input, step or loop declares, and that is no name of llm-gc's own.

Bad:   opening: "Task: {{ taks }}"   with inputs: {task: …}
Good:  opening: "Task: {{ task }}"
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from llm_gc.check.problem import Problem
from llm_gc.check.shape import near
from llm_gc.errors import TemplateError
from llm_gc.pipeline import Pipeline
from llm_gc.steps.set import Set
from llm_gc.templates import Templates
from llm_gc.texts import Text, texts

NAMES = ("last", "said", "messages", "roles", "role", "turn", "round")
"""The names that llm-gc itself gives to templates."""

JINJA = ("range", "dict", "cycler", "joiner", "namespace", "loop", "self", "super", "caller")


def check(pipeline: Pipeline, prompts: Mapping[str, str]) -> Iterator[Problem]:
    """Report the names that nothing declares; `is defined` anywhere in the text counts as a guard."""
    templates = Templates(prompts)
    known = {*NAMES, *JINJA, *pipeline.inputs, *_given(pipeline.turns)}
    for text in texts(pipeline):
        try:
            compiled = templates.expression(text.text) if text.kind == "expression" else templates.template(text.text)
        except TemplateError:
            continue  # another rule speaks of it
        source = prompts.get(text.file, "") if text.file else text.text
        for name in sorted(compiled.names - known):
            if not re.search(rf"\b{name}\s+is\s+(not\s+)?defined\b", source):
                yield _problem(text, source, name, sorted(known - set(JINJA)))


def _problem(text: Text, source: str, name: str, known: list[str]) -> Problem:
    found = re.search(rf"\b{name}\b", source)
    line = source.count("\n", 0, found.start()) + 1 if found else None
    declared = ", ".join(known)
    hint = near(name, known) or f"The names here are {declared}."
    return Problem(text.path, f"nothing declares the name {name!r}", hint, file=text.file or "", line=line)


def _given(value: Any) -> Iterator[str]:
    """Give the names that steps set."""
    if isinstance(value, BaseModel):
        for key in ("as_", "for_"):
            name = getattr(value, key, None)
            if isinstance(name, str):
                yield name
        if isinstance(value, Set):
            yield from value.set
        for field in type(value).model_fields:
            yield from _given(getattr(value, field))
    elif isinstance(value, list):
        for item in value:
            yield from _given(item)
