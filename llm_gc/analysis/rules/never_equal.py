"""never-equal: what is compared is of types that never meet, so the condition is the same whatever is said.

Bad:   when: last == 'yes'             when: last.content | lower == 'Yes'     when: "'DONE' in said.critic.data"
Good:  when: last.content == 'yes'     when: last.content | lower == 'yes'     when: "'DONE' in said.critic.content"

A name alone is the whole message; its text is `content`, its structured reply `data`, and the keys of that are what
`in` looks at.
"""

from collections.abc import Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import Severity

WHOLE = True
SEVERITY: Severity = "warning"


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report each comparison whose operands never meet, in whatever state it is evaluated."""
    for (path, _, _), one in subject.flow.comparisons.items():
        if one.kind == "never" and one.wrong and one.wrong == one.met:
            yield Problem(path, one.message, one.hint, file=one.file, line=one.line, column=one.column)
