"""What the bytes of a session's file are: a transcript, a journal, or a journal in which nothing was written yet."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any, NoReturn

from llm_gc.reader import NotAFile, open_file

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
    return _DECODER.decode(data.decode("utf-8"))


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits} is beyond every number")
    return number


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
