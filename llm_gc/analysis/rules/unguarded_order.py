"""unguarded-order: data of a reply are put in order, and after a failed turn there are none to put in order.

Bad:   until: said.judge.data.score >= 8
Good:  until: said.judge.data and said.judge.data.score >= 8

A turn fails when the server does, or when a structured reply does not fit its format. Its `data` are then none, or the
`default`s of the format, so a `default` for the property is as good as the question.
"""

from collections.abc import Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import Severity

WHOLE = True
SEVERITY: Severity = "warning"


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report each order of data that may be none, unless a failed turn ends the conversation anyway."""
    if subject.pipeline.limits.on_error == "stop":
        return
    for (path, kind, _), one in subject.flow.comparisons.items():
        if kind == "unguarded":
            yield Problem(path, one.message, one.hint, file=one.file, line=one.line, column=one.column)
