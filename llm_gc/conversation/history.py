"""What was said so far, by whom, and who was told what: the memory of one scene, which a branch can fork.

A history only grows, so that whatever was true at an ask stays readable later, by the length it had then. It stands in
declared order, and keeps for every speaker the order in which that one is sent it (see ``order.py``), and where its
entries stand: a look at the newest few costs no more in a long conversation than in a short one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from llm_gc.control_tokens import broken
from llm_gc.conversation.order import DECLARED, Order, Span, joined
from llm_gc.conversation.turn import numbered
from llm_gc.errors import TemplateError
from llm_gc.protocol import Message, Part, Speaker


@dataclass(frozen=True)
class Said:
    """A message in the history. ``heard`` is what the others are sent, without the label; empty where nobody is.

    ``id`` is that of the turn it comes from, none for what no model said: a narrator's words, a scene's result.
    ``counts_as`` is the id of the turn whose number the message has: for a scene's result that of its last turn.
    """

    speaker: Speaker
    message: Message
    heard: str
    id: str | None = None
    counts_as: str | None = None

    def is_own(self, speaker: Speaker) -> bool:
        """Tell whether the speaker is sent it as its own words."""
        return self.speaker == speaker

    @cached_property
    def own(self) -> Part:
        """What the speaker itself is sent of it: what it wrote, so that its prefix stays known; no token in it acts."""
        return Part("assistant", broken(self.message.content), self.id)

    @cached_property
    def others(self) -> Part:
        """What the others are sent of it."""
        return Part("user", broken(f"{self.message.label}: {self.heard}"), self.id)

    def numbered(self, number: int) -> Said:
        """Give it with the number of its turn."""
        return Said(self.speaker, numbered(self.message, number), self.heard, self.id, self.counts_as)

    @property
    def state(self) -> tuple[Any, ...]:
        """All of it that matters later, as a value: whose it is only until it has a number."""
        return (self.speaker, self.message, self.heard, None if self.message.turn else self.id or self.counts_as)


@dataclass(frozen=True)
class Told:
    """What one speaker alone is sent: an instruction, or (with ``of``, a turn's id) what it answered to a choice.

    The text is rendered when it is first read.
    """

    speaker: Speaker
    give: Callable[[], str]
    of: str | None = None

    def is_own(self, speaker: Speaker) -> bool:
        """Tell whether the speaker is sent it as its own words."""
        return self.of is not None and self.speaker == speaker

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


Entry = Said | Told


class History:
    """Entries in order, on top of those of the history that this one was forked from.

    A position is where an entry stands in declared order, a rank which entry of somebody's order it is; both count
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
        self._orders: dict[Speaker, Order] = {}

    def __len__(self) -> int:
        """Count the entries, the parent's too."""
        return self._start + len(self._entries)

    def __getitem__(self, position: int) -> Entry:
        """Give the entry at a position."""
        if position < self._start and self._parent is not None:
            return self._parent[position]
        return self._entries[position - self._start]

    def before(self, end: int) -> History:
        """Give another history, as this one was when it had so many entries."""
        earlier = History(self._parent)
        earlier._entries = self._entries[: end - self._start]
        earlier._said, earlier._told = _until(self._said, end), _until(self._told, end)
        earlier._asked = {speaker: position for speaker, position in self._asked.items() if position < end}
        earlier._orders = {speaker: order.before(end - self._start) for speaker, order in self._orders.items()}
        return earlier

    def own(self) -> Sequence[Entry]:
        """Give the entries since the fork."""
        return self._entries

    def asked(self) -> Iterable[Speaker]:
        """Give everybody who was asked since the fork."""
        return self._asked

    def add(self, entry: Entry) -> None:
        """Append an entry."""
        is_said, position = isinstance(entry, Said), len(self)
        index = self._said if is_said else self._told
        index.setdefault(entry.speaker, []).append(position)
        if not is_said or entry.id is not None:  # type: ignore[union-attr]
            self._asked.setdefault(entry.speaker, position)
        self._entries.append(entry)

    def join(self, forks: Sequence[tuple[History, Sequence[Entry]]]) -> None:
        """Append the entries of forks; whoever was asked in one of them goes on being sent those first."""
        begin, own = len(self._entries), dict[Speaker, list[tuple[History, int]]]()
        for fork, entries in forks:
            for speaker in fork.asked():
                own.setdefault(speaker, []).append((fork, len(self._entries)))
            for entry in entries:
                self.add(entry)
        for speaker, segments in own.items():
            orders = [fork.spans(speaker) for fork, _ in segments]
            starts, lengths = [start for _, start in segments], [len(fork.own()) for fork, _ in segments]
            spans = joined(orders, starts, lengths, begin, len(self._entries))
            self._orders.setdefault(speaker, Order()).add(begin, spans)

    def order(self, speaker: Speaker) -> Order:
        """Give the order in which somebody is sent what was said since the fork."""
        return self._orders.get(speaker, DECLARED)

    def spans(self, speaker: Speaker) -> list[Span]:
        """Give where what was said since the fork stands, as somebody is sent it."""
        order, end = self._orders.get(speaker), len(self._entries)
        return [(0, end)] if order is None else order.spans(0, end)

    def sent(self, speaker: Speaker, start: int, end: int) -> list[Entry]:
        """Give the entries from rank ``start`` up to ``end`` in a speaker's order."""
        first, last = max(start - self._start, 0), max(end - self._start, 0)
        mine: list[Entry] = []
        for one, other in self.order(speaker).spans(first, last):
            mine += self._entries[one:other]
        if start < self._start and self._parent is not None:
            return self._parent.sent(speaker, start, min(end, self._start)) + mine
        return mine

    def sent_back(self, speaker: Speaker, start: int, end: int) -> Iterator[Entry]:
        """Give the entries from rank ``start`` up to ``end``, the last first; no more is looked at than is taken."""
        for one, other in self.order(speaker).spans_back(max(start - self._start, 0), max(end - self._start, 0)):
            for index in range(other - 1, one - 1, -1):
                yield self._entries[index]
        if start < self._start and self._parent is not None:
            yield from self._parent.sent_back(speaker, start, min(end, self._start))

    def rank(self, speaker: Speaker, position: int) -> int:
        """Give the rank of the entry at a position in a speaker's order."""
        if position < self._start and self._parent is not None:
            return self._parent.rank(speaker, position)
        return self._start + self.order(speaker).rank(position - self._start)

    def speakers(self) -> set[Speaker]:
        """Give everybody who has spoken, failed or not."""
        mine = set(self._said)
        return mine | self._parent.speakers() if self._parent else mine

    def said(self, end: int) -> Iterator[Said]:
        """Give what was said before ``end``, the newest first."""
        for position in range(end - 1, -1, -1):
            entry = self[position]
            if isinstance(entry, Said):
                yield entry

    @property
    def last_heard(self) -> Said | None:
        """The newest message that the others were sent; none where there is none."""
        return next((entry for entry in self.said(len(self)) if entry.heard), None)

    @property
    def state(self) -> tuple[Any, ...]:
        """All that was added since the fork, and who is sent it in which order, as a value."""
        orders = frozenset((speaker, order.state) for speaker, order in self._orders.items() if order.state)
        return (tuple(entry.state for entry in self._entries), orders)

    def said_by(self, speaker: Speaker, end: int) -> Iterator[int]:
        """Give the positions before ``end`` at which somebody spoke, the newest first."""
        yield from _before(self._said.get(speaker, []), end)
        if self._parent is not None:
            yield from self._parent.said_by(speaker, min(end, self._start))

    def told_to(self, speaker: Speaker, end: int) -> Iterator[int]:
        """Give the positions before ``end`` of somebody's instructions, the newest first."""
        yield from _before(self._told.get(speaker, []), end)
        if self._parent is not None:
            yield from self._parent.told_to(speaker, min(end, self._start))


def _before(positions: list[int], end: int) -> Iterator[int]:
    """Give the ascending positions that lie before ``end``, the last first; nothing is copied for that."""
    return (positions[index] for index in range(bisect_left(positions, end) - 1, -1, -1))


def _until(index: dict[Speaker, list[int]], end: int) -> dict[Speaker, list[int]]:
    """Give where each speaker's entries stand, of those before ``end``."""
    known = {speaker: positions[: bisect_left(positions, end)] for speaker, positions in index.items()}
    return {speaker: positions for speaker, positions in known.items() if positions}
