"""How a conversation is put on standard output: styled as it streams, as plain lines, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import click

from llm_gc.cli.clean import clean
from llm_gc.cli.wrap import Wrap
from llm_gc.conversation import Turn
from llm_gc.protocol import Ask

if TYPE_CHECKING:
    from rich.console import Console


class Voice(Protocol):
    """Whoever puts turns on standard output. ``text`` is called only for the one turn that streams."""

    names_speakers: bool
    """Whether the speaker and its model stand above each turn, so that the line under it need not repeat them."""

    def begin(self, ask: Ask, model: str) -> None:
        """A turn begins to be shown; ``model`` is who really speaks."""

    def text(self, text: str) -> None:
        """A piece of it."""

    def thought(self, text: str) -> None:
        """A piece of what the model thinks, which nobody hears."""

    def end(self, turn: Turn) -> None:
        """It is over, and counts."""

    def void(self) -> None:
        """What was shown of it does not count: it is tried again, or has failed."""


class Silent:
    """Shows nothing."""

    names_speakers = False

    def begin(self, ask: Ask, model: str) -> None: ...

    def text(self, text: str) -> None: ...

    def thought(self, text: str) -> None: ...

    def end(self, turn: Turn) -> None: ...

    def void(self) -> None: ...


class Plain(Silent):
    """Plain lines, each prefixed with the role; a turn is shown when it is known to count."""

    def end(self, turn: Turn) -> None:
        for line in clean(turn.message.content).strip("\n").split("\n"):
            click.echo(f"{turn.message.role}: {line}".rstrip(), color=False)


class Styled:
    """For a terminal: the speaker's name and model above, the text as it streams."""

    names_speakers = True

    def __init__(self, console: Console) -> None:
        """Write to ``console``."""
        self._console = console
        self._wrap = Wrap(console.width)
        self._is_thought = False

    def begin(self, ask: Ask, model: str) -> None:
        from rich.text import Text

        number = f" · turn {ask.turn}" if ask.turn is not None else ""
        self._wrap = Wrap(self._console.width)
        head = Text(clean(ask.label), style="bold cyan") + Text(f"  {clean(model)}{number}", style="dim")
        self._console.print(head, soft_wrap=True)

    def text(self, text: str) -> None:
        self._turn_to(thought=False)
        self._put(self._wrap.feed(clean(text)))

    def thought(self, text: str) -> None:
        self._turn_to(thought=True)
        self._put(self._wrap.feed(clean(text)))

    def end(self, turn: Turn) -> None:
        self.void()

    def void(self) -> None:
        self._put(self._wrap.flush())
        self._is_thought = False
        if not self._wrap.at_line_start:
            self._put("\n")
            self._wrap = Wrap(self._console.width)

    def _turn_to(self, *, thought: bool) -> None:
        """Let words and thoughts stand on lines of their own."""
        if thought != self._is_thought:
            self.void()
            self._is_thought = thought

    def _put(self, text: str) -> None:
        if text and self._is_thought:
            from rich.text import Text

            self._console.print(Text(text, style="dim"), end="", soft_wrap=True)
        elif text:
            self._console.file.write(text)
            self._console.file.flush()
