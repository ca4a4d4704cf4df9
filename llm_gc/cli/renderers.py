"""How a conversation is written to standard output: styled as it streams, or as plain lines."""

from __future__ import annotations

import re
from typing import Protocol

from llm_gc.cli.output import out
from llm_gc.protocol import Message
from llm_gc.values.safe_text import clean

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
        """Whether nothing is on the line yet."""
        return self._column == 0 and not self._word

    def feed(self, text: str) -> str:
        """Return what can be shown now; a word is kept back until it is known to be whole."""
        *whole, last = _WORD.findall(self._word + text) or [""]
        self._word = ""
        shown = "".join(self._put(token) for token in whole)
        if last.strip():
            self._word = last
            return shown
        return shown + self._put(last)

    def flush(self) -> str:
        """Return what was kept back."""
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
            self._gap += token  # it may come in several pieces: the indentation of code does
            return ""
        gap, self._gap = self._gap, ""
        if self._column and not self._in_code and self._column + len(gap) + len(token) > self._width:
            self._column = len(token)
            return "\n" + token
        self._column += len(gap) + len(token)
        return gap + token


class Renderer(Protocol):
    """Whoever puts turns on standard output. ``text`` is called only for the one turn that streams."""

    names_speakers: bool
    """Whether the speaker and its model are above each turn, so that the line under it need not repeat them."""

    def begin(self, label: str, model: str, place: str) -> None:
        """A turn begins to be shown; ``model`` is who really speaks, ``place`` the turn or the branch, if any."""

    def text(self, text: str) -> None:
        """A piece of it."""

    def thought(self, text: str) -> None:
        """A piece of what the model thinks, which nobody hears."""

    def end(self, message: Message) -> None:
        """It is over, and counts; the whole of it is the message."""

    def void(self) -> None:
        """What was shown of it does not count: it is tried again, or has failed."""


class SilentRenderer:
    """Shows nothing."""

    names_speakers = False

    def begin(self, label: str, model: str, place: str) -> None: ...

    def text(self, text: str) -> None: ...

    def thought(self, text: str) -> None: ...

    def end(self, message: Message) -> None: ...

    def void(self) -> None: ...


class PlainRenderer(SilentRenderer):
    """Plain lines, each prefixed with the role; a turn is shown when it is known to count."""

    def end(self, message: Message) -> None:
        out.lines(message.role, message.content)


class StyledRenderer:
    """For a terminal: the speaker's name and model above, the text as it streams."""

    names_speakers = True

    def __init__(self) -> None:
        self._wrap = Wrap(out.width)
        self._is_thought = False

    def begin(self, label: str, model: str, place: str) -> None:
        where = f" · {place}" if place else ""
        self._wrap = Wrap(out.width)
        out.line((label, "bold cyan"), (f"  {model}{where}", "dim"), fit=False)

    def text(self, text: str) -> None:
        self._turn_to(thought=False)
        self._put(self._wrap.feed(clean(text)))

    def thought(self, text: str) -> None:
        self._turn_to(thought=True)
        self._put(self._wrap.feed(clean(text)))

    def end(self, message: Message) -> None:
        self.void()

    def void(self) -> None:
        self._put(self._wrap.flush())
        self._is_thought = False
        if not self._wrap.at_line_start:
            self._put("\n")
            self._wrap = Wrap(out.width)

    def _turn_to(self, *, thought: bool) -> None:
        """Put words and thoughts on lines of their own."""
        if thought != self._is_thought:
            self.void()
            self._is_thought = thought

    def _put(self, text: str) -> None:
        if text:
            out.text(text, "dim" if self._is_thought else "", end="")
