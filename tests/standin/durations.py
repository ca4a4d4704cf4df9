"""durations: how long a model stays loaded, in the ways a request may say it."""

import math
import re
from typing import Any

from .errors import Refusal
from .gojson import dumps

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_TERM = re.compile(r"(\d+\.?\d*|\.\d+)([^\d.]*)")

FOREVER = math.inf


def keep_alive(value: Any) -> float | None:
    """Seconds, `FOREVER`, or None where the request says nothing."""
    if value is None:
        return None
    if isinstance(value, str):
        seconds = go_duration(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    else:
        raise Refusal(400, f"Unsupported type: '{_go_type(value)}'")
    return FOREVER if seconds < 0 else seconds


def go_duration(text: str) -> float:
    """The seconds of a Go duration such as `1h30m`."""
    rest = text.removeprefix("-") if text.startswith("-") else text.removeprefix("+")
    if rest == "0":
        return 0.0
    total, position = 0.0, 0
    while position < len(rest):
        term = _TERM.match(rest, position)
        if term is None:
            break
        number, unit = term.groups()
        if not unit:
            raise Refusal(400, f"time: missing unit in duration {dumps(text)}")
        if unit not in _UNITS:
            raise Refusal(400, f"time: unknown unit {dumps(unit)} in duration {dumps(text)}")
        total, position = total + float(number) * _UNITS[unit], term.end()
    if position < len(rest) or not rest:
        raise Refusal(400, f"time: invalid duration {dumps(text)}")
    return -total if text.startswith("-") else total


def _go_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    return "[]interface {}" if isinstance(value, list) else "map[string]interface {}"
