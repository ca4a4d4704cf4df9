"""The state of a conversation: plain data that is copied, forked and joined.

A ``Branch`` is what one line of the conversation remembers and has cost. A ``Checkpoint`` is a place outside blocks and
scenes at which a conversation can be begun in the middle, with what was remembered there. The groups and loops around
it are entered where they were, and evaluate nothing again; blocks and scenes begin again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from llm_gc.core.context_window import Measured, density
from llm_gc.core.copies import EMPTY, CopyLine, Place, named
from llm_gc.core.history import Entry, History, Names, SpokenEntry
from llm_gc.core.outcome import Ending, Turn, numbered
from llm_gc.core.run_context import ResolvedLimits
from llm_gc.protocol import NOTHING, Ask, Failure, Message, Speaker
from llm_gc.values.frozen import freeze

ROUNDING = 1e-6
"""So many seconds are lost at most when what was left of a time is added to what had passed."""


Relabel = Callable[[Message, Speaker, Speaker], Message]
"""Gives a message the label of its speaker, by who that was and who it is."""


@dataclass
class Usage:
    """What a scene has cost so far, against its bounds; in a branch ``max_turns`` is the branch's share of theirs."""

    bounds: ResolvedLimits
    max_turns: int | None
    turns: int = 0
    tokens: int = 0
    seconds: float = 0.0

    @classmethod
    def under(cls, bounds: ResolvedLimits) -> Usage:
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

    def fork(self, index: int, count: int) -> Usage:
        """Return the limits of branch ``index`` of ``count``: turns in equal parts, the first branches first."""
        if self.max_turns is None:
            return self.copy()
        left = max(self.max_turns - self.turns, 0)
        share = left // count + (index < left % count)
        return Usage(self.bounds, self.turns + share, self.turns, self.tokens, self.seconds)

    def copy(self) -> Usage:
        """Return it as it is now."""
        return Usage(self.bounds, self.max_turns, self.turns, self.tokens, self.seconds)

    def add(self, forked: Usage, at: Usage) -> None:
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
    arrival; ``inner`` are the scene or the branches that continue inside it now. ``began`` is the number of ``turns``
    when its scene began; ``newest`` is the newest mark, outside blocks and scenes; of what is begun in the middle,
    ``over`` are the branches of its block that are over already, and ``asks``, by their ids, what waited there.

    ``line`` says who speaks for each role (see ``copies.py``); ``place`` is that of the branch in its block, with the
    blocks around it, and empty outside. ``number`` is the branch's, by which seeds differ. Blocks inside it give out
    ``number``, ``number + numbers``, ``number + 2 * numbers`` and so on: numbers that none of its siblings has, nor any
    block inside those.
    """

    tallies: list[Usage]
    history: History = field(default_factory=History)
    names: Mapping[str, Any] = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=list)
    log: list[Turn] = field(default_factory=list)
    dropped: Mapping[Speaker, int] = field(default_factory=dict)
    measured: Mapping[Speaker, Measured] = field(default_factory=dict)
    densest: Mapping[str, float] = field(default_factory=dict)
    memory: Mapping[str, Any] = field(default_factory=dict)
    line: CopyLine = EMPTY
    place: str = ""
    at: Place = (0, 0)
    number: int = 0
    numbers: int = 1
    in_block: bool = False
    idle: int = 0
    inner: tuple[Branch, ...] = ()
    began: int = 0
    newest: Checkpoint | None = None
    over: Mapping[int, tuple[Branch, Ending | None]] = field(default_factory=dict)
    asks: dict[str, Ask] = field(default_factory=dict)

    @property
    def bounds(self) -> ResolvedLimits:
        """The bounds of the scene it is in."""
        return self.tallies[-1].bounds

    def mark(self, place: str) -> None:
        """Remember where a step begins, and how things are there."""
        if not self.in_block and len(self.tallies) == 1:  # blocks and scenes are not begun in the middle
            self.newest = Checkpoint.of(self, place)

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

    def record(self, turn: Turn) -> None:
        """Take a turn into the records, with what is known here of whose it is."""
        speaker = turn.exchange.ask.speaker
        turn = replace(turn, speaker=speaker, depth=len(self.tallies), is_open=self.in_block)
        self.turns.append(turn)
        self.log.append(turn)

    def spoken(self) -> list[Turn]:
        """Return the turns taken in its scene (in a block: in this branch of it), picks left out."""
        return [turn for turn in self.turns[self.began :] if not turn.is_pick]

    def scene(self, bounds: ResolvedLimits, names: Mapping[str, Any]) -> Branch:
        """Return the branch of a scene inside this one: fresh messages, the same record of turns, one tally more."""
        return Branch(
            [*self.tallies, Usage.under(bounds)],
            names=names,
            turns=self.turns,
            log=self.log,
            asks=self.asks,
            place=self.place,
            number=self.number,
            numbers=self.numbers,
            densest=self.densest,
            in_block=self.in_block,
            idle=self.idle,
            began=len(self.turns),
        )

    def fork(self, index: int, count: int, at: Place = (0, 0)) -> Branch:
        """Return one branch of a block: it hears what was said before, and what it says itself.

        It is ``index`` of ``count``, that ``at`` an item and a step.
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
            line=self.line.branch(at),
            at=at,
            number=self.number + index * self.numbers,
            numbers=self.numbers * count,
            in_block=True,
            idle=self.idle,
        )

    def join(self, forks: Sequence[Branch], relabel: Relabel) -> list[Message]:
        """Fold the branches of a block in declared order; return the last message of each.

        ``relabel`` gives a message the label of who its speaker is from now on.
        """
        at = [tally.copy() for tally in self.tallies]
        asked = any(fork.turns for fork in forks)
        self.idle = 0 if asked else self.idle + sum(fork.idle - self.idle for fork in forks)
        spoke, all_ = [fork.history.spoke() for fork in forks], [fork.history.asked() for fork in forks]
        names, newest = named(spoke, all_, self.line.newest)
        self._take_dropped(forks, names)
        self._take_measured(forks, names)
        said: list[tuple[History, Sequence[Entry], Names]] = []
        scenes: dict[str, dict[str, int]] = {}
        for fork, mine in zip(forks, names, strict=True):
            for tally, forked, then in zip(self.tallies, fork.tallies, at, strict=True):
                tally.add(forked, then)
            numbers = self._take_turns(fork, mine, relabel, scenes)
            entries = [_joined(entry, numbers, mine, relabel) for entry in fork.history.own()]
            said.append((fork.history, entries, mine))
        self.history.join(said)
        lines = ((fork.at, fork.line, mine) for fork, mine in zip(forks, names, strict=True))
        self.line = self.line.joined(lines, newest)
        return [_last(entries) for _, entries, _ in said]

    def named(self, ask: Ask) -> list[Speaker] | None:
        """Return everybody who has spoken here, and last who is asked, by the names after the blocks inside.

        That holds as long as nobody speaks in a branch before that of the ask. None for a scene inside a branch, whose
        speakers are not known here.
        """
        own = list(self.history.spoke())
        if not self.inner:
            return [*own, ask.speaker]
        if len(self.inner[0].tallies) > len(self.tallies):
            return None if self.in_block else self.inner[0].named(ask)
        number = next(at for at, fork in enumerate(self.inner) if f"{ask.branch}.".startswith(f"{fork.place}."))
        inside = self.inner[number].named(ask)
        if inside is None:
            return None
        spoke = [*(fork.history.spoke() for fork in self.inner[:number]), inside]
        names, _ = named(spoke, spoke, self.line.newest)
        *rest, last = [mine[one] for mine, theirs in zip(names, spoke, strict=True) for one in theirs]
        return [*dict.fromkeys([*own, *rest]), last]

    @property
    def outside(self) -> int:
        """The number of scenes around the outermost block that continues here."""
        if self.inner and len(self.inner[0].tallies) > len(self.tallies):
            return self.inner[0].outside
        return len(self.tallies)

    def _take_turns(
        self, fork: Branch, names: Names, relabel: Relabel, scenes: dict[str, dict[str, int]]
    ) -> dict[str, int]:
        """Take over a branch's turns, numbered where numbers are known; return the numbers by id.

        What was said in a scene keeps the label that it was heard under; ``scenes`` are the branches, by role, that its
        copies there are counted by.
        """
        numbers: dict[str, int] = {}
        number = next((turn.number for turn in reversed(self.turns) if turn.number), 0)
        for turn in fork.turns:
            speaker, message, counted = turn.speaker, turn.message, turn.number
            if turn.depth == len(self.tallies):
                speaker = names.get(turn.speaker, turn.speaker)
                message = relabel(message, turn.speaker, speaker)
            elif not self.in_block:
                known = scenes.setdefault(speaker.role, {})
                speaker = Speaker(speaker.role, known.setdefault(turn.exchange.ask.branch, len(known)))
            if not self.in_block and not turn.is_pick:
                number += 1
                numbers[turn.exchange.ask.id] = counted = number
                message = numbered(message, number)
            self.turns.append(replace(turn, number=counted, message=message, speaker=speaker, is_open=self.in_block))
        return numbers

    def _take_dropped(self, forks: Sequence[Branch], names: Sequence[Names]) -> None:
        """Take over what branches have dropped since the fork: of each speaker what it had dropped in its own."""
        for fork, mine in zip(forks, names, strict=True):
            for speaker in fork.history.asked():
                rank = fork.dropped.get(speaker)
                if rank is not None:
                    self.drop(mine[speaker], rank)

    def _take_measured(self, forks: Sequence[Branch], names: Sequence[Names]) -> None:
        """Take over what was counted since the fork: of each speaker in its own branch."""
        measured, densest = dict(self.measured), dict(self.densest)
        for fork, mine in zip(forks, names, strict=True):
            measured |= {mine[one]: fork.measured[one] for one in fork.history.asked() if one in fork.measured}
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
        return (tallies, *(frozenset(one.items()) for one in kept), self.history.state, failed, self.line.state, inner)


def all_failed(turns: Sequence[Turn]) -> Failure | None:
    """Return the last failure of turns none of which succeeded; None where one did, or there are no turns."""
    if not turns or any(turn.exchange.failure is None for turn in turns):
        return None
    return turns[-1].exchange.failure


def _last(entries: Sequence[Entry]) -> Message:
    return next((entry.message for entry in reversed(entries) if isinstance(entry, SpokenEntry)), NOTHING)


def _joined(entry: Entry, numbers: Mapping[str, int], names: Names, relabel: Relabel) -> Entry:
    """Return an entry of a branch as it is after the block: with its speaker's name and the number of its turn."""
    speaker = names.get(entry.speaker, entry.speaker)
    if not isinstance(entry, SpokenEntry):
        return entry if speaker == entry.speaker else entry.of_speaker(speaker)
    message, number = relabel(entry.message, entry.speaker, speaker), numbers.get(entry.id or entry.counts_as or "")
    if number is not None:
        message = numbered(message, number)
    if speaker == entry.speaker and message is entry.message:
        return entry
    return replace(entry, speaker=speaker, message=message)


class Checkpoint(NamedTuple):
    """A step's ``place``, and what its branch remembered as it began.

    ``kept`` holds what is replaced and never changed; of what only grows, ``sizes`` tell how far it had.
    """

    place: str
    tally: Usage
    kept: tuple[Any, ...]
    sizes: tuple[int, int, int]

    @classmethod
    def of(cls, branch: Branch, place: str) -> Checkpoint:
        """Mark a place of a branch that is in no block and in no scene."""
        kept = (branch.names, branch.dropped, branch.measured, branch.densest, branch.memory, branch.line)
        return cls(place, branch.tallies[0].copy(), kept, (len(branch.history), len(branch.turns), len(branch.log)))

    @property
    def words(self) -> tuple[str, ...]:
        """The way to the place: keys (with their rounds) and indices in turn."""
        return tuple(self.place.split("."))

    def recall(self, into: Branch, grown: Branch) -> None:
        """Restore what was remembered here into a branch; ``grown`` is the branch that has continued since."""
        into.names, into.dropped, into.measured, into.densest, into.memory, into.line = self.kept
        entries, turns, log = self.sizes
        into.tallies = [self.tally.copy()]
        into.history = grown.history.before(entries)
        into.turns, into.log = grown.turns[:turns], grown.log[:log]
