"""Where each character of a YAML scalar stands in its file: through quotes, escapes, folding and indentation.

None of these reorders anything. The characters of a value that are no white space stand in the file in the same order,
one for one, where an escape counts as one. White space is what folding and indentation change, and is not counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_ESCAPE = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|\r\n|[\s\S])|[\s\S]")
_SPACES = {"\\" + mark for mark in ("n", "r", "t", "v", "f", " ", "N", "_", "L", "P", "\t", "\n", "\r", "\r\n")}


def offset(raw: str, style: str, value: str, at: int) -> int:
    """Give the offset in ``raw``, the scalar as it stands in its file, of the character at ``at`` in its value.

    ``style`` is YAML's mark for the kind of scalar: a quote, ``|``, ``>``, or nothing. White space stands where the
    next character does.
    """
    count = sum(not character.isspace() for character in value[:at])
    spots = list(_spots(raw, style))
    if count < len(spots):
        return spots[count]
    return spots[-1] + 1 if spots else 0


def _spots(raw: str, style: str) -> Iterator[int]:
    """Give the offset of each character of the value that is no white space."""
    if style == '"':
        for found in _ESCAPE.finditer(raw, 1, len(raw) - 1):
            if not _is_space(found[0]):
                yield found.start()
        return
    start, end, quoted = 0, len(raw), style == "'"
    if style in ("|", ">"):  # the text begins on the line after the mark
        start = next((found.end() for found in re.finditer(r"\r\n|\r|\n", raw)), end)
    elif quoted:
        start, end = 1, end - 1
    skip = -1
    for at in range(start, end):
        if raw[at].isspace() or at == skip:
            continue
        if quoted and raw[at] == "'":  # two of them are one
            skip = at + 1
        yield at


def _is_space(unit: str) -> bool:
    if unit in _SPACES:
        return True
    if unit[0] == "\\" and unit[1] in "xuU":
        return unit.encode().decode("unicode_escape").isspace()
    return unit.isspace()
