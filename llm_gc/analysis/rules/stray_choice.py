"""stray-choice: the template of a `by` can name a role that is not among those to choose from.

Bad:   {choose: [ben, carl], by: "{{ last.data.next }}"}    where the format of `next` is {enum: [ben, carl, dora]}
Good:  {choose: [ben, carl, dora], by: "{{ last.data.next }}"}
Good:  {choose: [ben, carl], by: "{{ last.data.next }}", else: ben}

What `by` can give is known where it is fixed text, or data whose schema lists what it can be. Without an `else` the
first role that is allowed speaks in place of a stray one.
"""

from collections.abc import Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import Severity

WHOLE = True
SEVERITY: Severity = "warning"


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report every choice that can stray, where the author has not said what happens then."""
    for path, step, given in subject.flow.picks:
        if step.else_ is not None or isinstance(step.choose, str):
            continue
        names = step.choose if isinstance(step.choose, list) else [n for names in step.choose.values() for n in names]
        stray = sorted(name for name in given if name and name.strip() not in names)
        if stray:
            listed = ", ".join(map(repr, stray))
            message = f"this can give {listed}, and the roles to choose from are {', '.join(dict.fromkeys(names))}"
            yield Problem(path, message, "Add it there, or say with 'else' who speaks then.")
