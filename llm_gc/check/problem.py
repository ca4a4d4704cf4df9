"""What a check reports: a path into the document, and a sentence; one place turns paths into lines."""

from __future__ import annotations

from dataclasses import dataclass

from llm_gc.errors import Severity
from llm_gc.protocol import Path


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong at a path; at its key if ``key``. In a prompt file, if ``file`` names one, at ``line`` of it.

    Without ``file``, ``line`` and ``column`` are counted within the text that stands at the path; without ``column``
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
