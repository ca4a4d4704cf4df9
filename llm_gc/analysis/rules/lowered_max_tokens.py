"""lowered-max-tokens: the `max_tokens` of the limits is less than what a role or a step says, and caps it.

Bad:   limits: {max_tokens: 200}     roles: {anna: {model: m, max_tokens: 500}}
Good:  limits: {max_tokens: 500}     roles: {anna: {model: m, max_tokens: 500}}

Where nothing is written under `limits`, what a role or a step says stands, and a message has up to 1,024 tokens where
neither says anything.
"""

from collections.abc import Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import Severity
from llm_gc.language.pipeline import Role
from llm_gc.language.steps.say import SpeakingStep
from llm_gc.language.texts import models

READS = frozenset(("max_tokens",))
SEVERITY: Severity = "warning"


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report every role and step that says more than the limit lets through."""
    for path, model in models(subject.pipeline):
        if not isinstance(model, (Role, SpeakingStep)):
            continue
        own = subject.number(model.max_tokens)
        most = subject.most_tokens(model.max_tokens)
        if own is not None and most is not None and most < own:
            message = f"{own} tokens are said here, and limits.max_tokens lets no message have more than {most}"
            yield Problem((*path, "max_tokens"), message, "Raise limits.max_tokens, or leave it out.")
