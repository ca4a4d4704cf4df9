"""template-comment: `{# … #}` in a text is a comment of the template, so what it holds vanishes.

Bad:   prompt: "Wrap the anchor in {#intro and close the block with #} please."
Good:  prompt: "Wrap the anchor in {{ '{#' }}intro and close the block with {{ '#}' }} please."

In a pipeline every such comment is reported, since YAML has comments of its own; in a prompt file one that stands in
the middle of a line.
"""

import re
from collections.abc import Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import Severity
from llm_gc.templates import comments

SEVERITY: Severity = "warning"

IGNORE = re.compile(r"\{#-?\s*llm-gc:")
"""The comment that silences a finding."""

HINT = "Write {{ '{#' }} and {{ '#}' }} for the marks themselves; a comment for readers goes into YAML, behind a '#'."


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report the comments by which a text may lose words that were meant."""
    for text, compiled in subject.texts:
        if compiled is None or text.kind == "expression":
            continue
        file = text.file or ""
        source = subject.templates[file] if file else text.text
        for begin, end in comments(source):
            line = source.count("\n", 0, begin)
            before = source[source.rfind("\n", 0, begin) + 1 : begin]
            after = re.compile(r"[^\n]*").match(source, end)
            if file and not before.strip() and not (after and after[0].strip()):
                continue
            if IGNORE.match(source, begin):
                continue
            message = f"{_shown(source[begin:end])} is a comment of the template: these words are sent to nobody"
            yield Problem(text.path, message, HINT, file=file, line=line + 1, column=len(before) + 1)


def _shown(comment: str) -> str:
    words = " ".join(comment.split())
    return repr(words if len(words) <= 40 else words[:36] + "… #}")
