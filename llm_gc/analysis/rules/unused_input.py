"""unused-input: an input that no template uses, so that whatever is given for it changes nothing.

Bad:   inputs: {task: {type: string}}     opening: Write a poem.
Good:  inputs: {task: {type: string}}     opening: "{{ task }}"
"""

from collections.abc import Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import Severity

WHOLE = True
SEVERITY: Severity = "warning"
AFTER = ("taken-name", "unknown-name", "unset-name")


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report every input of which no text speaks."""
    if subject.is_unread:
        return  # what cannot be read may use them all
    used = {name for _, compiled in subject.texts if compiled for name in compiled.names}
    for name in subject.pipeline.inputs:
        if name not in used:
            message = f"the input {name!r} is used nowhere"
            yield Problem(("inputs", name), message, "Use it, or take it out.", key=True, own=True)
