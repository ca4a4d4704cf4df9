"""Walks: conversations brought to a state, of which each way that continues from there needs one of its own.

As long as one is there it is copied, which costs no more in a long conversation than in a short one; else the
replies that led there are given to a new one. No request is rendered on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from llm_gc.core import Conversation, Files, TraceEvent
from llm_gc.language.pipeline import Pipeline
from llm_gc.model_checker.reply_classes import Way
from llm_gc.protocol import Ask, Path, Speaker


@dataclass(frozen=True, slots=True)
class DrawnChoice:
    """What chance gave at a place: a number below a count."""

    place: str
    number: int
    count: int


@dataclass(slots=True, eq=False)
class StateNode:
    """A state that was reached: by which reply, from which state. ``drawn`` is what chance gave after that reply.

    ``size`` is how much was said on the way, in characters; ``sent`` are the hashes of the parts that the pending ask
    sends; ``next`` are the numbers of the states and (below 0) of the endings that may come next, each with its reply.
    """

    number: int
    parent: StateNode | None = None
    way: Way | None = None
    drawn: tuple[DrawnChoice, ...] = ()
    depth: int = 0
    size: int = 0
    step: Path = ()
    speaker: Speaker = Speaker("")
    model: str = ""
    attempt: int = 1
    is_pick: bool = False
    sent: tuple[int, ...] | None = None
    broken: str = ""
    next: list[int] = field(default_factory=list)

    def path(self) -> list[StateNode]:
        """Return the states from the beginning to here."""
        found, node = [], self
        while True:
            found.append(node)
            if node.parent is None:
                return found[::-1]
            node = node.parent

    def drew(self, place: str) -> int:
        """Return what chance gave at a place on the way from the beginning to here."""
        node: StateNode | None = self
        while node is not None:
            for drawn in node.drawn:
                if drawn.place == place:
                    return drawn.number
            node = node.parent
        raise KeyError(place)

    def wait(self, ask: Ask, speaker: Speaker) -> None:
        """Keep of the ask of a speaker that is pending here what is looked at later."""
        self.step, self.speaker, self.model = ask.step, speaker, ask.model
        self.attempt, self.is_pick = ask.attempt, ask.is_pick


class Simulator:
    """Walks. What is reached by the last step alone is told, and chance draws by a script."""

    def __init__(self, pipeline: Pipeline, inputs: Mapping[str, Any], files: Files) -> None:
        """Take what is to be walked."""
        self._pipeline, self._inputs, self._files = pipeline, inputs, files
        self.visits: list[TraceEvent] = []
        self.drawn: list[DrawnChoice] = []
        self._script: tuple[int, ...] = ()
        self._past: StateNode | None = None
        self._first: Conversation | None = None

    def begin(self, script: tuple[int, ...] = ()) -> Conversation:
        """Begin a conversation; ``visits`` and ``drawn`` then hold what was reached before the first ask."""
        self._listen(script)
        if self._first is None:
            self._first = Conversation(self._pipeline, self._inputs, self._files, self.visits.append, self._draw)
            return self._first
        return self._first.again()

    def to(self, node: StateNode) -> Conversation:
        """Return a conversation that is where a node is."""
        path = node.path()
        conversation = self.begin(_script(path[0]))
        for one in path[1:]:
            self.answer(conversation, conversation.pending[0], one.way, _script(one))
        return conversation

    def copy(self, conversation: Conversation, node: StateNode) -> Conversation:
        """Return another conversation that is where this one does: at a node; chance draws what it drew before."""
        self._listen(())
        self._past = node
        try:
            return conversation.copy()
        finally:
            self._past = None

    def answer(self, conversation: Conversation, ask: Ask, way: Way | None, script: tuple[int, ...] = ()) -> None:
        """Answer an ask; ``visits`` and ``drawn`` then hold what was reached by that."""
        assert way is not None  # noqa: S101  # only the first state was reached without a reply
        self._listen(script)
        conversation.answer(ask, way.reply)

    def others(self) -> Iterator[tuple[int, ...]]:
        """Yield the scripts by which chance would have drawn otherwise just now, as far as they were not prescribed."""
        numbers = tuple(drawn.number for drawn in self.drawn)
        for index in range(len(self._script), len(numbers)):
            for number in range(1, self.drawn[index].count):
                yield (*numbers[:index], number)

    def _listen(self, script: tuple[int, ...]) -> None:
        self.visits.clear()
        self.drawn.clear()
        self._script = script

    def _draw(self, place: str, count: int) -> int:
        if self._past is not None:
            return self._past.drew(place)
        number = self._script[len(self.drawn)] if len(self.drawn) < len(self._script) else 0
        self.drawn.append(DrawnChoice(place, number, count))
        return number


def _script(node: StateNode) -> tuple[int, ...]:
    return tuple(drawn.number for drawn in node.drawn)
