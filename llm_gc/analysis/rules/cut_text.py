"""cut-text: a text without quotes ends before a ` #`, and what follows is a comment that nobody is sent.

Bad:   prompt: Fix issue #12 and then issue #13.
Good:  prompt: "Fix issue #12 and then issue #13."

In a prompt, an opening, an instruction or a post every such comment is reported; in other texts one whose `#` is
followed by a letter or a digit, as in `label: Agent #1`. A comment on a line of its own is never taken for a text.
"""

import re
from collections.abc import Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import Severity
from llm_gc.language.base import read_text
from llm_gc.protocol import Path, PromptFile

SEVERITY: Severity = "warning"

TEXTS = ("prompt", "opening", "instruction", "post")
LABELS = ("label", "description", "speaker", "token", "stop")
"""Keys whose value may well be one word and a number: `Agent #1`."""


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report each text that a comment cuts short."""
    for cut in subject.facts.cut_texts:
        if _is_meant(cut.path, cut.text, cut.comment):
            message = f"the text ends before {_shown(cut.comment)!r}: to YAML that is a comment, and it is left out"
            yield Problem(cut.path, message, "Put the text in quotes, or the comment on a line of its own.")


def _is_meant(path: Path, text: str, comment: str) -> bool:
    """Return whether the comment was probably meant as a part of the text."""
    if re.match(r"#[ \t]*llm-gc:", comment):  # it silences a finding
        return False
    key = next((step for step in reversed(path) if isinstance(step, str)), "")
    if key in TEXTS:
        return not isinstance(read_text(text), PromptFile)
    return re.match(r"#\w", comment) is not None and (key in LABELS or " " in text)


def _shown(comment: str) -> str:
    return comment if len(comment) <= 30 else comment[:29] + "…"
