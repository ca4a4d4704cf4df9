"""What one line of the conversation remembers, and what it has cost: plain data, which a branch can fork."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llm_gc.conversation.context import Measured, density
from llm_gc.conversation.history import Entry, History, Said
from llm_gc.conversation.mark import Mark
from llm_gc.conversation.stage import Bounds
from llm_gc.conversation.turn import Ending, Turn
from llm_gc.frozen import freeze
from llm_gc.protocol import NOTHING, Ask, Failure, Message, Speaker

ROUNDING = 1e-6
"""So many seconds are lost at most when what was left of a time is added to what had passed."""


@dataclass
class Tally:
    """What a scene has cost so far, against its bounds; in a branch ``max_turns`` is the branch's share of theirs."""

    bounds: Bounds
    max_turns: int | None
    turns: int = 0
    tokens: int = 0
    seconds: float = 0.0

    @classmethod
    def under(cls, bounds: Bounds) -> Tally:
        """Begin with nothing spent."""
        return cls(bounds, bounds.max_turns)

    def check(self, level: int) -> None:
        """End the scene if a limit is reached; called when something more is due. ``level`` is the scene's depth."""
        bounds = self.bounds
        if self.max_turns is not None and self.turns >= self.max_turns:
            raise Ending("max_turns", f"the limit of {self.max_turns} turns was reached", level=level)
        if bounds.max_total_tokens is not None and self.tokens >= bounds.max_total_tokens:
            detail = f"{self.tokens} of at most {bounds.max_total_tokens} tokens were used"
            raise Ending("max_total_tokens", detail, level=level)
        self.check_time(level)

    @property
    def is_late(self) -> bool:
        """Whether no time is left."""
        return self.bounds.max_time is not None and self.seconds > self.bounds.max_time - ROUNDING

    def check_time(self, level: int) -> None:
        """End the scene if no time is left."""
        if self.is_late:
            detail = f"{self.seconds:.1f} s of at most {self.bounds.max_time:g} s had passed"
            raise Ending("max_time", detail, level=level)

    def fork(self, index: int, count: int) -> Tally:
        """Give branch ``index`` of ``count`` its share of what is left: turns in equal parts, the first ones first."""
        if self.max_turns is None:
            return self.copy()
        left = max(self.max_turns - self.turns, 0)
        share = left // count + (index < left % count)
        return Tally(self.bounds, self.turns + share, self.turns, self.tokens, self.seconds)

    def copy(self) -> Tally:
        """Give it as it is now."""
        return Tally(self.bounds, self.max_turns, self.turns, self.tokens, self.seconds)

    def add(self, forked: Tally, at: Tally) -> None:
        """Count what a branch has cost since it was forked ``at``."""
        self.turns += forked.turns - at.turns
        self.tokens += forked.tokens - at.tokens
        self.seconds += forked.seconds - at.seconds


@dataclass
class Branch:
    """What one line of the conversation remembers: all of it plain data, and all that a step keeps across an ask.

    ``tallies`` are those of the scenes it is in, the outermost first. ``dropped`` says per speaker how many entries of
    its order it is no longer sent; ``measured`` is each speaker's newest request that a server has counted, ``densest``
    the most characters for each token that a model's prompts have had; ``memory`` holds what steps under way go by,
    such as a loop's list; ``idle`` counts the steps since the last ask; ``log`` is shared by all branches, in order of
    arrival; ``inner`` are the scene or the branches that go on inside it now. ``began`` is the number of ``turns`` when
    its scene began; ``newest`` is the newest mark, outside blocks and scenes; of what is begun in the
    middle, ``over`` are the branches of its block that are over already, and ``asks``, by their ids, what waited there.

    ``copy`` numbers its speakers. Blocks inside it give out ``copy``, ``copy + copies``, ``copy + 2 * copies`` and so
    on: numbers that none of its siblings has, nor any block inside those.
    """

    tallies: list[Tally]
    history: History = field(default_factory=History)
    names: Mapping[str, Any] = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=list)
    log: list[Turn] = field(default_factory=list)
    dropped: Mapping[Speaker, int] = field(default_factory=dict)
    measured: Mapping[Speaker, Measured] = field(default_factory=dict)
    densest: Mapping[str, float] = field(default_factory=dict)
    memory: Mapping[str, Any] = field(default_factory=dict)
    copy: int = 0
    copies: int = 1
    in_block: bool = False
    idle: int = 0
    inner: tuple[Branch, ...] = ()
    began: int = 0
    newest: Mark | None = None
    over: Mapping[int, tuple[Branch, Ending | None]] = field(default_factory=dict)
    asks: dict[str, Ask] = field(default_factory=dict)

    @property
    def bounds(self) -> Bounds:
        """The bounds of the scene it is in."""
        return self.tallies[-1].bounds

    def mark(self, place: str) -> None:
        """Remember where a step begins, and how things stand there."""
        if not self.in_block and len(self.tallies) == 1:  # blocks and scenes are not begun in the middle
            self.newest = Mark.of(self, place)

    def name(self, name: str, value: Any) -> None:
        """Set a name; who looked at the names before keeps what it saw."""
        self.names = {**self.names, name: freeze(value)}

    def keep(self, key: str, value: Any) -> None:
        """Remember what a step under way goes by, a value that can be hashed; none forgets it."""
        if value is None:
            self.memory = {k: v for k, v in self.memory.items() if k != key}
        else:
            self.memory = {**self.memory, key: value}

    def drop(self, speaker: Speaker, rank: int) -> None:
        """Send a speaker nothing any more of what comes before number ``rank`` in its order."""
        self.dropped = {**self.dropped, speaker: rank}

    def measure(self, speaker: Speaker, model: str, measured: Measured) -> None:
        """Remember what a server has counted."""
        self.measured = {**self.measured, speaker: measured}
        self.densest = {**self.densest, model: max(density(measured), self.densest.get(model, 0.0))}

    def spoken(self) -> list[Turn]:
        """Give the turns taken in its scene (in a block: in this branch of it), picks left out."""
        return [turn for turn in self.turns[self.began :] if not turn.is_pick]

    def scene(self, bounds: Bounds, names: Mapping[str, Any]) -> Branch:
        """Give the branch of a scene inside this one: fresh messages, the same record of turns, one tally more."""
        return Branch(
            [*self.tallies, Tally.under(bounds)],
            names=names,
            turns=self.turns,
            log=self.log,
            asks=self.asks,
            copy=self.copy,
            copies=self.copies,
            densest=self.densest,
            in_block=self.in_block,
            idle=self.idle,
            began=len(self.turns),
        )

    def fork(self, index: int, count: int, number: int = 0, copies: int = 1) -> Branch:
        """Give one branch of a block: it hears what was said before, and what it says itself.

        It is ``index`` of ``count``, and all that are ``number`` of ``copies`` hold the same copies of the roles.
        """
        return Branch(
            [tally.fork(index, count) for tally in self.tallies],
            history=History(self.history),
            names=self.names,
            log=self.log,
            asks=self.asks,
            dropped=self.dropped,
            measured=self.measured,
            densest=self.densest,
            copy=self.copy + number * self.copies,
            copies=self.copies * copies,
            in_block=True,
            idle=self.idle,
        )

    def join(self, forks: Sequence[Branch]) -> list[Message]:
        """Fold the branches of a block in declared order; give the last message of each."""
        at = [tally.copy() for tally in self.tallies]
        asked = any(fork.turns for fork in forks)
        self.idle = 0 if asked else self.idle + sum(fork.idle - self.idle for fork in forks)
        self._take_dropped(forks)
        self._take_measured(forks)
        said: list[Sequence[Entry]] = []
        for fork in forks:
            for mine, forked, then in zip(self.tallies, fork.tallies, at, strict=True):
                mine.add(forked, then)
            numbers = self._take_turns(fork)
            said.append([_numbered(entry, numbers) for entry in fork.history.own()])
        self.history.join([(fork.history, entries) for fork, entries in zip(forks, said, strict=True)])
        return [_last(entries) for entries in said]

    def _take_turns(self, fork: Branch) -> dict[str, int]:
        """Take over a branch's turns, numbered where numbers are known; give the numbers by id."""
        numbers: dict[str, int] = {}
        number = next((turn.number for turn in reversed(self.turns) if turn.number), 0)
        for turn in fork.turns:
            if not self.in_block and not turn.is_pick:
                number += 1
                turn = turn.numbered(number)
                numbers[turn.exchange.ask.id] = number
            self.turns.append(turn)
        return numbers

    def _take_dropped(self, forks: Sequence[Branch]) -> None:
        """Take over what branches have dropped since the fork, counted in the order in which it is sent from now on."""
        start, before, ahead = len(self.history), self.dropped, dict[Speaker, int]()
        for fork in forks:
            for speaker in fork.history.asked():
                rank = fork.dropped.get(speaker)
                if rank is not None and rank != before.get(speaker):  # else a sibling may know better
                    inside = ahead.get(speaker, 0) if rank > start else 0
                    self.drop(speaker, max(rank + inside, self.dropped.get(speaker, 0)))
                ahead[speaker] = ahead.get(speaker, 0) + len(fork.history.own())

    def _take_measured(self, forks: Sequence[Branch]) -> None:
        """Take over what was counted since the fork: of each speaker where it goes on from, its first branch."""
        measured, densest = dict(self.measured), dict(self.densest)
        for fork in reversed(forks):
            for speaker in fork.history.asked():
                found = fork.measured.get(speaker)
                if found is not None and found is not self.measured.get(speaker):
                    measured[speaker] = found
            for model, most in fork.densest.items():
                densest[model] = max(most, densest.get(model, 0.0))
        self.measured, self.densest = measured, densest

    @property
    def state(self) -> tuple[Any, ...]:
        """Everything it remembers, as a value."""
        tallies = tuple((t.turns, t.tokens, t.seconds, t.max_turns, t.bounds) for t in self.tallies)
        failed = all_failed(self.spoken())
        inner = tuple(branch.state for branch in self.inner)
        kept = (self.names, self.dropped, self.memory, self.measured, self.densest)
        return (tallies, *(frozenset(one.items()) for one in kept), self.history.state, failed, inner)


def all_failed(turns: Sequence[Turn]) -> Failure | None:
    """Give the last failure of turns none of which succeeded; none where one did, or there are no turns."""
    if not turns or any(turn.exchange.failure is None for turn in turns):
        return None
    return turns[-1].exchange.failure


def _last(entries: Sequence[Entry]) -> Message:
    return next((entry.message for entry in reversed(entries) if isinstance(entry, Said)), NOTHING)


def _numbered(entry: Entry, numbers: Mapping[str, int]) -> Entry:
    if not isinstance(entry, Said):
        return entry
    number = numbers.get(entry.id or entry.counts_as or "")
    return entry if number is None else entry.numbered(number)
