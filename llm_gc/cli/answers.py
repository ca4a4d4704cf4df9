"""A person's answers from a file: what ``--answers`` names."""

from __future__ import annotations

import re
from typing import Any

from llm_gc.backends.form import word
from llm_gc.backends.human import SKIP, Answers
from llm_gc.cli import standard_input
from llm_gc.errors import UsageError

_BETWEEN = re.compile(r"^---[ \t]*\r?$", re.MULTILINE)


def read(name: str) -> Answers:
    """Read the answers, all of them before the first is needed.

    Raises:
        UsageError: where they cannot be read, or one of them is empty.
        PipelineError: where they are no YAML.

    """
    source = "standard input" if name == "-" else name
    answers = _listed(name) if name.endswith((".yaml", ".yml", ".json")) else _separated(name)
    if "" in answers:
        number = answers.index("") + 1
        raise UsageError(f"answer {number} in {source} is empty; write {SKIP} where a person says nothing")
    return Answers(answers, source)


def _separated(name: str) -> list[str]:
    """Read a text; a line of --- before the first answer or after the last one separates nothing."""
    from llm_gc.files import read_text

    answers = [part.strip() for part in _BETWEEN.split(_standard_input() if name == "-" else read_text(name))]
    while answers and not answers[-1]:
        answers.pop()
    return answers[1:] if answers and not answers[0] else answers


def _listed(name: str) -> list[str]:
    """Read a list; what is no text in it is meant as JSON: a number, or the data of a structured reply."""
    from llm_gc import source
    from llm_gc.files import read_text

    data: Any = source.load(read_text(name), name).data
    if not isinstance(data, list):
        raise UsageError(f"{name} is no list; write the answers as one, such as [yes, no]")
    return [word(answer).strip() for answer in data]


def _standard_input() -> str:
    try:
        return standard_input.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"standard input is not text in UTF-8: {error.reason} at byte {error.start}") from error
