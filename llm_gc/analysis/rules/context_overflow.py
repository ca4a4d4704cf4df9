"""context-overflow: a conversation of full length does not fit the context window that a role is given.

Bad:   anna: {model: m, num_ctx: 2048, max_tokens: 500}     who hears twenty turns of others as long as that
Good:  anna: {model: m, num_ctx: 16384, max_tokens: 500}    or sees: {from: all, last: 2}
Good:  limits: {on_overflow: drop_oldest}                   which says what is to happen then

The order of turns and the most tokens of each are declared, so the longest conversation can be worked out: every
`when` holds, every loop goes round as often as it may, every reply is as long as it may be. Inputs have their
defaults, four characters of a prompt count as a token. Only a `num_ctx` that the pipeline gives is looked at.
"""

from collections.abc import Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import Severity

WHOLE = True
READS = frozenset(("max_tokens", "max_turns", "num_ctx", "on_overflow"))
SEVERITY: Severity = "warning"
AFTER = ("unknown-role",)


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report the first turn at which a prompt may be too long."""
    found = subject.course.overflow
    if found is not None:
        message = (
            f"the prompt of {found.role!r} may not fit at turn {found.turn}: about {found.prompt} tokens"
            f" and a reply of up to {found.reply}, and num_ctx is {found.num_ctx}"
        )
        hint = "Raise num_ctx, or lower max_tokens or max_turns, or narrow what it sees."
        yield Problem(("roles", found.role, "num_ctx"), message, hint)
