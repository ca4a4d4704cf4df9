"""What one line of the conversation remembers, and what it has cost: plain data, which a branch can fork."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from llm_gc.conversation.history import History, Said
from llm_gc.conversation.stage import Bounds
from llm_gc.conversation.turn import Ending, Turn
from llm_gc.frozen import FrozenDict, FrozenList
from llm_gc.protocol import NOTHING, Message, Speaker


@dataclass
class Tally:
    """What a scene has cost so far, against its bounds."""

    bounds: Bounds
    turns: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def check(self, level: int) -> None:
        """End the scene if a limit is reached; called when something more is due. ``level`` is the scene's depth."""
        bounds = self.bounds
        if bounds.max_turns is not None and self.turns >= bounds.max_turns:
            raise Ending("max_turns", f"the limit of {bounds.max_turns} turns was reached", level=level)
        if bounds.max_total_tokens is not None and self.tokens >= bounds.max_total_tokens:
            detail = f"{self.tokens} of at most {bounds.max_total_tokens} tokens were used"
            raise Ending("max_total_tokens", detail, level=level)
        if bounds.max_time is not None and self.seconds >= bounds.max_time:
            detail = f"{self.seconds:.1f} s of at most {bounds.max_time:g} s had passed"
            raise Ending("max_time", detail, level=level)

    def fork(self, index: int, count: int) -> Tally:
        """Give branch ``index`` of ``count`` its share of what is left: turns in equal parts, the first ones first."""
        if self.bounds.max_turns is None:
            return replace(self)
        left = max(self.bounds.max_turns - self.turns, 0)
        share = left // count + (index < left % count)
        return replace(self, bounds=replace(self.bounds, max_turns=self.turns + share))

    def add(self, forked: Tally, at: Tally) -> None:
        """Count what a branch has cost since it was forked ``at``."""
        self.turns += forked.turns - at.turns
        self.tokens += forked.tokens - at.tokens
        self.seconds += forked.seconds - at.seconds


@dataclass
class Branch:
    """What one line of the conversation remembers: all of it plain data, and all that a step keeps across an ask.

    ``tallies`` are those of the scenes it is in, the outermost first. ``dropped`` says per speaker how much of the
    history it is no longer sent; ``memory`` holds what steps under way go by, such as a loop's list; ``idle`` counts
    the steps since the last ask; ``log`` is shared by all branches, in order of arrival; ``inner`` are the scene or
    the branches that go on inside it now.
    """

    tallies: list[Tally]
    history: History = field(default_factory=History)
    names: FrozenDict = field(default_factory=FrozenDict)
    turns: list[Turn] = field(default_factory=list)
    log: list[Turn] = field(default_factory=list)
    dropped: FrozenDict = field(default_factory=FrozenDict)
    memory: FrozenDict = field(default_factory=FrozenDict)
    copy: int = 0
    in_block: bool = False
    idle: int = 0
    inner: tuple[Branch, ...] = ()

    @property
    def bounds(self) -> Bounds:
        """The bounds of the scene it is in."""
        return self.tallies[-1].bounds

    def name(self, name: str, value: Any) -> None:
        """Set a name; who looked at the names before keeps what it saw."""
        self.names = FrozenDict({**self.names, name: value})

    def keep(self, key: str, value: Any) -> None:
        """Remember what a step under way goes by; none forgets it."""
        others = {k: v for k, v in self.memory.items() if k != key}
        self.memory = FrozenDict(others if value is None else {**others, key: value})

    def dropped_for(self, speaker: Speaker) -> int:
        """Give the position before which a speaker is sent nothing any more."""
        return int(self.dropped.get(f"{speaker.role}/{speaker.copy}", 0))

    def drop(self, speaker: Speaker, position: int) -> None:
        """Send a speaker nothing any more of what stands before ``position``."""
        self.dropped = FrozenDict({**self.dropped, f"{speaker.role}/{speaker.copy}": position})

    def scene(self, bounds: Bounds, names: FrozenDict) -> Branch:
        """Give the branch of a scene inside this one: fresh messages, the same record of turns, one tally more."""
        return Branch(
            [*self.tallies, Tally(bounds)],
            names=names,
            turns=self.turns,
            log=self.log,
            copy=self.copy,
            in_block=self.in_block,
            idle=self.idle,
        )

    def fork(self, index: int, count: int, copy: int) -> Branch:
        """Give one branch of a block: it hears what was said before, and what it says itself."""
        return Branch(
            [tally.fork(index, count) for tally in self.tallies],
            history=History(self.history),
            names=self.names,
            log=self.log,
            dropped=self.dropped,
            copy=copy,
            in_block=True,
            idle=self.idle,
        )

    def join(self, forks: Sequence[Branch]) -> FrozenList:
        """Fold the branches of a block in declared order; give the last message of each."""
        at, dropped = [replace(tally) for tally in self.tallies], self.dropped
        asked = any(fork.turns for fork in forks)
        self.idle = 0 if asked else self.idle + sum(fork.idle - self.idle for fork in forks)
        start, last = len(self.history), []
        for fork in forks:
            for mine, forked, then in zip(self.tallies, fork.tallies, at, strict=True):
                mine.add(forked, then)
            numbered = self._take_turns(fork)
            offset = len(self.history) - start
            said = [_numbered(entry, numbered) for entry in fork.history.own()]
            for entry in said:
                self.history.add(entry)
            for key, position in fork.dropped.items():
                if position != dropped.get(key):  # else it is as it was at the fork, and a sibling may know better
                    self.dropped = FrozenDict({**self.dropped, key: position + (offset if position > start else 0)})
            heard = [entry.message for entry in said if isinstance(entry, Said)]
            last.append(heard[-1] if heard else NOTHING)
        return FrozenList(last)

    def _take_turns(self, fork: Branch) -> dict[str, Message]:
        """Take over a branch's turns, numbered where numbers are known; give the numbered messages by id."""
        numbered: dict[str, Message] = {}
        number = next((turn.number for turn in reversed(self.turns) if turn.number), 0)
        for turn in fork.turns:
            if not self.in_block and not turn.is_pick:
                number += 1
                turn = replace(turn, number=number, message=replace(turn.message, turn=number))
                numbered[turn.exchange.ask.id] = turn.message
            self.turns.append(turn)
        return numbered

    @property
    def state(self) -> tuple[Any, ...]:
        """Everything it remembers, as a value."""
        tallies = tuple((tally.turns, tally.tokens, tally.seconds, tally.bounds.max_turns) for tally in self.tallies)
        said = tuple((entry.speaker, entry.message) for entry in self.history.own() if isinstance(entry, Said))
        inner = tuple(branch.state for branch in self.inner)
        return (tallies, self.names, self.dropped, self.memory, said, inner)


def _numbered(entry: Any, messages: dict[str, Message]) -> Any:
    if isinstance(entry, Said) and entry.id in messages:
        return replace(entry, message=messages[entry.id])
    return entry
