"""How a conversation is put on standard output: styled as it streams, as plain lines, or not at all."""

from __future__ import annotations

from typing import Protocol

from llm_gc.cli.output import out
from llm_gc.cli.wrap import Wrap
from llm_gc.printable import clean
from llm_gc.protocol import Message


class Voice(Protocol):
    """Whoever puts turns on standard output. ``text`` is called only for the one turn that streams."""

    names_speakers: bool
    """Whether the speaker and its model stand above each turn, so that the line under it need not repeat them."""

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


class Silent:
    """Shows nothing."""

    names_speakers = False

    def begin(self, label: str, model: str, place: str) -> None: ...

    def text(self, text: str) -> None: ...

    def thought(self, text: str) -> None: ...

    def end(self, message: Message) -> None: ...

    def void(self) -> None: ...


class Plain(Silent):
    """Plain lines, each prefixed with the role; a turn is shown when it is known to count."""

    def end(self, message: Message) -> None:
        out.lines(message.role, message.content)


class Styled:
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
        """Let words and thoughts stand on lines of their own."""
        if thought != self._is_thought:
            self.void()
            self._is_thought = thought

    def _put(self, text: str) -> None:
        if text:
            out.text(text, "dim" if self._is_thought else "", end="")
