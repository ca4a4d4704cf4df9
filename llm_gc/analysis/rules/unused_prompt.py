"""unused-prompt: a file in the prompts folder that has the pipeline's name, and no pipeline there names it.

Bad:   prompts/m1/old.j2         which neither m1.yaml nor another pipeline in its folder mentions
Good:  prompts/m1/reviewer.j2    with prompt: m1/reviewer.j2 in m1.yaml
"""

from collections.abc import Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import Severity

WHOLE = True
SEVERITY: Severity = "warning"


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report every file that belongs to this pipeline and to none of its templates."""
    for name in subject.facts.spare_prompts:
        if name not in subject.templates:
            message = f"no pipeline uses the prompt file {name!r}"
            yield Problem(("name",), message, "Use it, or take it out.", file=name, line=1, column=1)
