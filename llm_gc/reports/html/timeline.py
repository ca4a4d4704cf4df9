"""Where the seconds of a conversation went: for each turn when it began, and how long each of its phases took.

A transcript holds how long things took, and not when they happened. Turns are laid one after the other; branches begin
together, whatever their server made of them, and what follows a block begins when its longest branch has ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from llm_gc.reports.html.outline import Beside, Block, Inside
from llm_gc.transcript.records import TurnRecord

Phase = Literal["tries", "slot", "load", "prompt", "wait", "generation", "rest"]

PHASES: dict[Phase, str] = {
    "tries": "failed",
    "slot": "waiting for a slot",
    "load": "load",
    "prompt": "prompt",
    "wait": "until the first token",
    "generation": "generation",
    "rest": "other",
}
"""What the phases are called, in order."""


SHORTEST = 0.0005
"""So many seconds are none: what is left over where figures were rounded."""


@dataclass(frozen=True)
class Bar:
    """A turn in time: when it began, in seconds, and its phases in order, each with its seconds."""

    start: float
    phases: tuple[tuple[Phase, float], ...]

    @property
    def seconds(self) -> float:
        """How long it took, failed tries and the waits between them included."""
        return sum(seconds for _, seconds in self.phases)


def timeline(blocks: Sequence[Block]) -> tuple[dict[str, Bar], float]:
    """Return the bar of each turn by the turn's id, and the seconds from the first to the end of the last."""
    bars: dict[str, Bar] = {}
    return bars, _lay(blocks, 0.0, bars)


def phases(turn: TurnRecord) -> Iterator[tuple[Phase, float]]:
    """Yield the phases of a turn that took any time.

    The server's figures are taken as they are as long as they fit into what was measured here. The first token is
    counted from the request itself, so that a load which was asked for before it is not in it.
    """
    latency = turn.latency
    last = latency.total if latency.total is not None else turn.seconds
    others = sum(attempt.seconds for attempt in turn.attempts if attempt.id != turn.id)
    tries = max(turn.seconds - last, 0.0) + others
    load, prompt, first = latency.load or 0.0, latency.prompt or 0.0, latency.first_token
    slot = latency.wait or 0.0
    wait = 0.0 if first is None else max(first - slot - prompt - (load if load <= first else 0.0), 0.0)
    generation = latency.generation
    if generation is None:  # a server that does not say: all that came after the first token
        generation = 0.0 if first is None else last
    known: list[tuple[Phase, float]]
    known = [("slot", slot), ("load", load), ("prompt", prompt), ("wait", wait), ("generation", generation)]
    if turn.error is not None:  # all of it failed
        tries, last = tries + last, 0.0
    if tries > SHORTEST:
        yield "tries", tries
    left = last
    for phase, seconds in known:
        seconds = min(seconds, left)
        left -= seconds
        if seconds > SHORTEST:
            yield phase, seconds
    if left > SHORTEST:
        yield "rest", left


def _lay(blocks: Sequence[Block], now: float, bars: dict[str, Bar]) -> float:
    """Lay blocks one after the other from ``now`` on; return when the last one ends."""
    for block in blocks:
        match block:
            case TurnRecord():
                bars[block.id] = bar = Bar(now, tuple(phases(block)))
                now += bar.seconds
            case Beside(branches):
                now = max(_lay(branch, now, bars) for branch in branches)
            case Inside(blocks=inner):
                now = _lay(inner, now, bars)
    return now
