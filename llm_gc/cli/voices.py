"""How a conversation is put on standard output: styled as it streams, as plain lines, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import click

from llm_gc.cli.clean import clean
from llm_gc.conversation import Turn
from llm_gc.protocol import Ask

if TYPE_CHECKING:
    from rich.console import Console


class Voice(Protocol):
    """Whoever puts turns on standard output. ``text`` is called only for the one turn that streams."""

    def begin(self, ask: Ask) -> None:
        """A turn begins to be shown."""

    def text(self, text: str) -> None:
        """A piece of it."""

    def void(self) -> None:
        """What was shown of it does not count: it is tried again, or has failed."""

    def end(self, turn: Turn, streamed: bool) -> None:
        """It is over; its text is still to be shown where nothing ``streamed``."""


class Silent:
    """Shows nothing."""

    def begin(self, ask: Ask) -> None: ...

    def text(self, text: str) -> None: ...

    def void(self) -> None: ...

    def end(self, turn: Turn, streamed: bool) -> None: ...


class Plain(Silent):
    """Plain lines, each prefixed with the role; a turn is shown when it is known to count."""

    def end(self, turn: Turn, streamed: bool) -> None:
        if not turn.message.failed:
            for line in clean(turn.message.content).strip("\n").split("\n"):
                click.echo(f"{turn.message.role}: {line}".rstrip(), color=False)


class Styled:
    """For a terminal: the speaker's name and model above, the text as it streams."""

    def __init__(self, console: Console) -> None:
        """Write to ``console``."""
        self._console = console
        self._at_line_start = True

    def begin(self, ask: Ask) -> None:
        from rich.text import Text

        number = f" · turn {ask.turn}" if ask.turn is not None else ""
        head = Text(clean(ask.label), style="bold") + Text(f"  {clean(ask.model)}{number}", style="dim")
        self._console.print(head, soft_wrap=True)

    def text(self, text: str) -> None:
        from rich.text import Text

        shown = clean(text)
        if shown:
            self._console.print(Text(shown), end="", soft_wrap=True)
            self._at_line_start = shown.endswith("\n")

    def void(self) -> None:
        self._finish_line()

    def end(self, turn: Turn, streamed: bool) -> None:
        if not streamed and not turn.message.failed:
            self.text(turn.message.content)
        self._finish_line()

    def _finish_line(self) -> None:
        if not self._at_line_start:
            self._console.print()
            self._at_line_start = True
