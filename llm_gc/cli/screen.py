"""What the user of ``run`` sees: the conversation on standard output, everything about it on standard error."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

from llm_gc.backends.interface import Asked, Delta, Loading, Noticed, Progress, TakenBack
from llm_gc.cli.output import err
from llm_gc.cli.renderers import Renderer
from llm_gc.core import Outcome, Turn
from llm_gc.protocol import Ask, Failure
from llm_gc.reports import figures
from llm_gc.transcript.records import Transcript


class Notes:
    """Lines on standard error; a spinner between them where that is a terminal."""

    def __init__(self, *, quiet: bool = False) -> None:
        """Print everything; ``quiet`` leaves only warnings."""
        self._quiet = quiet
        self._spinner: Any = None
        self._kept: list[tuple[str, str]] | None = None

    def say(self, *lines: str, style: str = "dim") -> None:
        """Print lines that are good to know."""
        if not self._quiet:
            self._put(lines, style)

    def warn(self, *lines: str) -> None:
        """Print lines that must not be missed."""
        self._put(lines, "yellow")

    def spin(self, text: str) -> None:
        """Show that something continues, with the time since."""
        if self._kept is None and err.is_live:
            self.still()
            self._spinner = err.spinner(text)

    def still(self) -> None:
        """Take the spinner away."""
        if self._spinner is not None:
            self._spinner.stop()
            self._spinner = None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep still while somebody types; what is said meanwhile follows afterwards."""
        self.still()
        kept: list[tuple[str, str]] = []
        self._kept = kept
        try:
            yield
        finally:
            self._kept = None
            for line, style in kept:
                self._put([line], style)

    def _put(self, lines: Iterable[str], style: str) -> None:
        if self._kept is not None:
            self._kept += [(line, style) for line in lines]
            return
        self.still()
        for line in lines:
            err.line((line, style))


class Screen:
    """The watcher that shows a run. Of turns side by side the first one streams, the others follow whole."""

    def __init__(self, voice: Renderer, notes: Notes, *, thinking: bool = False) -> None:
        """Show turns by ``voice``, and everything about them by ``notes``; ``thinking`` too, where that is wanted."""
        self._voice, self._notes, self._thinking = voice, notes, thinking
        self._open: dict[str, _Shown] = {}
        self._moved = asyncio.Event()

    def preparing(self, progress: Progress) -> None:
        """Report that a model is being loaded."""
        if isinstance(progress, Loading):
            self._notes.spin(f"loading {progress.model}")

    def began(self, ask: Ask) -> None:
        """Take up a turn."""
        shown = self._open.setdefault(_key(ask), _Shown(ask))
        shown.begin(ask)
        self._wait(shown, f"waiting for {ask.label}")

    def progress(self, ask: Ask, progress: Progress) -> None:
        """Show what streams."""
        shown = self._open[_key(ask)]
        match progress:
            case Loading(model):
                self._wait(shown, f"loading {model} for {ask.label}")
            case Asked(model):
                shown.model = model
                self._wait(shown, f"waiting for {ask.label} ({model})")
            case TakenBack():
                self._void(shown)
            case Noticed(message):
                self.trouble(message)
            case Delta(text, thinking):
                self._hear(shown, Delta(text, thinking if self._thinking else ""))

    def retrying(self, ask: Ask, failure: Failure, wait: float) -> None:
        """Report that what was shown is void."""
        shown = self._open[_key(ask)]
        self._void(shown)
        self._notes.warn(f"{ask.label}: {failure.message} Trying again in {wait:g} s.")

    def settled(self, turn: Turn) -> None:
        """Show a turn that is over, when it is its turn to be shown."""
        ask = turn.exchange.ask
        self._open.setdefault(_key(ask), _Shown(ask)).turn = turn
        self._notes.still()
        while self._open and (first := next(iter(self._open.values()))).turn is not None:
            self._close(first, first.turn)
            del self._open[_key(first.ask)]
        if self._open:
            first = next(iter(self._open.values()))
            self._show(first) if first.pieces and not first.is_pick else self._wait(
                first, f"waiting for {first.ask.label}"
            )
        self._moved.set()

    @contextlib.asynccontextmanager
    async def floor(self, ask: Ask) -> AsyncIterator[None]:
        """Wait until everything before this turn has been shown, then let nothing else be shown for a while."""
        while not self._is_first(self._open[_key(ask)]):
            self._moved.clear()
            await self._moved.wait()
        with self._notes.held():
            yield

    def trouble(self, message: str) -> None:
        """Warn."""
        self._notes.warn(f"warning: {message}")

    def ended(self, transcript: Transcript, outcome: Outcome, path: Path | None) -> None:
        """Print why it ended, what came of it, and where the transcript is."""
        self._notes.still()
        for shown in self._open.values():
            cut = shown.streamed
            self._void(shown)
            if cut:
                self._notes.warn("(cut off here; this turn is not kept)", "")
        self._notes.say(*figures.summary(transcript), style="red" if outcome.status == "failed" else "bold")
        if result := figures.result(transcript):
            self._notes.say(*figures.spread(f"result: {result}"), style="")
        if path is not None:
            self._notes.say(f"transcript: {path}", style="")

    def _hear(self, shown: _Shown, delta: Delta) -> None:
        if not (delta.text or delta.thinking):
            self._wait(shown, f"{shown.ask.label} ({shown.model}) is thinking")
            return
        shown.pieces.append(delta)
        if self._is_first(shown) and not shown.is_pick:
            self._show(shown)

    def _is_first(self, shown: _Shown) -> bool:
        return next(iter(self._open.values())) is shown

    def _wait(self, shown: _Shown, text: str) -> None:
        if self._is_first(shown) and shown.waits != text and not shown.streamed and not shown.ask.casting.human:
            shown.waits = text
            self._notes.spin(text)

    def _show(self, shown: _Shown) -> None:
        """Show the pieces that are not shown yet, below the speaker's name."""
        self._notes.still()
        if not shown.streamed:
            shown.streamed = True
            self._voice.begin(shown.ask.label, shown.model, figures.place(shown.ask.turn, shown.ask.branch))
        for piece in shown.pieces:
            if piece.thinking:
                self._voice.thought(piece.thinking)
            if piece.text:
                self._voice.text(piece.text)
        shown.pieces.clear()

    def _void(self, shown: _Shown) -> None:
        self._notes.still()
        if shown.streamed:
            self._voice.void()
        shown.begin(shown.ask)

    def _close(self, shown: _Shown, turn: Turn) -> None:
        if turn.is_pick:
            self._close_pick(shown, turn)
            return
        reply, message = turn.exchange.reply, turn.message
        model = reply.model or turn.exchange.ask.model
        place = figures.place(message.turn, turn.exchange.ask.branch)
        where = f"{place}, {message.label} ({model})" if place else f"{message.label} ({model})"
        if turn.exchange.failure is not None:
            self._void(shown)
            self._notes.warn(f"warning: {where} failed: {turn.exchange.failure.message}")
        else:
            if not shown.streamed and not shown.pieces:
                shown.model, shown.pieces = model, [Delta(message.content)]
            self._show(shown)
            self._voice.end(message)
        for warning in turn.warnings:
            self._notes.warn(f"warning: {where}: {warning}")
        if self._thinking and reply.thinking and not self._voice.names_speakers:  # else it was shown as it came
            self._notes.say(*figures.spread(f"{message.label} thinks: {reply.thinking.strip()}"))
        line = figures.line(turn)
        self._say(where if not self._voice.names_speakers or (message.failed and line) else "", line)

    def _close_pick(self, shown: _Shown, turn: Turn) -> None:
        """A choice is no part of the conversation: it is notified of, and its words are not shown."""
        failure, data = turn.exchange.failure, turn.message.data
        self._void(shown)
        if failure is not None:
            self._notes.warn(f"warning: {turn.message.label} chose nobody: {failure.message}")
        else:
            self._say(f"{turn.message.label} chooses {data['next']}", figures.line(turn))
        for warning in turn.warnings:
            self._notes.warn(f"warning: {turn.message.label}: {warning}")

    def _say(self, *words: str) -> None:
        line = " · ".join(filter(None, words))
        self._notes.say(*([line] if line else []), "")


class _Shown:
    """A turn on its way to the screen."""

    def __init__(self, ask: Ask) -> None:
        self.turn: Turn | None = None
        self.begin(ask)

    def begin(self, ask: Ask) -> None:
        """Begin it again, with nothing shown."""
        self.ask, self.model = ask, ask.model
        self.is_pick = ask.is_pick
        self.pieces: list[Delta] = []
        self.streamed = False
        self.waits = ""


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
