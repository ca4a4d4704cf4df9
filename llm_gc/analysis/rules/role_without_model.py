"""role-without-model: a role that nobody can play: it names no model, and is no person.

Bad:   roles: {critic: {prompt: Name one flaw.}}
Good:  roles: {critic: {model: "llama3.2:3b", prompt: Name one flaw.}}
Good:  roles: {critic: {human: true, prompt: Name one flaw.}}
"""

from collections.abc import Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report every role that is neither a model nor a person."""
    for name, role in subject.pipeline.roles.items():
        if role.model is None and not role.human:
            hint = "Name one, or write `human: true` where a person answers."
            yield Problem(("roles", name), f"the role {name!r} has no model", hint, key=True)
