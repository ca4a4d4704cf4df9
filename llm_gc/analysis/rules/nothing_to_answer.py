"""nothing-to-answer: a role is to speak, and there is nothing that it could answer: the turn fails.

Bad:   turns: [anna, ben]                                   without an opening
Good:  opening: Talk about bridges.
Good:  turns: [{say: anna, instruction: Say hello.}, ben]

A model answers the last thing that it is sent: an opening, a message that it sees, or the step's instruction. Its
system prompt is none of these.
"""

from collections.abc import Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext

WHOLE = True
READS = frozenset(("max_turns",))
AFTER = ("unknown-role",)
ALONE = True


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report every step whose speaker has been told nothing at all."""
    for path, visits in subject.course.visits.items():
        if visits.silent and (visits.is_sure or visits.silent == visits.times):
            message = f"{visits.role!r} has nothing to answer here: no opening, no message that it sees, no instruction"
            hint = "Give the pipeline or the scene an opening, or the step an instruction."
            yield Problem(path, message, hint)
