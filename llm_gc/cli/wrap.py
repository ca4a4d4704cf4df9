"""Words wrapped as they stream: a line breaks between words, but lines of code stay as they are."""

from __future__ import annotations

import re

_WORD = re.compile(r"\n|[^\S\n]+|\S+")


class Wrap:
    """Gives streamed text back with line breaks put in, so that no word is torn at the terminal's edge."""

    def __init__(self, width: int) -> None:
        """Wrap at ``width`` columns."""
        self._width = max(width, 20)
        self._column = 0
        self._line = ""
        self._word = ""
        self._gap = ""
        self._in_code = False

    @property
    def at_line_start(self) -> bool:
        """Whether nothing stands on the line yet."""
        return self._column == 0 and not self._word

    def feed(self, text: str) -> str:
        """Give what can be shown now; a word is kept back until it is known to be whole."""
        *whole, last = _WORD.findall(self._word + text) or [""]
        self._word = ""
        shown = "".join(self._put(token) for token in whole)
        if last.strip():
            self._word = last
            return shown
        return shown + self._put(last)

    def flush(self) -> str:
        """Give what was kept back."""
        word, self._word = self._word, ""
        return self._put(word)

    def _put(self, token: str) -> str:
        if token == "\n":
            if self._line.lstrip().startswith(("```", "~~~")):
                self._in_code = not self._in_code
            self._column, self._line, self._gap = 0, "", ""
            return "\n"
        self._line += token
        if not token.strip():
            self._gap = token
            return ""
        gap, self._gap = self._gap, ""
        if self._column and not self._in_code and self._column + len(gap) + len(token) > self._width:
            self._column = len(token)
            return "\n" + token
        self._column += len(gap) + len(token)
        return gap + token
