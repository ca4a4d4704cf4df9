"""The versions: of the package, stated here alone, also for its build; of its rules, and of its transcripts."""

from typing import Literal

__version__ = "0.1.0"

FORMAT: Literal[1] = 1
"""The version of the transcript's format; it changes when an older llm-gc could no longer read what a newer writes."""

RULES = 2
"""The version of what is sent and decided: it changes when the same replies could lead to another conversation."""
