"""A turn as the page shows it: what the template needs, made when it is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

from markupsafe import Markup

from llm_gc.reports import figures
from llm_gc.reports.html.prose import code, data, plain, prose
from llm_gc.reports.html.timeline import PHASES, Bar, Phase
from llm_gc.transcript.encode import dumps
from llm_gc.transcript.records import AttemptRecord, Transcript, TurnRecord
from llm_gc.values.safe_text import clean

COLOURS = 8
"""So many roles have a colour of their own."""


THINNEST = 0.5
"""A piece of fewer hundredths is not drawn where a bar stands for itself."""


class PagePiece(NamedTuple):
    """A piece of a bar, as SVG has it: in hundredths of the whole width."""

    phase: Phase
    x: str
    width: str


class PageContext(NamedTuple):
    """How much of the context window a turn has used, in tokens."""

    prompt: int
    completion: int
    window: int

    @property
    def used(self) -> float:
        """The used part, in hundredths."""
        return 100 * (self.prompt + self.completion) / self.window


@dataclass(frozen=True)
class TurnView:
    """One turn."""

    record: TurnRecord
    anchor: str
    colour: str
    bar: Bar
    window: int | None = None

    @property
    def label(self) -> str:
        """Who spoke."""
        return clean(self.record.label)

    @property
    def name(self) -> str:
        """What the turn is called."""
        if self.record.is_pick:
            return "choice"
        return "turn" if self.record.turn is None else f"turn {self.record.turn}"

    @property
    def body(self) -> Markup:
        """What was said."""
        record = self.record
        if record.data is not None and record.request.format is not None and record.error is None:
            return data(record.data)
        return prose(record.content)

    @property
    def chosen(self) -> str:
        """Whom a choice fell on; empty where it failed."""
        found = self.record.data.get("next", "") if isinstance(self.record.data, Mapping) else ""
        return clean(str(found)) if self.record.error is None else ""

    @property
    def thinking(self) -> Markup | None:
        """What the model thought."""
        return plain(self.record.thinking) if self.record.thinking else None

    @property
    def said(self) -> Markup | None:
        """What the others heard, where it is not what was said."""
        return prose(self.record.said) if self.record.said and self.record.heard else None

    @property
    def tools(self) -> Markup:
        """The calls of tools, all refused."""
        return code(dumps(self.record.tool_calls, indent=2), "json")

    @property
    def tries(self) -> tuple[AttemptRecord, ...]:
        """The tries that failed, the turn's own among them where it failed."""
        return self.record.attempts

    @property
    def marks(self) -> Iterator[tuple[str, str]]:
        """What is to be seen at once: a class and a word."""
        record = self.record
        if record.error is not None:
            yield "bad", record.error.kind.replace("_", " ")
        if record.context is not None and record.context.dropped and record.error is None:
            yield "warn", f"{record.context.dropped} older dropped"
        if record.cut:
            yield "warn", f"cut by {record.cut_by.limit if record.cut_by is not None else 'length'}"
        if record.error is None and not record.heard and not record.is_pick:
            yield "quiet", "no other role heard this"

    @property
    def figures(self) -> list[str]:
        """Its figures, each in a few words."""
        found = list(filter(None, figures.line_of(self.record).split(" · ")))
        if (context := self.context) is not None:
            found.append(f"{context.used:.0f} % of {context.window:,} tokens of context")
        return found

    @property
    def context(self) -> PageContext | None:
        """Its use of the context window, where that is known."""
        tokens = self.record.tokens
        if not self.window or not tokens.total:
            return None
        return PageContext(tokens.prompt or 0, tokens.completion or 0, self.window)

    @property
    def phases(self) -> str:
        """The phases in words."""
        return ", ".join(f"{PHASES[phase]} {figures.seconds(taken)}" for phase, taken in self.bar.phases)

    def pieces(self, whole: float | None = None) -> Iterator[PagePiece]:
        """Yield the pieces of its bar on a time line of ``whole`` seconds, or by itself, as far as they are visible."""
        scale, start = (100 / whole, self.bar.start) if whole else (100 / (self.bar.seconds or 1), 0.0)
        ends = accumulate((taken for _, taken in self.bar.phases), initial=start)
        for (phase, taken), begin in zip(self.bar.phases, ends, strict=False):
            if whole or taken * scale > THINNEST:
                yield PagePiece(phase, f"{begin * scale:.5g}%", f"{taken * scale:.4g}%")


@dataclass
class RoleView:
    """What one role cost."""

    role: str
    label: str
    colour: str
    models: list[str]
    turns: int = 0
    failed: int = 0
    prompt: int = 0
    completion: int = 0
    seconds: float = 0.0
    generation: float = 0.0
    generated: int = 0

    @property
    def tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt + self.completion

    @property
    def speed(self) -> str:
        """The tokens per second of what was generated."""
        return f"{self.generated / self.generation:.1f}" if self.generation else ""


class Views:
    """The views of one transcript."""

    def __init__(self, transcript: Transcript, bars: Mapping[str, Bar]) -> None:
        """Take where each turn is in time."""
        self._bars, self._windows = bars, transcript.versions.windows
        names = list(dict.fromkeys(turn.role for turn in transcript.turns))
        self._colours = {name: f"r{number % COLOURS}" for number, name in enumerate(names)}
        self._anchors = {turn.id: f"t{turn.turn or f'-{at}'}" for at, turn in enumerate(transcript.turns, 1)}

    def turn(self, record: TurnRecord) -> TurnView:
        """Return the view of a turn."""
        anchor, colour = self._anchors[record.id], self._colours[record.role]
        return TurnView(record, anchor, colour, self._bars[record.id], self._window(record))

    def _window(self, record: TurnRecord) -> int | None:
        """Return the context window of a turn: the one on record, the one it named, or the server's own."""
        if record.context is not None and record.context.window:
            return record.context.window
        asked = record.request.options.get("num_ctx", self._windows.get(record.request.model or record.model))
        return asked if isinstance(asked, int) and asked > 0 else None

    def roles(self, transcript: Transcript) -> list[RoleView]:
        """Add up what each role cost, tries that were asks of their own included."""
        found: dict[str, RoleView] = {}
        for turn in transcript.turns:
            role = turn.role
            view = found.setdefault(role, RoleView(role, clean(_label(transcript, turn)), self._colours[role], []))
            if turn.model and turn.model not in view.models:
                view.models.append(clean(turn.model))
            view.turns += not turn.is_pick
            view.failed += turn.error is not None
            asked: list[TurnRecord | AttemptRecord] = [
                turn,
                *(attempt for attempt in turn.attempts if attempt.id != turn.id),
            ]
            for one in asked:
                view.prompt += one.tokens.prompt or 0
                view.completion += one.tokens.completion or 0
                view.seconds += one.seconds
            if turn.latency.generation and turn.tokens.completion:
                view.generation += turn.latency.generation
                view.generated += turn.tokens.completion
        return list(found.values())


def _label(transcript: Transcript, turn: TurnRecord) -> str:
    """Return the role's own label: that of a turn may name a copy, or whatever its step says."""
    roles: Any = transcript.pipeline.document.get("roles", {})
    declared = roles.get(turn.role) if isinstance(roles, Mapping) else None
    label = declared.get("label") if isinstance(declared, Mapping) else None
    return label if isinstance(label, str) else turn.role
