"""What a model writes must not steer a terminal: control characters become visible marks."""

from __future__ import annotations

_KEPT = "\n\t"
_DIRECTION = [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C]
"""Marks that reorder what is shown, so that a text can read otherwise than it is."""

_CONTROLS = [n for n in range(0x20) if chr(n) not in _KEPT] + [0x7F, *range(0x80, 0xA0), 0x2028, 0x2029]

_VISIBLE: dict[int, str | None] = dict.fromkeys([*_CONTROLS, *_DIRECTION, *range(0xD800, 0xE000)], "\ufffd")
_VISIBLE |= {n: chr(0x2400 + n) for n in range(0x20) if chr(n) not in _KEPT}  # Unicode's own pictures of them
_VISIBLE |= {0x7F: "\u2421", ord("\r"): None}

_ESCAPED = {n: f"\\u{n:04x}" for n in (0x7F, *range(0x80, 0xA0), *_DIRECTION)}


def clean(text: str) -> str:
    """Give text that is safe to print: line ends and tabs stay, all other control characters are made visible."""
    return text.translate(_VISIBLE)


def clean_json(text: str) -> str:
    """Give JSON text that is safe to print: what JSON leaves unescaped and a terminal would obey is escaped."""
    return text.translate(_ESCAPED)
