"""Expected and actual, line by line: what is missing with a minus, what is there instead with a plus."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any

MAX_LINES = 40
"""So many lines of a diff are shown."""

AROUND = 2
"""So many lines around what differs are shown with it."""


def diff(expected: Any, actual: Any) -> tuple[str, ...]:
    """Give how a value differs from what was expected."""
    one, other = _lines(expected, actual), _lines(actual, expected)
    return _cut(list(_compared(one, other)))


def nearest(expected: str, actual: str) -> tuple[str, ...]:
    """Give how a text differs from one that it was to contain, at the place where it comes nearest to that."""
    one, other = expected.splitlines(), actual.splitlines()
    lines = list(_compared(one, other))
    shared = [number for number, line in enumerate(lines) if not line.startswith("+")]
    start, end = max(shared[0] - AROUND, 0), shared[-1] + AROUND + 1
    if all(lines[number].startswith("-") for number in shared):  # nothing in common: show it all
        start, end = 0, len(lines)
    before, after = ["  …"] if start else [], ["  …"] if end < len(lines) else []
    return _cut([*before, *lines[start:end], *after])


def shown(value: Any) -> str:
    """Show a value in one line, cut where it is long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = json.dumps(text, ensure_ascii=False) if isinstance(value, str) else text
    return text if len(text) <= 80 else text[:79] + "…"


def _compared(expected: Sequence[str], actual: Sequence[str]) -> Iterator[str]:
    matcher = SequenceMatcher(None, expected, actual, autojunk=False)
    for tag, one, one_end, other, other_end in matcher.get_opcodes():
        if tag == "equal":
            yield from (f"  {line}" for line in expected[one:one_end])
            continue
        missing, instead = expected[one:one_end], actual[other:other_end]
        if " ".join(missing).split() == " ".join(instead).split():  # they would look alike
            missing, instead = list(map(_visible, missing)), list(map(_visible, instead))
        yield from (f"- {line}" for line in missing)
        yield from (f"+ {line}" for line in instead)


def _lines(value: Any, beside: Any) -> list[str]:
    """Give a value as lines: a text as it is where the other one is a text too, a list of texts with one in each."""
    if isinstance(value, str) and isinstance(beside, str):
        if value != beside and value.splitlines() == beside.splitlines():
            return [_visible(line) for line in value.splitlines(keepends=True)]
        return value.splitlines() or ["(empty)"]
    if isinstance(value, list) and isinstance(beside, list):
        return [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in value] or ["(none)"]
    return json.dumps(value, ensure_ascii=False, indent=2).splitlines()


_MARKS = str.maketrans({" ": "·", "\t": "→", "\u00a0": "⍽", "\n": "↵", "\r": "␍"})


def _visible(line: str) -> str:
    """Return a line with marks in the place of its white space."""
    return line.translate(_MARKS)


def _cut(lines: list[str]) -> tuple[str, ...]:
    if len(lines) <= MAX_LINES:
        return tuple(lines)
    return (*lines[:MAX_LINES], f"  … {len(lines) - MAX_LINES} more lines")
