"""path-as-text: one word that looks like the path of a file is the whole of a text, and would be sent as it is.

Bad:   prompt: file://prompts/anna
Good:  prompt: anna.md          which is prompts/anna.md; .j2, .md and .txt are read as files

Whether a file that is named by its ending is there is another question, which unreadable-template answers.
"""

import re
from collections.abc import Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext

_PATH = re.compile(r"\A(?:file:|\.{1,2}/|~/|prompts/|@\S*[./]|/\S+/)")

TEXTS = ("prompt", "opening", "instruction", "post")


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report the texts that are the path of a file."""
    for text, _ in subject.texts:
        words = text.text.split(maxsplit=1) if text.path[-1] in TEXTS and text.file is None else []
        if len(words) == 1 and _PATH.match(words[0]):
            message = f"{words[0]!r} looks like a file, and would be used as these very words"
            hint = "Write the file's name as it is under prompts/; it ends in .j2, .md or .txt."
            yield Problem(text.path, message, hint)
