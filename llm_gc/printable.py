"""Text that is safe to print: nothing in it steers a terminal, reorders what is read, or begins a line of its own."""

from __future__ import annotations

_DIRECTION = [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C]
"""Marks that reorder what is shown, so that a text can read otherwise than it is."""

_CONTROLS = [*range(0x20), 0x7F, *range(0x80, 0xA0), 0x2028, 0x2029]
_SURROGATES = range(0xD800, 0xE000)

_LINE: dict[int, str] = dict.fromkeys([*_CONTROLS, *_DIRECTION, *_SURROGATES], "\ufffd")
_LINE |= {n: chr(0x2400 + n) for n in range(0x20)} | {0x7F: "\u2421"}  # Unicode's own pictures of them
_LINE |= dict.fromkeys((0x85, 0x2028, 0x2029), "\u2424")  # the picture of a new line

_TEXT: dict[int, str | None] = {**_LINE, 0x0A: "\n", 0x09: "\t", 0x0D: None}

_ESCAPED = {
    n: f"\\u{n:04x}" for n in (*_CONTROLS, *_DIRECTION, *_SURROGATES) if n not in (0x09, 0x0A, 0x0D)
}  # JSON itself leaves none of the last three in a text; between values they are layout


def one_line(text: str) -> str:
    """Return text that is safe to print as part of one line: every control character in it becomes a visible mark."""
    return text if text.isprintable() else text.translate(_LINE)


def clean(text: str) -> str:
    """Return text that is safe to print: line ends and tabs stay, all other control characters become visible marks."""
    return text.translate(_TEXT)


def clean_json(text: str) -> str:
    """Return JSON that is safe to print: what JSON leaves as it is, and a terminal would obey, is escaped."""
    return text.translate(_ESCAPED)


def rows(text: str, width: int) -> list[tuple[int, int]]:
    """Return where each row of a line begins and ends, if it is broken between words; later ones are set in."""
    begin, first = 0, len(text) - len(text.lstrip(" "))
    found, room = [], width
    while len(text) - begin > room:
        end = text.rfind(" ", begin + first, begin + room + 1)
        if end <= begin + first:
            end = text.find(" ", begin + room)
        if end < 0:
            break
        found.append((begin, end))
        begin, first, room = end + 1, 0, max(width - first - 2, width // 2) if begin == 0 else room
    return [*found, (begin, len(text))]
