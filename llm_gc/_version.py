"""The versions: of the package, stated here alone, also for its build; of its rules, and of its transcripts."""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, whose import would take longer than all else that starts a command
if TYPE_CHECKING:
    from typing import Literal

__version__ = "0.1.0"

FORMAT: Literal[1] = 1
"""The version of the transcript's format; it changes when an older llm-gc could no longer read what a newer writes."""

RULES = 2
"""The version of what is sent and decided: it changes when the same replies could lead to another conversation."""
