"""never-runs: a step that is never run, whatever the models say.

Bad:   turns: [anna, {end: Done.}, ben]           {say: anna, when: "1 > 2"}            {repeat: [anna], times: 0}
Bad:   turns: [{repeat: [anna, ben]}, carl]       with stop: [DONE], which ends the conversation and not the loop
Good:  turns: [anna, {end: Done., when: last.content == 'yes'}, ben]
Good:  turns: [{repeat: [anna, ben], until: "'DONE' in last"}, carl]
"""

from collections.abc import Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import Severity

WHOLE = True
SEVERITY: Severity = "warning"


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report what no way leads to."""
    for path, why in dict(subject.flow.never).items():
        what = "this" if isinstance(path[-1], int) else f"what is under {path[-1]!r}"
        what = "this step" if path[-1] in ("when", "times", "in") or isinstance(path[-1], int) else what
        yield Problem(path, f"{what} is never run: {why}")
