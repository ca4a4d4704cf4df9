"""Standard input: read whole, or a keyboard at which a person sits, or not there at all."""

from __future__ import annotations

import contextlib
import sys

from llm_gc.errors import UsageError


def is_keyboard() -> bool:
    """Return whether a person can type at standard input."""
    with contextlib.suppress(ValueError):
        return sys.stdin is not None and sys.stdin.isatty()
    return False


def read() -> bytes:
    """Read all of standard input.

    Raises:
        UsageError: where there is none.

    """
    if sys.stdin is None:
        raise UsageError("standard input is closed, and it was to be read")
    return sys.stdin.buffer.read()
