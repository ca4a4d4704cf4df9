"""unused-role: a role that never speaks and never chooses.

Bad:   roles: {anna: …, ben: …}     turns: [anna]
Good:  roles: {anna: …}             turns: [anna]

Roles that come from a file that this one extends are not meant: such a file is there to be shared.
"""

from collections.abc import Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import Severity
from llm_gc.language.steps.choose import Choose
from llm_gc.language.steps.say import Say

WHOLE = True
SEVERITY: Severity = "warning"
AFTER = ("taken-name", "unknown-role")


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report every role that no step can call."""
    used: set[str] = set()
    for _, model in subject.models:
        if isinstance(model, Say):
            used.add(model.say)
        elif isinstance(model, Choose):
            if isinstance(model.choose, str):
                return  # a template can name them all
            used.update(model.choose, filter(None, [model.by, model.else_]))
            if isinstance(model.choose, dict):
                used.update(name for names in model.choose.values() for name in names)
    for name in subject.pipeline.roles:
        if name not in used:
            message = f"the role {name!r} never speaks: no step names it"
            yield Problem(("roles", name), message, "Let it speak, or take it out.", key=True, own=True)
