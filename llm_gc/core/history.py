"""What was said so far, who heard what, and the order in which a speaker is sent it: the memory of one scene."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from llm_gc.errors import TemplateError
from llm_gc.language.control_tokens import broken
from llm_gc.protocol import Message, Part, Speaker

Span = tuple[int, int]
"""Positions from the first one up to the second one."""


class Stretch(NamedTuple):
    """``length`` entries that follow one another: the first comes as number ``rank``, and is at ``position``."""

    rank: int
    position: int
    length: int


class HearingOrder:
    """The runs of the blocks in which a speaker took part; everywhere else rank and position are the same."""

    def __init__(self) -> None:
        """Begin with the declared order."""
        self._by_rank: list[Stretch] = []
        self._by_position: list[Stretch] = []

    def add(self, start: int, spans: Iterable[Span]) -> None:
        """Reorder the positions from ``start`` on by ``spans``, which are all of them up to an end."""
        runs: list[Stretch] = []
        rank, behind = start, -1
        for begin, end in spans:
            if begin == end:
                continue
            if begin == behind:
                first = runs.pop()
                runs.append(Stretch(first.rank, first.position, end - first.position))
            else:
                runs.append(Stretch(rank, begin, end - begin))
            rank, behind = rank + end - begin, end
        if len(runs) > 1:
            self._by_rank += runs
            self._by_position += sorted(runs, key=_position)

    def before(self, end: int) -> HearingOrder:
        """Return the order as it was when there were so many entries."""
        earlier = HearingOrder()
        earlier._by_rank = [run for run in self._by_rank if run.rank < end]
        earlier._by_position = [run for run in self._by_position if run.position < end]
        return earlier

    def spans(self, start: int, end: int) -> list[Span]:
        """Return the positions of the ranks from ``start`` up to ``end``, in order."""
        return list(self.spans_back(start, end))[::-1]

    def spans_back(self, start: int, end: int) -> Iterator[Span]:
        """Yield the same, the last span first."""
        index = bisect_right(self._by_rank, end, key=_rank)
        while index and end > start:
            index -= 1
            run = self._by_rank[index]
            behind = run.rank + run.length
            if behind < end:
                yield max(behind, start), end
                end = behind
            if max(run.rank, start) < end:
                shift = run.position - run.rank
                yield max(run.rank, start) + shift, end + shift
                end = run.rank
        if end > start:
            yield start, end

    def rank(self, position: int) -> int:
        """Return how many entries come before the one at ``position``."""
        index = bisect_right(self._by_position, position, key=_position) - 1
        run = self._by_position[index] if index >= 0 else Stretch(0, 0, 0)
        return position + run.rank - run.position if position < run.position + run.length else position

    @property
    def state(self) -> tuple[Stretch, ...]:
        """All of it, as a value."""
        return tuple(self._by_rank)


DECLARED = HearingOrder()
"""That of whoever took part in no block; nothing is ever added to it."""


def joined(own: list[Span], start: int, length: int, begin: int, end: int) -> Iterator[Span]:
    """Yield the order of a block for a speaker: the branch that it was asked in, then whatever is left around that.

    ``own`` is the order inside that branch, which begins at ``start`` and has ``length``; the block reaches from
    ``begin`` up to ``end``.
    """
    yield from ((start + one, start + other) for one, other in own)
    yield begin, start
    yield start + length, end


def _rank(run: Stretch) -> int:
    return run.rank


def _position(run: Stretch) -> int:
    return run.position


@dataclass(frozen=True)
class SpokenEntry:
    """A message in the history. ``heard`` is what the others are sent, without the label; empty where nobody is.

    ``id`` is that of the turn it comes from, None for what no model said: a narrator's words, a scene's result.
    ``counts_as`` is the id of the turn whose number the message has: for a scene's result that of its last turn.
    ``authored`` are the numbers of the control tokens in ``heard`` that are an author's own, and left as they are.
    """

    speaker: Speaker
    message: Message
    heard: str
    id: str | None = None
    counts_as: str | None = None
    authored: frozenset[int] = frozenset()

    def is_own(self, speaker: Speaker) -> bool:
        """Return whether the speaker is sent it as its own words."""
        return self.speaker == speaker

    @cached_property
    def own(self) -> Part:
        """What the speaker itself is sent of it: what it wrote, so that its prefix stays known; no token in it acts."""
        return Part("assistant", broken(self.message.content), self.id)

    @cached_property
    def others(self) -> Part:
        """What the others are sent of it."""
        heard = broken(self.heard, self.authored)
        return Part("user", f"{broken(self.message.label)}: {heard}", self.id)

    def of_speaker(self, speaker: Speaker) -> SpokenEntry:
        """Return it as the words of another speaker."""
        return replace(self, speaker=speaker)

    @property
    def state(self) -> tuple[Any, ...]:
        """All of it that matters later, as a value: whose it is only until it has a number."""
        id_ = None if self.message.turn else self.id or self.counts_as
        return (self.speaker, self.message, self.heard, self.authored, id_)


@dataclass(frozen=True)
class PrivateEntry:
    """What one speaker alone is sent: an instruction, or (with ``of``, a turn's id) what it answered to a choice.

    The text is rendered when it is first read.
    """

    speaker: Speaker
    give: Callable[[], str]
    of: str | None = None

    def is_own(self, speaker: Speaker) -> bool:
        """Return whether the speaker is sent it as its own words."""
        return self.of is not None and self.speaker == speaker

    def of_speaker(self, speaker: Speaker) -> PrivateEntry:
        """Return it as what another speaker is sent."""
        return replace(self, speaker=speaker)

    @cached_property
    def part(self) -> Part:
        """The words as they are sent."""
        return Part("user" if self.of is None else "assistant", self.give(), self.of)

    @property
    def state(self) -> tuple[Any, ...]:
        """All of it that matters later, as a value; where it cannot be rendered, why."""
        try:
            return (self.speaker, self.part.text, self.of is None)
        except TemplateError as error:
            return (self.speaker, error.message, None)


Entry = SpokenEntry | PrivateEntry

Names = Mapping[Speaker, Speaker]
"""Who each speaker of a branch is from the join on."""


class History:
    """Entries in order, on top of those of the history that this one was forked from.

    A position is where an entry is in declared order, a rank which entry of somebody's order it is; both count
    from 0 at the beginning of the scene.
    """

    def __init__(self, parent: History | None = None) -> None:
        """Begin an empty history, or fork ``parent`` as it is now."""
        self._parent = parent
        self._start = len(parent) if parent else 0
        self._entries: list[Entry] = []
        self._said: dict[Speaker, list[int]] = {}
        self._told: dict[Speaker, list[int]] = {}
        self._asked: dict[Speaker, int] = {}
        self._orders: dict[Speaker, HearingOrder] = {}
        self._origins: dict[Speaker, tuple[Speaker, int]] = {}
        self._heard: dict[Speaker, dict[int, SpokenEntry]] = {}
        self._labels: set[str] = set()

    def __len__(self) -> int:
        """Count the entries, the parent's too."""
        return self._start + len(self._entries)

    def __getitem__(self, position: int) -> Entry:
        """Return the entry at a position."""
        if position < self._start and self._parent is not None:
            return self._parent[position]
        return self._entries[position - self._start]

    def before(self, end: int) -> History:
        """Return another history, as this one was when it had so many entries."""
        earlier = History(self._parent)
        earlier._entries = self._entries[: end - self._start]
        earlier._said, earlier._told = _until(self._said, end), _until(self._told, end)
        earlier._asked = {speaker: position for speaker, position in self._asked.items() if position < end}
        earlier._labels = {entry.message.label for entry in earlier._entries if isinstance(entry, SpokenEntry)}
        earlier._origins = {speaker: origin for speaker, origin in self._origins.items() if origin[1] < end}
        later = self._origins.keys() - earlier._origins.keys()
        orders = {speaker: order for speaker, order in self._orders.items() if speaker not in later}
        earlier._orders = {speaker: order.before(end - self._start) for speaker, order in orders.items()}
        earlier._heard = {
            speaker: {position: said for position, said in heard.items() if position < end}
            for speaker, heard in self._heard.items()
            if speaker not in later
        }
        return earlier

    def own(self) -> Sequence[Entry]:
        """Return the entries since the fork."""
        return self._entries

    def asked(self) -> Iterable[Speaker]:
        """Return everybody who was asked since the fork."""
        return self._asked

    def spoke(self) -> Iterable[Speaker]:
        """Return everybody who has said something since the fork, failed or not, whoever spoke first in front."""
        return self._said

    def add(self, entry: Entry) -> None:
        """Append an entry."""
        is_said, position = isinstance(entry, SpokenEntry), len(self)
        index = self._said if is_said else self._told
        index.setdefault(entry.speaker, []).append(position)
        if isinstance(entry, SpokenEntry):
            self._labels.add(entry.message.label)
        if not is_said or entry.id is not None:  # type: ignore[union-attr]
            self._asked.setdefault(entry.speaker, position)
        self._entries.append(entry)

    def join(self, forks: Sequence[tuple[History, Sequence[Entry], Names]]) -> None:
        """Append the entries of forks, under the names that their speakers have from now on.

        Whoever was asked in one of them continues being sent that one first, and as it was sent it there.
        """
        begin, starts = len(self._entries), list[int]()
        for _, entries, _ in forks:
            starts.append(len(self._entries))
            for entry in entries:
                self.add(entry)
        for start, (fork, entries, names) in zip(starts, forks, strict=True):
            for speaker in fork.asked():
                self._begin(fork, speaker, names, begin, start)
                spans = joined(fork.spans(speaker), start, len(entries), begin, len(self._entries))
                self._orders.setdefault(names[speaker], HearingOrder()).add(begin, spans)
                self._keep_labels(fork, speaker, names[speaker], start)

    def _begin(self, fork: History, speaker: Speaker, names: Names, begin: int, start: int) -> None:
        """Remember where a copy comes from, whose entries are at ``start`` in a block that reaches from ``begin``."""
        new, known = names[speaker], fork.known(speaker)
        if speaker in fork._origins:  # from a block inside the branch
            before, position = fork._origins[speaker]
            self._origins[new] = names.get(before, before), position + start - begin
        elif new != speaker:
            self._origins[new] = speaker, self._start + begin
        if new != known:
            self._orders[new] = self.order(known).before(begin)

    def _keep_labels(self, fork: History, speaker: Speaker, new: Speaker, start: int) -> None:
        """Remember as what somebody heard the others in its branch, where they are called otherwise from now on."""
        for index, heard in enumerate(fork.own_to(speaker)):
            entry, position = self._entries[start + index], self._start + start + index
            if isinstance(heard, SpokenEntry) and isinstance(entry, SpokenEntry) and not heard.is_own(speaker):
                label = heard.message.label
                if label != entry.message.label:
                    called = replace(entry, message=replace(entry.message, label=label))
                    self._heard.setdefault(new, {})[position] = called

    def own_to(self, speaker: Speaker) -> Iterator[Entry]:
        """Return the entries since the fork in declared order, each as a speaker is sent it."""
        return (self.view(speaker, self._start + index) for index in range(len(self._entries)))

    def known(self, speaker: Speaker) -> Speaker:
        """Return who a speaker was when this history was forked."""
        while speaker in self._origins:
            speaker, _ = self._origins[speaker]
        return speaker

    def view(self, speaker: Speaker, position: int) -> Entry:
        """Return the entry at a position as a speaker is sent it: its own as its own, the others' as it heard them."""
        origin = self._origins.get(speaker)
        if origin is not None and position < origin[1]:
            return _as_own(self.view(origin[0], position), origin[0], speaker)
        if position < self._start and self._parent is not None:
            return self._parent.view(speaker, position)
        return self._heard.get(speaker, {}).get(position) or self._entries[position - self._start]

    def order(self, speaker: Speaker) -> HearingOrder:
        """Return the order in which somebody is sent what was said since the fork."""
        return self._orders.get(speaker, DECLARED)

    def spans(self, speaker: Speaker) -> list[Span]:
        """Return where what was said since the fork is, as somebody is sent it."""
        order, end = self._orders.get(speaker), len(self._entries)
        return [(0, end)] if order is None else order.spans(0, end)

    def sent(self, speaker: Speaker, start: int, end: int) -> list[Entry]:
        """Return the entries from rank ``start`` up to ``end`` in a speaker's order."""
        first, last = max(start - self._start, 0), max(end - self._start, 0)
        mine: list[Entry] = []
        for one, other in self.order(speaker).spans(first, last):
            mine += self._seen(speaker, one, other)
        if start < self._start and self._parent is not None:
            known = self.known(speaker)
            before = self._parent.sent(known, start, min(end, self._start))
            return [*(_as_own(entry, known, speaker) for entry in before), *mine] if known != speaker else before + mine
        return mine

    def _seen(self, speaker: Speaker, one: int, other: int) -> list[Entry]:
        """Return the entries since the fork from number ``one`` up to ``other`` as a speaker is sent them."""
        if speaker not in self._origins and speaker not in self._heard:
            return self._entries[one:other]
        return [self.view(speaker, self._start + index) for index in range(one, other)]

    def sent_back(self, speaker: Speaker, start: int, end: int) -> Iterator[Entry]:
        """Yield the entries from rank ``start`` up to ``end``, the last first; no more is looked at than is taken."""
        for one, other in self.order(speaker).spans_back(max(start - self._start, 0), max(end - self._start, 0)):
            for index in range(other - 1, one - 1, -1):
                yield self.view(speaker, self._start + index)
        if start < self._start and self._parent is not None:
            known = self.known(speaker)
            before = self._parent.sent_back(known, start, min(end, self._start))
            yield from (_as_own(entry, known, speaker) for entry in before)

    def rank(self, speaker: Speaker, position: int) -> int:
        """Return the rank of the entry at a position in a speaker's order."""
        if position < self._start and self._parent is not None:
            return self._parent.rank(self.known(speaker), position)
        return self._start + self.order(speaker).rank(position - self._start)

    def speakers(self) -> set[Speaker]:
        """Return everybody who has spoken, failed or not."""
        mine = set(self._said)
        return mine | self._parent.speakers() if self._parent else mine

    def words(self) -> str:
        """Return all that was said."""
        return "\n".join(entry.message.content for entry in self.said(len(self)))

    def labels(self) -> set[str]:
        """Return the labels under which something was said."""
        return self._labels | self._parent.labels() if self._parent else self._labels

    def said(self, end: int) -> Iterator[SpokenEntry]:
        """Yield what was said before ``end``, the newest first."""
        for position in range(end - 1, -1, -1):
            entry = self[position]
            if isinstance(entry, SpokenEntry):
                yield entry

    @property
    def last_heard(self) -> SpokenEntry | None:
        """The newest message that the others were sent; None where there is none."""
        return next((entry for entry in self.said(len(self)) if entry.heard), None)

    @property
    def state(self) -> tuple[Any, ...]:
        """All that was added since the fork, and who is sent it in which order and form, as a value."""
        orders = frozenset((speaker, order.state) for speaker, order in self._orders.items() if order.state)
        heard = frozenset(
            (speaker, position, said.message.label)
            for speaker, positions in self._heard.items()
            for position, said in positions.items()
        )
        return (tuple(entry.state for entry in self._entries), orders, frozenset(self._origins.items()), heard)

    def said_by(self, speaker: Speaker, end: int) -> Iterator[int]:
        """Yield the positions before ``end`` at which somebody spoke under this name, the newest first."""
        yield from _before(self._said.get(speaker, []), end)
        if self._parent is not None:
            yield from self._parent.said_by(speaker, min(end, self._start))

    def own_by(self, speaker: Speaker, end: int) -> Iterator[int]:
        """Return the same, also from before it was a copy."""
        yield from _before(self._said.get(speaker, []), end)
        if speaker in self._origins:
            before, position = self._origins[speaker]
            yield from self.own_by(before, min(end, position))
        elif self._parent is not None:
            yield from self._parent.own_by(speaker, min(end, self._start))

    def told_to(self, speaker: Speaker, end: int) -> Iterator[int]:
        """Yield the positions before ``end`` of somebody's instructions, the newest first."""
        yield from _before(self._told.get(speaker, []), end)
        if speaker in self._origins:
            before, position = self._origins[speaker]
            yield from self.told_to(before, min(end, position))
        elif self._parent is not None:
            yield from self._parent.told_to(speaker, min(end, self._start))


def _as_own(entry: Entry, before: Speaker, speaker: Speaker) -> Entry:
    """Return what was a speaker's own before it was a copy as its own still."""
    return entry.of_speaker(speaker) if entry.speaker == before else entry


def _before(positions: list[int], end: int) -> Iterator[int]:
    """Return the ascending positions that lie before ``end``, the last first; nothing is copied for that."""
    return (positions[index] for index in range(bisect_left(positions, end) - 1, -1, -1))


def _until(index: dict[Speaker, list[int]], end: int) -> dict[Speaker, list[int]]:
    """Return where each speaker's entries are, of those before ``end``."""
    known = {speaker: positions[: bisect_left(positions, end)] for speaker, positions in index.items()}
    return {speaker: positions for speaker, positions in known.items() if positions}
