"""What the user of ``run`` sees: the conversation on standard output, everything about it on standard error."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_gc.backends.base import Delta, Loading, Progress
from llm_gc.cli import figures
from llm_gc.cli.clean import clean
from llm_gc.cli.voices import Voice
from llm_gc.conversation import Outcome, Turn
from llm_gc.protocol import Ask, Failure
from llm_gc.transcript import Transcript

if TYPE_CHECKING:
    from rich.console import Console


class Notes:
    """Lines on standard error; a spinner between them where that is a terminal."""

    def __init__(self, console: Console | None, *, quiet: bool = False) -> None:
        """Take a rich console for a terminal, none for anything else; ``quiet`` leaves only warnings."""
        self._console, self._quiet = console, quiet
        self._spinner: Any = None

    def say(self, text: str, style: str = "dim") -> None:
        """Say something that is good to know."""
        if not self._quiet:
            self._put(text, style)

    def warn(self, text: str) -> None:
        """Say something that must not be missed."""
        self._put(text, "yellow")

    def spin(self, text: str) -> None:
        """Show that something goes on, with the time since."""
        if self._console is None:
            return
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self.still()
        columns = (SpinnerColumn(), TextColumn("[dim]{task.description}", markup=True), TimeElapsedColumn())
        self._spinner = Progress(*columns, console=self._console, transient=True)
        self._spinner.add_task(clean(text).replace("[", r"\["), total=None)
        self._spinner.start()

    def still(self) -> None:
        """Take the spinner away."""
        if self._spinner is not None:
            self._spinner.stop()
            self._spinner = None

    def _put(self, text: str, style: str) -> None:
        self.still()
        if self._console is None:
            click.echo(clean(text), err=True, color=False)
            return
        from rich.text import Text

        self._console.print(Text(clean(text), style=style), soft_wrap=True)


class Screen:
    """The watcher that shows a run. Of turns side by side the first in declared order streams, the others follow whole."""

    def __init__(self, voice: Voice, notes: Notes) -> None:
        """Show turns by ``voice``, and everything about them by ``notes``."""
        self._voice, self._notes = voice, notes
        self._open: dict[str, _Shown] = {}

    def preparing(self, progress: Progress) -> None:
        """Say that a model is being loaded."""
        if isinstance(progress, Loading):
            self._notes.spin(f"loading {progress.model}")

    def began(self, ask: Ask) -> None:
        """Take up a turn; show it if it is the first."""
        shown = self._open.setdefault(_key(ask), _Shown(ask))
        if shown.first is None and self._is_first(shown):
            shown.first = True
            self._voice.begin(ask)
        self._wait(shown, f"{ask.label} is asked")

    def progress(self, ask: Ask, progress: Progress) -> None:
        """Show what streams."""
        shown = self._open[_key(ask)]
        match progress:
            case Loading(model):
                self._wait(shown, f"loading {model}")
            case Delta(text, thinking) if text:
                shown.pieces.append(text)
                if self._is_first(shown):
                    self._show_pieces(shown)
            case Delta():
                self._wait(shown, f"{ask.label} thinks")
            case _:
                self._wait(shown, f"waiting for {ask.label}")

    def retrying(self, ask: Ask, failure: Failure, wait: float) -> None:
        """Say that what was shown is void."""
        shown = self._open[_key(ask)]
        self._void(shown)
        self._notes.warn(f"{ask.label}: {failure.message} Trying again in {wait:g} s.")
        shown.waits = ""

    def settled(self, turn: Turn) -> None:
        """Show a turn that is over, when it is its turn to be shown."""
        ask = turn.exchange.ask
        shown = self._open.setdefault(_key(ask), _Shown(ask))
        shown.turn = turn
        self._notes.still()
        while self._open and (first := next(iter(self._open.values()))).turn is not None:
            self._close(first, first.turn)
            del self._open[_key(first.ask)]
        if self._open:
            self._take_over(next(iter(self._open.values())))

    def trouble(self, message: str) -> None:
        """Warn."""
        self._notes.warn(f"warning: {message}")

    def ended(self, transcript: Transcript, outcome: Outcome, path: Path | None) -> None:
        """Say why it ended, what came of it, and where the transcript is."""
        self._notes.still()
        for shown in self._open.values():
            self._void(shown)
        self._notes.say("")
        self._notes.say(figures.summary(transcript), "red" if outcome.status == "failed" else "bold")
        newest = next((t.content for t in reversed(transcript.turns) if t.error is None), None)
        if transcript.result == newest and newest is not None:
            self._notes.say("result: the last message, above")
        elif transcript.result not in (None, ""):
            self._notes.say(f"result: {transcript.result}", "none")
        if path is not None:
            self._notes.say(f"transcript: {path}", "none")

    def _is_first(self, shown: _Shown) -> bool:
        return next(iter(self._open.values())) is shown

    def _wait(self, shown: _Shown, text: str) -> None:
        if self._is_first(shown) and shown.waits != text and not shown.streamed:
            shown.waits = text
            self._notes.spin(text)

    def _take_over(self, shown: _Shown) -> None:
        """Let the turn that is the first now be the one that streams."""
        if shown.first is None:
            shown.first = True
            self._voice.begin(shown.ask)
        if shown.pieces:
            self._show_pieces(shown)
        else:
            self._wait(shown, f"waiting for {shown.ask.label}")

    def _show_pieces(self, shown: _Shown) -> None:
        self._notes.still()
        for piece in shown.take():
            self._voice.text(piece)

    def _void(self, shown: _Shown) -> None:
        self._notes.still()
        shown.pieces.clear()
        shown.streamed = False
        if shown.first:
            self._voice.void()

    def _close(self, shown: _Shown, turn: Turn) -> None:
        failure, message = turn.exchange.failure, turn.message
        if shown.first is None:
            self._voice.begin(shown.ask)
        if failure is not None:
            self._void(shown)
        self._voice.end(turn, shown.streamed)
        where = f"turn {message.turn}, {message.label}" if message.turn else message.label
        model = turn.exchange.reply.model or turn.exchange.ask.model
        if failure is not None:
            self._notes.warn(f"warning: {where} ({model}) failed: {failure.message}")
        for warning in turn.warnings:
            self._notes.warn(f"warning: {where}: {warning}")
        self._notes.say(f"[{where} · {model} · {figures.line(turn)}]")
        self._notes.say("") if shown.first else None


class _Shown:
    """A turn on its way to the screen."""

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.turn: Turn | None = None
        self.pieces: list[str] = []
        self.streamed = False
        self.first: bool | None = None
        self.waits = ""

    def take(self) -> Iterator[str]:
        """Give the pieces that are not shown yet."""
        self.streamed = True
        pieces, self.pieces = self.pieces, []
        yield from pieces


def _key(ask: Ask) -> str:
    """A turn keeps its place through its attempts."""
    return ask.id.partition("#")[0]


@contextlib.contextmanager
def still(notes: Notes) -> Iterator[None]:
    """Leave no spinner behind, whatever happens."""
    try:
        yield
    finally:
        notes.still()
