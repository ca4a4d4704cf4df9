"""JSON read strictly: Python's own reader takes numbers for JSON that nobody can count with, nor write again."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn


def parse(text: str) -> Any:
    """Parse JSON.

    Raises:
        ValueError: where it is none, or holds a number that is not finite.
        RecursionError: where it is nested too deeply.

    """
    return json.loads(text, parse_float=_finite, parse_constant=_refuse)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits[:20]} is beyond every number")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
