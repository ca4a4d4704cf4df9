"""The manual pages of all findings, by code, from the docstrings of the rules.

The page of a rule is the docstring of its module. What is found before any rule is run, while files are read and a
document is put together, has its page here.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from llm_gc.analysis.rules import RULES
from llm_gc.values.did_you_mean import near

UNUSED = "unused-ignore"

READING = {
    "yaml": """yaml: the file is no YAML, or YAML of a kind that no pipeline needs.

Bad:   opening: Task: {{ task }}         a tab before a key         prompt: @anna         two keys of one name
Good:  opening: "Task: {{ task }}"       spaces before a key        prompt: "@anna"

The entry in which it stands is passed over, and what is around it is looked at all the same: nobody can say what a text
means that cannot be read.
""",
    "shape": """shape: a key that is not known, is missing, has no value, or has one of another kind than is expected.

Bad:   roles: {anna: {modle: m}}         limits: {timeout: soon}        turns: [{sya: anna}]
Good:  roles: {anna: {model: m}}         limits: {timeout: 30s}         turns: [{say: anna}]

`schemas/pipeline.schema.json` says the same to editors; [the manual](language.md) says what each key expects.
""",
    "missing-file": """missing-file: a file that `extends`, `scene` or `format` names is not there, or cannot be read.

Bad:   scene: teem.yaml
Good:  scene: team.yaml

Such files are looked for beside the file that names them, and only in its project: below the nearest folder
with `.git` or `pyproject.toml`. A prompt file that is not there is an `unreadable-template`.
""",
    "extends-cycle": """extends-cycle: files extend one another in a circle, or too many of them one another.

Bad:   extends: b.yaml         in a.yaml, while b.yaml has  extends: a.yaml
Good:  extends: shared.yaml    in both
""",
    "scene-cycle": """scene-cycle: files play one another as scenes in a circle, or too many of them inside one another.

Bad:   scene: b.yaml         in a.yaml, while b.yaml has  scene: a.yaml
Good:  repeat: [...]         for what is to be done again and again
""",
    UNUSED: """unused-ignore: a comment that silences a code which is not found in its line, or which there is not.

Bad:   temperature: 0.5 # llm-gc: ignore unknown-name
Good:  temperature: 0.5
""",
}


class Page(NamedTuple):
    """A page: its code, one sentence, what is bad and what is good, and what else there is to say (may be empty)."""

    code: str
    sentence: str
    examples: str
    more: str
    severity: str

    def __str__(self) -> str:
        """Return the page as plain text, for a terminal."""
        head = f"{self.code} ({self.severity}): {self.sentence}"
        return "\n\n".join(part for part in (head, self.examples, self.more) if part)


def pages() -> dict[str, Page]:
    """Return all pages, in the order of their codes."""
    texts = {code: (text, "warning" if code == UNUSED else "error") for code, text in READING.items()}
    for code, rule in RULES.items():
        texts[code] = (rule.__doc__ or "", getattr(rule, "SEVERITY", "error"))
    return {code: _page(*texts[code]) for code in sorted(texts)}


def page(code: str) -> Page:
    """Return the page of a code.

    Raises:
        KeyError: where there is no such code; its text says which one may be meant.

    """
    found = pages()
    if code not in found:
        hint = near(code, found) or f"The codes are {', '.join(found)}."
        raise KeyError(f"there is no code {code!r}. {hint}")
    return found[code]


def document() -> str:
    """Return all pages as one Markdown document."""
    found = pages().values()
    listed = "".join(f"| [`{one.code}`](#{one.code}) | {one.severity} | {_cell(one.sentence)} |\n" for one in found)
    whole = "\n".join(_section(one) for one in found)
    return f"{INTRODUCTION}\n| Code | | What is found |\n| --- | --- | --- |\n{listed}\n{whole}"


INTRODUCTION = """# What `llm-gc validate` finds

<!-- Written by `make docs` from the docstrings of llm_gc/analysis/rules. -->

Every finding has a code; `llm-gc validate --explain CODE` shows its page in the terminal. An error is what must fail
when the conversation gets there, a warning what will surprise; with `--strict` warnings count as errors. A comment
`# llm-gc: ignore CODE` at the end of a line silences that code there.
"""


def _page(text: str, severity: str) -> Page:
    head, _, rest = text.strip().partition("\n\n")
    code, _, sentence = head.partition(": ")
    examples, _, more = rest.partition("\n\n")
    sentence = " ".join(sentence.split())
    return Page(code, sentence[:1].upper() + sentence[1:], examples.rstrip(), more.strip(), severity)


def _section(page: Page) -> str:
    more = f"\n{page.more}\n" if page.more else ""
    return f"## {page.code}\n\n{page.sentence}\n\n```text\n{page.examples}\n```\n{more}"


def _cell(text: str) -> str:
    return re.sub(r"\|", r"\\|", text)
