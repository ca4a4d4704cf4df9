"""small-context: a reply may be as long as the whole context window, in which the prompt must have its place too.

Bad:   anna: {model: m, num_ctx: 1024}                      whose replies have up to 1024 tokens where nothing is said
Good:  anna: {model: m, num_ctx: 4096, max_tokens: 500}

The context window holds the prompt and the reply together; what does not fit is cut off at the end of the reply.
"""

from collections.abc import Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import Severity

WHOLE = True
READS = frozenset(("max_tokens", "num_ctx"))
SEVERITY: Severity = "warning"


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report every role whose replies leave no room for a prompt."""
    for name, role in subject.pipeline.roles.items():
        window, own = subject.number(role.num_ctx), subject.number(role.max_tokens)
        most = subject.most_tokens(role.max_tokens)
        if role.human or window is None or most is None or most < window:
            continue
        key = "max_tokens" if own == most else "num_ctx"
        message = f"a reply of {name!r} may have {most} tokens, and its context window has {window} in all"
        yield Problem(("roles", name, key), message, "Make max_tokens less or num_ctx more.")
