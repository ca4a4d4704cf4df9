"""``-k``: which cases are meant by words of their names, with ``and``, ``or``, ``not`` and brackets."""

from __future__ import annotations

import re
from collections.abc import Callable

Chosen = Callable[[str], bool]


def read(text: str) -> Chosen:
    """Give what tells by a case's name whether it is meant. Words are looked for as they stand, in any case.

    Raises:
        ValueError: where it is no such expression.

    """
    words = re.findall(r"\(|\)|[^\s()]+", text)
    if not words:
        raise ValueError("there is no word in it")
    reader = _Reader(words)
    chosen = reader.either()
    if reader.rest:
        raise ValueError(f"{reader.rest[0]!r} cannot stand there")
    return lambda name: chosen(name.lower())


class _Reader:
    """Reads an expression from its words, by recursive descent."""

    def __init__(self, words: list[str]) -> None:
        self.rest = words

    def either(self) -> Chosen:
        sides = [self.both()]
        while self._takes("or"):
            sides.append(self.both())
        return lambda name: any(side(name) for side in sides)

    def both(self) -> Chosen:
        sides = [self.one()]
        while self._takes("and"):
            sides.append(self.one())
        return lambda name: all(side(name) for side in sides)

    def one(self) -> Chosen:
        if self._takes("not"):
            inner = self.one()
            return lambda name: not inner(name)
        if self._takes("("):
            inner = self.either()
            if not self._takes(")"):
                raise ValueError("a ')' is missing")
            return inner
        if not self.rest or self.rest[0] in ("and", "or", ")"):
            raise ValueError(
                f"a word is missing before {self.rest[0]!r}" if self.rest else "a word is missing at its end"
            )
        word = self.rest.pop(0).lower()
        return lambda name: word in name

    def _takes(self, word: str) -> bool:
        if self.rest[:1] != [word]:
            return False
        del self.rest[0]
        return True
