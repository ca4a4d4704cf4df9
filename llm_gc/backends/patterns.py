"""Made-up text that matches a regular expression of the plain kind: characters, classes, groups, choices, counts."""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from random import Random

Make = Callable[[], str]

_CHARACTERS = "".join(char for char in string.printable if char.isprintable())
_CLASSES = {"d": string.digits, "w": string.ascii_lowercase, "s": " "}
_CLASSES |= {"D": string.ascii_lowercase, "W": " ", "S": string.ascii_lowercase}
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r"}
_COUNT = re.compile(r"([*+?]|\{(\d+)(?:(,)(\d*))?\})\??")
_GROUP = re.compile(r"\((?:\?:|\?P?<[A-Za-z]\w*>)?")
_MANY = 1_000


def matching(pattern: str, chance: Random, count: int = 1) -> str:
    """Make up text that matches; what may be repeated is, ``count`` times as far as its bounds let it.

    What looks around or back is not understood: whoever needs to be certain checks the text.
    """
    return _Reader(pattern, chance, count).choice()()


class _Reader:
    """Reads a pattern from left to right; everything read is a function that makes text up for it."""

    def __init__(self, pattern: str, chance: Random, count: int) -> None:
        self.rest, self.chance, self.count = pattern, chance, count

    def take(self) -> str:
        """Take one character, none at the end."""
        taken, self.rest = self.rest[:1], self.rest[1:]
        return taken

    def choice(self) -> Make:
        """Read ways with bars between them, up to the end of the group."""
        ways = [self.sequence()]
        while self.rest.startswith("|"):
            self.take()
            ways.append(self.sequence())

        def make() -> str:
            way = self.chance.choice(ways)
            return way()

        return make

    def sequence(self) -> Make:
        parts: list[Make] = []
        while self.rest and self.rest[0] not in "|)":
            parts.append(self.counted(self.atom()))
        return lambda: "".join(part() for part in parts)

    def counted(self, one: Make) -> Make:
        found = _COUNT.match(self.rest)
        if found is None:
            return one
        self.rest = self.rest[found.end() :]
        sign, least, comma, most = found.groups()
        low, high = {"*": (0, _MANY), "+": (1, _MANY), "?": (0, 1)}.get(sign, (int(least or 0), int(least or 0)))
        high = int(most or _MANY) if comma else high
        return lambda: "".join(one() for _ in range(min(max(self.count, low), high)))

    def atom(self) -> Make:
        if found := _GROUP.match(self.rest):
            self.rest = self.rest[found.end() :]
            inner = self.choice()
            self.take()
            return inner
        char = self.take()
        if char in "^$":
            return str
        if char == "[":
            return self.any_of(self.members())
        if char == ".":
            return self.any_of(string.ascii_lowercase)
        return self.any_of(self.escaped() if char == "\\" else char)

    def any_of(self, characters: str) -> Make:
        return lambda: self.chance.choice(characters) if characters else ""

    def escaped(self) -> str:
        char = self.take()
        return "" if char in "bBAZ" else _CLASSES.get(char, _CONTROLS.get(char, char))

    def members(self) -> str:
        """Read a class, and give the characters in it."""
        members, is_negated = "", self.rest.startswith("^")
        if is_negated:
            self.take()
        while self.rest and (not self.rest.startswith("]") or not members):
            char = self.take()
            char = self.escaped() if char == "\\" else char
            if self.rest.startswith("-") and not self.rest.startswith("-]"):
                self.take()
                last = self.take()
                last = self.escaped() if last == "\\" else last
                char = "".join(map(chr, range(ord(char), ord(last) + 1)))
            members += char
        self.take()
        return "".join(char for char in _CHARACTERS if char not in members) if is_negated else members
