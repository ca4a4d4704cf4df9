"""Units: durations as the language writes them (``30s``, ``2m``), and tokens estimated from characters."""

from __future__ import annotations

import re

PATTERN = r"^([0-9]{0,8}[1-9][0-9]{0,8}(\.[0-9]{1,9})?|0{1,9}\.[0-9]{0,8}[1-9][0-9]{0,8})(ms|s|m|h)$"
"""A duration; nothing lasts no time at all."""

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: object) -> float:
    """Return a duration in seconds.

    Raises:
        ValueError: for what is none.

    """
    found = re.fullmatch(r"([0-9]{1,17}(?:\.[0-9]{1,17})?)(ms|s|m|h)", str(text).strip())
    if found is None or not float(found[1]):
        raise ValueError(f"{text!r} is no duration; write 30s, 2m or 1h")
    return float(found[1]) * _SECONDS[found[2]]


CHARACTERS_PER_TOKEN = 4
"""So many they have in English prose, with most tokenizers; fewer in other languages and in code."""


def as_tokens(characters: int) -> int:
    """Estimate the tokens of so many characters; of any at all there is one."""
    return -(-characters // CHARACTERS_PER_TOKEN)
