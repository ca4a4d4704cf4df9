"""Small readings of what came over the wire, where nothing can be trusted to be what it should be."""

from __future__ import annotations

import json
import re
from typing import Any

from llm_gc.strict_json import DEPTH, is_deep, parse

QUOTED = 240
PARTS = 500_000
"""How many lists, maps and items JSON may have."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


def load_json(text: str) -> Any:
    """Give the value that ``text`` is JSON of.

    Raises:
        ValueError: where it is none, or one that is nested beyond every reason or has too many parts.

    """
    nested = text.count("[") + text.count("{")
    if nested + text.count(",") > PARTS:  # each takes some 60 bytes, or more
        raise ValueError("too many parts")
    try:
        value = parse(text)
        if "\\ud" in text or "\\uD" in text:  # perhaps half a character, which no file could hold
            value = json.loads(_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", json.dumps(value, ensure_ascii=False)))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if nested > DEPTH and is_deep(value, DEPTH):
        raise ValueError("nested too deeply")
    return value


def quote(text: str, most: int = QUOTED) -> str:
    """Give ``text`` on one line, and of a long one its beginning and its end, where a reason often stands."""
    line = _BLANK.sub(" ", text).strip()
    if len(line) <= most:
        return line
    half = most // 2
    return f"{line[:half].rstrip()} … {line[-half:].lstrip()}"


def natural(value: Any) -> int | None:
    """Give ``value`` where it is a count: a whole number that is not negative."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        return None
    return value


def seconds(value: Any) -> float | None:
    """Give a duration in nanoseconds as seconds."""
    nanoseconds = natural(value)
    return None if nanoseconds is None else nanoseconds / 1e9
