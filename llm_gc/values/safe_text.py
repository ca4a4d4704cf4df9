"""Text that is safe to show: no control characters that steer a terminal, no passwords of addresses."""

from __future__ import annotations

import re
from typing import Any

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


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*\Z")
_WORD = re.compile(r"[^\s\"']+")
_LOGIN = re.compile(r"(?<=://)[^\s/]*@")


def parted(address: str) -> tuple[str, str, str]:
    """Part an address into its scheme, its login, and host and path; what is absent is empty.

    A password with a slash in it is against the rules of URLs. It is known by what it would leave in the place of the
    port; else a part of it would be shown as a bad port.
    """
    scheme, found, rest = address.partition("://")
    if not found or not _SCHEME.match(scheme):
        scheme, rest = "", address
    authority, _, path = rest.partition("/")
    login, at, _ = authority.rpartition("@")
    _, colon, port = authority.rpartition(":")
    if not at and "@" in path and colon and not port.isdigit() and not port.endswith("]"):
        login, at, _ = rest.rpartition("@")
    return scheme, login, rest[len(login) + len(at) :]


def mask(address: str) -> str:
    """Return an address without the login in it."""
    scheme, _, rest = parted(address)
    return f"{scheme}://{rest}" if scheme else rest


def mask_all(text: str) -> str:
    """Return a text without the logins of the URLs in it."""
    return _LOGIN.sub("", text) if "@" in text else text


def blot(line: str) -> str:
    """Return a line of a file with stars in the place of logins, so that nothing in it moves."""
    return _WORD.sub(_blotted, line) if "@" in line else line


def _blotted(word: re.Match[str]) -> str:
    before, at, host = word[0].rpartition("@")
    scheme, found, login = before.partition("://")
    if not at or not (found or ":" in before):
        return word[0]
    shown = scheme + found if found else ""
    return shown + "*" * len(login if found else before) + at + host


def masked(data: Any, key: str = "") -> Any:
    """Return data of a pipeline without the logins of its hosts; the very same object where there are none."""
    if isinstance(data, dict):
        found = {name: masked(value, name) for name, value in data.items()}
        return found if any(found[name] is not value for name, value in data.items()) else data
    if key == "host" and isinstance(data, str):
        address = mask(data)
        return data if address == data else address
    return data
