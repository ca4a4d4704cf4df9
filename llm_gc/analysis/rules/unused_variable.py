"""unused-variable: an `as` or a `set` gives a name that no template uses.

Bad:   turns: [{say: anna, as: draft}, ben]
Good:  turns: [anna, ben]
Good:  turns: [{say: anna, as: draft}, {say: ben, instruction: "Improve this: {{ draft }}"}]
"""

from collections.abc import Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import Severity

WHOLE = True
SEVERITY: Severity = "warning"
AFTER = ("taken-name", "unknown-name")


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report the first place of every name of which no text speaks."""
    if subject.is_unread:
        return  # what cannot be read may use them all
    used = {name for _, compiled in subject.texts if compiled for name in compiled.names}
    told: set[str] = set()
    for one in subject.given:
        if one.kind == "variable" and one.name not in used and one.name not in told:
            told.add(one.name)
            message = f"the variable {one.name!r} is used nowhere"
            yield Problem(one.path, message, "Use it, or take it out.", key=one.key, own=True)
