"""What a rule returns: a path into the document and a sentence; and what it knows of the files beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from llm_gc.errors import Severity
from llm_gc.protocol import Path
from llm_gc.source import CutText


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong at a path; at its key if ``key``. In a prompt file, if ``file`` names one, at ``line`` of it.

    Without ``file``, ``line`` and ``column`` are counted within the text that is at the path; without ``column``
    the first word of the line is meant. ``own`` says that it is no problem in what a file has from one that it extends.
    ``meant`` is the key that was meant, where the path ends in one that there is not.
    """

    path: Path
    message: str
    hint: str = ""
    key: bool = False
    severity: Severity = "error"
    file: str = ""
    line: int | None = None
    column: int | None = None
    own: bool = False
    meant: str = ""


class FileFacts(NamedTuple):
    """Facts about the files of a pipeline.

    ``spare_prompts`` are the names of prompt files that belong to it and that nobody names; ``cut_texts`` the plain
    texts that a comment ends.
    """

    spare_prompts: Sequence[str] = ()
    cut_texts: Sequence[CutText] = ()


NO_FACTS = FileFacts()
"""Nothing is known of the files."""
