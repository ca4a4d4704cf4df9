"""What in a reply ends a conversation."""

from __future__ import annotations

import re

from llm_gc.errors import TemplateError
from llm_gc.steps.fields import Stop

_MARKS = " \t\r*_~`#>-+=|.,:;!?\"'()[]{}<>\u2018\u2019\u201c\u201d\u2026\u2013\u2014"
"""Space, punctuation and Markdown's marks, which a model likes to put around a token."""

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")


def says(stop: Stop, content: str) -> bool:
    """Tell whether a reply says the token, in the way that ``stop.match`` asks for."""
    if stop.token is None:
        return False
    match stop.match:
        case "contains":
            return stop.token in content
        case "regex":
            try:
                return re.search(stop.token, content) is not None
            except (re.error, RecursionError, OverflowError) as error:
                raise TemplateError(f"the stop {stop.token!r} is no regular expression: {error}") from error
        case "line":
            token = _bare(stop.token)
            return any(_bare(line) == token for line in _outside_fences(content))


def _bare(line: str) -> str:
    """Strip what surrounds a word; a token made of nothing but marks stays as it is."""
    return line.strip(_MARKS) or line.strip()


def _outside_fences(content: str) -> list[str]:
    """Give the lines that stand in no fenced code block; a fence is closed by one of its own kind and length."""
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
