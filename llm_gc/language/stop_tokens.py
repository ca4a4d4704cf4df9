"""What in a reply ends a conversation."""

from __future__ import annotations

import re
import unicodedata

from llm_gc.errors import TemplateError
from llm_gc.language.control_tokens import masked_tokens
from llm_gc.language.fields import Stop
from llm_gc.values import regex

_NUMBER = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,4}){0,4}(?:[.):][^\w\s]*\s|[、。．）：]|\uFE0F?\u20E3)(?=.*\w)")
"""The number of an item of a list, in front of its text."""

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")


def says(stop: Stop, content: str) -> bool:
    """Return whether a reply says the token, in the way that ``stop.match`` asks for."""
    if stop.token is None:
        return False
    match stop.match:
        case "contains":
            return stop.token in content
        case "regex":
            try:
                return regex.compile(stop.token).search(content) is not None
            except regex.RegexError as error:
                raise TemplateError(f"the stop cannot be looked for: {error}") from error
        case "line":
            token = core(stop.token)
            bare = stop.token.strip()
            lines = (line for line in _outside_fences(content) if (token or bare) in line)
            return any(core(line) == token if token else line.strip() == bare for line in lines)


def core(line: str) -> str:
    """Return what a line says: without control tokens, the number of a list and what is no letter or digit around it.

    Marks that are on a letter (accents, vowel signs) are part of it. Where no letter or digit is left, it is empty.
    """
    masked = masked_tokens(line)
    first, last = _bounds(masked, 0)
    number = _NUMBER.match(masked, first)
    if number is not None:
        first, last = _bounds(masked, number.end())
    return line[first:last]


def _bounds(line: str, start: int) -> tuple[int, int]:
    """Return where the first letter or digit is, and where the last one ends, with the marks on it."""
    first = next((at for at in range(start, len(line)) if line[at].isalnum()), len(line))
    last = len(line)
    while last > first and not line[last - 1].isalnum():
        last -= 1
    while last < len(line) and _is_mark(line[last]):
        last += 1
    return first, last


def _is_mark(character: str) -> bool:
    """Check whether a character belongs to the letter before it; what chooses the look of an emoji does not."""
    return unicodedata.category(character) in ("Mn", "Mc") and not "\ufe00" <= character <= "\ufe0f"


def _outside_fences(content: str) -> list[str]:
    """Return the lines that are in no fenced code block; a fence is closed by one of its own kind and length."""
    lines, fence = [], ""
    for line in content.splitlines():
        found = _FENCE.match(line)
        if fence:
            if found and found[1].startswith(fence) and not line.strip(" \t").strip(fence[0]):
                fence = ""
        elif found:
            fence = found[1]
        else:
            lines.append(line)
    return lines
