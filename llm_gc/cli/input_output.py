"""Files that a command reads and writes: standard input, and output files written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from llm_gc.cli.output import out
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


OUT = "-"
"""Stands for standard output."""


def check(name: str, *, force: bool) -> None:
    """Look whether a file may be written, before the work is done.

    Raises:
        UsageError: where it is there and may not be written over, or is no place for a file.

    """
    path = Path(name)
    if name == OUT:
        return
    if path.is_dir():
        raise UsageError(f"{name} is a folder; give the name of a file in it")
    if path.exists() and not force:
        raise UsageError(f"{name} already exists; overwrite it with --force, or give another name")


def write(name: str, pieces: Iterable[str], *, force: bool, private: bool = False) -> None:
    """Write a file piece by piece under another name, and rename it at the end.

    One that is ``private`` can be read by its owner alone, as the session that it shows, from its first byte on.

    Raises:
        UsageError: where it cannot be written, or is there and may not be written over.

    """
    if name == OUT:
        out.document(pieces)
        return
    check(name, force=force)
    path = Path(name)
    part = path.with_name(f"{path.name}.part")
    try:
        part.unlink(missing_ok=True)  # one that is left of an earlier try keeps its mode
        with open(part, "xb", opener=_private if private else None) as file:
            file.writelines(piece.encode("utf-8", "replace") for piece in pieces)
        part.replace(path)
    except OSError as error:
        raise UsageError(f"{name} cannot be written: {(error.strerror or str(error)).lower()}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
