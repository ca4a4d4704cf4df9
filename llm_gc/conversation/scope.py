"""What a step sees of the conversation it is in, and what it can do there."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from llm_gc.conversation.history import History
from llm_gc.conversation.speech import speak
from llm_gc.conversation.stage import Bounds, Stage, whole_number
from llm_gc.conversation.turn import Ending, Turn
from llm_gc.errors import TemplateError
from llm_gc.frozen import FrozenDict, FrozenList
from llm_gc.protocol import NOTHING, Ask, Flow, Message, Path, Reply, Runnable, Speaker, Speech, Together

MAX_STEPS = 10_000
"""So many steps without an ask are an error, not a hang."""


@dataclass
class Tally:
    """What a scene has cost so far, against its bounds."""

    bounds: Bounds
    turns: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def check(self) -> None:
        """End the scene if a limit is reached; called when something more is due."""
        bounds = self.bounds
        if self.turns >= bounds.max_turns:
            raise Ending("max_turns", f"the limit of {bounds.max_turns} turns was reached")
        if bounds.max_total_tokens is not None and self.tokens >= bounds.max_total_tokens:
            raise Ending("max_total_tokens", f"{self.tokens} of at most {bounds.max_total_tokens} tokens were used")
        if bounds.max_time is not None and self.seconds >= bounds.max_time:
            raise Ending("max_time", f"{self.seconds:.1f} s of at most {bounds.max_time:g} s had passed")


@dataclass
class Branch:
    """What one line of the conversation remembers: all of it plain data, and all that a step keeps across an ask.

    ``dropped`` says per speaker how much of the history it is no longer sent; ``idle`` counts the steps since the last
    ask; ``log`` is shared by all branches, in order of arrival.
    """

    tallies: list[Tally]
    history: History = field(default_factory=History)
    names: FrozenDict = field(default_factory=FrozenDict)
    turns: list[Turn] = field(default_factory=list)
    log: list[Turn] = field(default_factory=list)
    dropped: FrozenDict = field(default_factory=FrozenDict)
    copy: int = 0
    in_block: bool = False
    idle: int = 0

    def name(self, name: str, value: Any) -> None:
        """Set a name; who looked at the names before keeps what it saw."""
        self.names = FrozenDict({**self.names, name: value})

    def dropped_for(self, speaker: Speaker) -> int:
        """Give the position before which a speaker is sent nothing any more."""
        return int(self.dropped.get(f"{speaker.role}/{speaker.copy}", 0))

    def drop(self, speaker: Speaker, position: int) -> None:
        """Send a speaker nothing any more of what stands before ``position``."""
        self.dropped = FrozenDict({**self.dropped, f"{speaker.role}/{speaker.copy}": position})


@dataclass(frozen=True)
class Moment:
    """What templates can see at one point of the conversation, also later, when it has gone on."""

    stage: Stage
    names: Mapping[str, Any]
    history: History
    end: int
    round: int | None = None
    turn: int | None = None
    role: str | None = None

    def lookup(self, name: str) -> Any:
        """Give the value of a name.

        Raises:
            KeyError: where there is none.

        """
        if name in self.names:
            return self.names[name]
        if name in self.stage.inputs:
            return self.stage.inputs[name]
        match name:
            case "last":
                return next((said.message for said in self.history.said(self.end)), NOTHING)
            case "said":
                return self._said
            case "messages":
                return FrozenList([said.message for said in self.history.said(self.end)][::-1])
            case "roles":
                return self.stage.roles
            case "role" if self.role:
                return self.stage.roles[self.role]
            case "turn" | "round" if getattr(self, name) is not None:
                return getattr(self, name)
        raise KeyError(name)

    @cached_property
    def _said(self) -> FrozenDict:
        newest: dict[str, tuple[int, Message]] = {}
        for speaker in self.history.speakers():
            position = next(self.history.said_by(speaker, self.end), None)
            if position is not None and position >= newest.get(speaker.role, (-1, NOTHING))[0]:
                newest[speaker.role] = (position, self.history[position].message)  # type: ignore[union-attr]
        return FrozenDict((role, newest.get(role, (0, NOTHING))[1]) for role in self.stage.roles)


@dataclass(frozen=True)
class StepScope:
    """The scope of one step: the branch it moves, and where it stands. It is the ``Scope`` that steps are given.

    ``place`` is the path with the rounds in it, the front of every ask's id.
    """

    stage: Stage
    branch: Branch
    path: Path = ()
    place: str = ""
    round: int | None = None
    mark: str = ""

    def run(self, key: str, steps: Sequence[Runnable]) -> Flow:
        """Run the steps under ``key``, those whose ``when`` holds."""
        for index, step in enumerate(steps):
            inner = replace(
                self,
                path=(*self.path, key, index),
                place=f"{self.place}{'.' if self.place else ''}{key}{self.mark}.{index}",
                mark="",
            )
            self._count_step(inner.path)
            if step.when is None or inner.evaluate("when", step.when):
                yield from step.run(inner)

    def rounds(self, times: int | None) -> Iterator[StepScope]:
        """Give a scope for each round; the round is part of the ids of what is asked in it."""
        number = 0
        while times is None or number < times:
            number += 1
            before = self.branch.tallies[0].turns
            self._count_step(self.path)
            yield replace(self, round=number, mark=f":{number}")
            if times is None and self.branch.tallies[0].turns == before:
                return

    def moment(self, role: str | None = None) -> Moment:
        """Give what templates can see now."""
        branch = self.branch
        turn = branch.tallies[0].turns + 1 if not branch.in_block else None
        return Moment(self.stage, branch.names, branch.history, len(branch.history), self.round, turn, role)

    def evaluate(self, key: str, expression: str) -> Any:
        """Evaluate an expression as things stand now."""
        return self.stage.evaluate((*self.path, key), expression, self.moment().lookup)

    def render(self, key: str, template: Any) -> Any:
        """Render a template as things stand now."""
        return self.stage.render((*self.path, key), template, self.moment().lookup)

    def number(self, key: str, template: Any) -> int:
        """Render a template that must give a whole number, at least 0."""
        return whole_number(self.render(key, template), (*self.path, key))

    def speak(self, words: Speech) -> Flow:
        """Let a role speak once."""
        yield from speak(self, words)

    def ask(self, ask: Ask) -> Generator[Ask | Together, Any, Reply]:
        """Yield an ask and give its reply, counted."""
        self.branch.idle = 0
        reply: Reply = yield ask
        for tally in self.branch.tallies:
            tally.tokens += reply.tokens.total
            tally.seconds += reply.seconds
        return reply

    def speaker(self, role: str) -> Speaker:
        """Give who speaks when this branch lets a role speak."""
        return Speaker(role, self.branch.copy)

    def _count_step(self, path: Path) -> None:
        self.branch.idle += 1
        if self.branch.idle > MAX_STEPS:
            raise TemplateError(f"{MAX_STEPS:,} steps were taken here and nobody spoke; the loop has no end", path=path)
