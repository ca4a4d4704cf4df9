"""speaks-twice: a role speaks again with nothing new to answer, and is only told to go on.

Bad:   turns: [anna, anna]            {repeat: [anna], times: 3}            [anna, {say: ben, result: ""}, anna]
Good:  turns: [anna, {say: anna, instruction: Now make it shorter.}]
Good:  {repeat: [anna, ben], times: 3}

A request must end with something to answer. Where the last message that a role sees is its own, llm-gc adds `Go on.`
"""

from collections.abc import Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import Severity

WHOLE = True
READS = frozenset(("max_turns",))
SEVERITY: Severity = "warning"
AFTER = ("unknown-role",)


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report every step at which the newest message that its speaker sees is its own."""
    for path, visits in subject.course.visits.items():
        if visits.again and (visits.is_sure or visits.again == visits.times):
            if subject.pipeline.roles[visits.role].human:
                continue
            message = f"{visits.role!r} speaks again here with nothing new to answer, and is told to continue"
            hint = "Give the step an instruction, or let somebody else speak before."
            yield Problem(path, message, hint)
