"""A session told in a terminal as the run was, or as plain lines: the conversation on standard output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llm_gc.cli.output import out
from llm_gc.cli.renderers import PlainRenderer, StyledRenderer, Wrap
from llm_gc.cli.screen import Notes
from llm_gc.language.labels import MARK
from llm_gc.protocol import Message
from llm_gc.reports import figures
from llm_gc.transcript.records import AttemptRecord, Transcript, TurnRecord
from llm_gc.values.safe_text import clean

if TYPE_CHECKING:
    from llm_gc.cli.renderers import Renderer


SHORT = 200
"""So much of an input is above a conversation."""


class SessionPrinter:
    """Tells turns by a voice, and all about them by notes on standard error."""

    def __init__(self, *, thinking: bool) -> None:
        """Look where the output goes; ``thinking`` tells what models thought as well."""
        self._voice: Renderer = StyledRenderer() if out.is_live else PlainRenderer()
        self._notes, self._thinking = Notes(), thinking

    def session(self, transcript: Transcript) -> None:
        """Print the whole session."""
        self._notes.say(f"{transcript.pipeline.name} · {transcript.id}", style="bold")
        if transcript.parent is not None:
            self._notes.say(f"forked from {transcript.parent.id}, at turn {transcript.parent.turn}", style="")
        for again in transcript.resumed:
            records = "turn or choice" if again.after == 1 else "turns and choices"
            self._notes.say(f"continued at {again.at}, after {again.after} {records}", style="")
        for name, value in transcript.inputs.items():
            self._notes.say(f"{name}: {_shortened(figures.text(value))}", style="")
        self._notes.say("")
        for turn in transcript.turns:
            self.turn(turn)
        self._notes.say(*figures.summary(transcript), style="red" if transcript.status == "failed" else "bold")
        if result := figures.result(transcript):
            self._notes.say(*figures.spread(f"result: {result}"), style="")

    def turn(self, turn: TurnRecord, *, whole: bool = False) -> None:
        """Print one turn; with ``whole``, what arrived of the failed attempts as well."""
        who = f"turn {turn.turn}, {turn.label} ({turn.model})" if turn.turn else f"{turn.label} ({turn.model})"
        tries = turn.attempts[:-1] if turn.error else turn.attempts
        for number, attempt in enumerate(tries, 1):
            self._notes.warn(f"{who}, attempt {number} failed: {attempt.error.message}")
            self._arrived(turn, attempt, whole=whole)
        thinking = turn.thinking if self._thinking else ""
        if thinking and not self._streams(turn, whole=whole):
            self._aside(turn, "thinking", thinking)
        if turn.error is not None:
            chose = "chose nobody" if turn.is_pick else "failed"
            self._notes.warn(f"warning: {who} {chose}: {turn.error.message}")
            self._arrived(turn, turn.attempts[-1] if turn.attempts else None, whole=whole)
        elif not turn.is_pick or whole:
            self._voice.begin(turn.label, turn.model, figures.place(turn.turn))
            if thinking:
                self._voice.thought(thinking)
            self._voice.text(turn.content)
            self._voice.end(Message(turn.role, turn.label, turn.content))
        for note in _notes(turn):
            self._notes.warn(*figures.spread(f"{who}: {note}"))
        named = self._voice.names_speakers and turn.error is None and not turn.is_pick
        chosen = f"{turn.label} chooses {turn.data['next']}" if turn.is_pick and turn.error is None else who
        line = " · ".join(filter(None, ["" if named else chosen, figures.line_of(turn)]))
        self._notes.say(line, "")

    def request(self, messages: list[dict[str, str]], options: Any) -> None:
        """Report what was sent, message by message."""
        for message in messages:
            if out.is_live:
                out.line((f"→ {message['role']}", "bold magenta"))
                out.text(message["content"])
                out.line()
            else:
                PlainRenderer().end(Message(message["role"], content=message["content"]))
        words = ", ".join(f"{name} {figures.text(value)}" for name, value in options.items())
        self._notes.say(f"options: {words}", "")

    def _streams(self, turn: TurnRecord, *, whole: bool) -> bool:
        """Return whether a turn is shown below its speaker's name, what it thought too."""
        return out.is_live and turn.error is None and (whole or not turn.is_pick)

    def _arrived(self, turn: TurnRecord, attempt: AttemptRecord | None, *, whole: bool) -> None:
        if whole and attempt is not None and attempt.content:
            self._aside(turn, "void", attempt.content)

    def _aside(self, turn: TurnRecord, what: str, text: str) -> None:
        """Report what is no part of the conversation."""
        if out.is_live:
            out.line((f"{turn.label} ({what})", "dim bold"))
            wrap = Wrap(out.width)
            out.text(wrap.feed(clean(text).strip("\n")) + wrap.flush(), "dim italic")
            out.line()
        else:
            PlainRenderer().end(Message(f"{turn.role} ({what})", content=text))


def _is_only_marked(turn: TurnRecord) -> bool:
    """Return whether the others heard what was said, but for marks before lines that speak as somebody else."""
    lines, said = turn.content.splitlines(), (turn.said or "").splitlines()
    return len(lines) == len(said) and all(now in (then, MARK + then) for then, now in zip(lines, said, strict=True))


def _notes(turn: TurnRecord) -> list[str]:
    """Return what is odd about a turn, and what the others made of it."""
    notes = list(turn.warnings)
    if turn.error is None and not turn.heard and not turn.is_pick:
        notes.append("no other role heard this")
    elif turn.said is not None and turn.error is None and turn.heard and not _is_only_marked(turn):
        notes.append(f"the others heard instead: {turn.said}")
    if turn.tool_calls:
        notes.append(f"a call of {len(turn.tool_calls)} tool(s) was refused; none are offered")
    return notes


def _shortened(text: str) -> str:
    folded = " ".join(text.split())
    return folded if len(folded) <= SHORT else folded[: SHORT - 1] + "…"
