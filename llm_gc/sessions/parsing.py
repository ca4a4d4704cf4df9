"""What the bytes of a session's file are: a transcript, a journal, or a journal in which nothing was written yet."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from llm_gc.reader import NotAFile, open_file
from llm_gc.strict_json import parse

CHUNK = 32 * 1024
"""Bytes read at once; most transcripts are whole in fewer."""

_START = b'{"start":'


def is_journal(data: bytes) -> bool:
    """Tell a journal by how it begins, whatever it is called; one without a line was left before the first turn."""
    return _START.startswith(data[: len(_START)])


def has_begun(path: Path) -> bool:
    """Check whether a session has its first line: its process may have been gone before it was whole.

    What is no file, or is gone, has not begun; what cannot be read has, for whoever reads it to say why not.
    """
    try:
        with os.fdopen(open_file(path), "rb", buffering=0) as file:
            data = file.read(CHUNK) or b""
            if not is_journal(data):
                return True
            while data and b"\n" not in data:
                data = file.read(CHUNK) or b""
            return bool(data)
    except (FileNotFoundError, NotAFile):
        return False
    except OSError:
        return True


def read_json(data: bytes) -> Any:
    """Parse JSON, without the numbers that Python reads and JSON does not have.

    Raises:
        ValueError: where it is none.
        RecursionError: where it is nested too deeply.

    """
    return parse(data.decode("utf-8"))
