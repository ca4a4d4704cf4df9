"""The versions: of the package, stated here alone, also for its build; and of the transcripts that it writes."""

from typing import Literal

__version__ = "0.1.0"

FORMAT: Literal[1] = 1
"""The version of the transcript's format; it changes when an older llm-gc could no longer read what a newer writes."""
