"""The versions: of the package, stated here alone, for its build too; and of the transcripts that it writes and reads."""

from typing import Literal

__version__ = "0.1.0"

FORMAT: Literal[1] = 1
"""The version of the transcript's format; it changes when an older llm-gc could no longer read what a newer writes."""
