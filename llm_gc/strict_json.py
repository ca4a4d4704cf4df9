"""JSON read strictly: Python's own reader takes numbers for JSON that nobody can count with, nor write again."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, NoReturn

DEPTH = 100
"""How deep JSON may be nested that comes from elsewhere."""


def parse(text: str) -> Any:
    """Parse JSON.

    Raises:
        ValueError: where it is none, or holds a number that is not finite.
        RecursionError: where it is nested too deeply.

    """
    return json.loads(text, parse_float=_finite, parse_constant=_refuse)


def is_deep(value: Any, most: int = DEPTH) -> bool:
    """Return whether more than so many lists and maps are inside one another."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(most):
        level = [inner for outer in level for inner in _inside(outer)]
    return bool(level)


def _inside(outer: Any) -> Iterable[Any]:
    values = outer.values() if isinstance(outer, dict) else outer
    return (inner for inner in values if isinstance(inner, (dict, list)))


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits[:20]} is beyond every number")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
