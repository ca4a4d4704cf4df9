"""Jinja's lexer, with tokens that know their column.

Jinja keeps the line of a token, and hands it on to every node of a template and to every error. Here that line is a
``Spot``: the same number, that knows its column besides.
"""

from __future__ import annotations

from collections.abc import Iterator

from jinja2.exceptions import TemplateSyntaxError
from jinja2.lexer import Lexer


class Token(int):
    """A line, counted from 1, that knows a column in it, counted from 1."""

    column: int

    @classmethod
    def of(cls, line: int, column: int) -> Token:
        """Return the spot of a line and a column."""
        spot = cls(line)
        spot.column = column
        return spot


def column(line: int | None) -> int | None:
    """Return the column that a line of Jinja's knows, None where it knows none."""
    return line.column if isinstance(line, Token) else None


class TokenLexer(Lexer):
    """Finds each token in the source that it was cut from."""

    def tokeniter(
        self, source: str, name: str | None, filename: str | None = None, state: str | None = None
    ) -> Iterator[tuple[int, str, str]]:
        """Yield line, kind and text of each token."""
        line, start, offset = 1, 0, 0  # of the line that the offset is in
        try:
            for _, kind, value in super().tokeniter(source, name, filename, state):
                found = source.find(value, offset)  # what was trimmed is passed over
                line, start, offset = _moved(source, line, start, offset, found)
                yield Token.of(line, offset - start + 1), kind, value
                line, start, offset = _moved(source, line, start, offset, offset + len(value))
        except TemplateSyntaxError as error:
            following = len(source) - len(source[offset:].lstrip())
            line, start, offset = _moved(source, line, start, offset, following)
            error.lineno = Token.of(line, offset - start + 1)
            raise


def _moved(source: str, line: int, start: int, offset: int, to: int) -> tuple[int, int, int]:
    """Return the line, where it starts, and the offset, after a move towards the end."""
    to = max(to, offset)
    breaks = source.count("\n", offset, to)
    return line + breaks, source.rfind("\n", offset, to) + 1 if breaks else start, to
