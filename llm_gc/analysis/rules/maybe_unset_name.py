"""maybe-unset-name: a template uses a name that some ways to it have set, and others have not.

Bad:   turns: [{say: anna, as: draft, when: long}, {post: "{{ draft }}"}]
Good:  turns: [{say: anna, as: draft, when: long}, {post: "{{ draft }}", when: long}]
Good:  turns: [{say: anna, as: draft, when: long}, {post: "{{ draft | default('No draft.') }}"}]

A name that is set in a loop is not set in its first round before that, nor after a loop of no rounds; an input with a
`minimum` of 1 tells that there is one. Names under an `if`, an `and` or an `or` of a template are left to the author.
"""

from collections.abc import Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.analysis.rules.unset_name import HINT
from llm_gc.errors import Severity

WHOLE = True
SEVERITY: Severity = "warning"
AFTER = ("taken-name", "unknown-name")


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report the names that are surely needed, and perhaps not set."""
    for (path, use), sight in subject.flow.sights.items():
        if use.sure and not use.guarded and sight.maybe and not sight.never:
            word = use.words[0]
            message = f"{use.name!r} may not be set here: there is a way to this place that does not set it"
            hint = HINT.format(name=use.name)
            yield Problem(path, message, hint, file=word.file, line=word.line, column=word.column)
