"""bare-result: a result is a template, and this one is a name without braces, which gives its own letters.

Bad:   result: said.poet.content
Good:  result: "{{ said.poet.content }}"
"""

import re
from collections.abc import Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import Severity

SEVERITY: Severity = "warning"

_PATH = re.compile(r"\A([a-z_][a-z0-9_]*)((?:\.[a-z_]\w*|\[[^\]\s]+\])*)(?:\s*\|\s*\w+.*)?")
_SEEN = ("last", "messages", "said")


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report the results that are the name or the path of a value."""
    names = {*_SEEN, *(one.name for one in subject.given)}
    for text, _ in subject.texts:
        found = _PATH.fullmatch(text.text.strip()) if text.path[-1] == "result" and text.kind == "template" else None
        if found is not None and text.file is None and (found[1] in names):
            message = f"{text.text.strip()!r} is text here, and not the value of that name"
            yield Problem(text.path, message, f'Write "{{{{ {text.text.strip()} }}}}".')
