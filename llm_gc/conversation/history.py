"""What was said so far, by whom, and who was told what: the memory of one scene, which a branch can fork.

A history only grows, so that whatever was true at an ask stays readable later, by the length it had then. It stands in
declared order, and keeps for every speaker the order in which that one is sent it (see ``order.py``), and where its
entries stand: a look at the newest few costs no more in a long conversation than in a short one.

In each branch of a block a role goes on as itself. Where it did so in several, all but the first become copies at the
join: speakers of their own, whose words up to the block are those of whoever they were until then (``_origins``), and
who go on being sent what they heard in their branch as it was called there (``_heard``).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from llm_gc.control_tokens import broken
from llm_gc.conversation.order import DECLARED, Order, Span, joined
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

    def of_speaker(self, speaker: Speaker) -> Said:
        """Return it as the words of another speaker."""
        return replace(self, speaker=speaker)

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

    def of_speaker(self, speaker: Speaker) -> Told:
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


Entry = Said | Told

Names = Mapping[Speaker, Speaker]
"""Who each speaker of a branch is from the join on."""


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
        self._origins: dict[Speaker, tuple[Speaker, int]] = {}
        self._heard: dict[Speaker, dict[int, Said]] = {}
        self._labels: set[str] = set()

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
        earlier._labels = {entry.message.label for entry in earlier._entries if isinstance(entry, Said)}
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
        """Give the entries since the fork."""
        return self._entries

    def asked(self) -> Iterable[Speaker]:
        """Give everybody who was asked since the fork."""
        return self._asked

    def spoke(self) -> Iterable[Speaker]:
        """Return everybody who has said something since the fork, failed or not, whoever spoke first in front."""
        return self._said

    def add(self, entry: Entry) -> None:
        """Append an entry."""
        is_said, position = isinstance(entry, Said), len(self)
        index = self._said if is_said else self._told
        index.setdefault(entry.speaker, []).append(position)
        if isinstance(entry, Said):
            self._labels.add(entry.message.label)
        if not is_said or entry.id is not None:  # type: ignore[union-attr]
            self._asked.setdefault(entry.speaker, position)
        self._entries.append(entry)

    def join(self, forks: Sequence[tuple[History, Sequence[Entry], Names]]) -> None:
        """Append the entries of forks, under the names that their speakers have from now on.

        Whoever was asked in one of them goes on being sent that one first, and as it was sent it there.
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
                self._orders.setdefault(names[speaker], Order()).add(begin, spans)
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
            if isinstance(heard, Said) and isinstance(entry, Said) and not heard.is_own(speaker):
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
        """Give the entries from rank ``start`` up to ``end``, the last first; no more is looked at than is taken."""
        for one, other in self.order(speaker).spans_back(max(start - self._start, 0), max(end - self._start, 0)):
            for index in range(other - 1, one - 1, -1):
                yield self.view(speaker, self._start + index)
        if start < self._start and self._parent is not None:
            known = self.known(speaker)
            before = self._parent.sent_back(known, start, min(end, self._start))
            yield from (_as_own(entry, known, speaker) for entry in before)

    def rank(self, speaker: Speaker, position: int) -> int:
        """Give the rank of the entry at a position in a speaker's order."""
        if position < self._start and self._parent is not None:
            return self._parent.rank(self.known(speaker), position)
        return self._start + self.order(speaker).rank(position - self._start)

    def speakers(self) -> set[Speaker]:
        """Give everybody who has spoken, failed or not."""
        mine = set(self._said)
        return mine | self._parent.speakers() if self._parent else mine

    def words(self) -> str:
        """Return all that was said."""
        return "\n".join(entry.message.content for entry in self.said(len(self)))

    def labels(self) -> set[str]:
        """Return the labels under which something was said."""
        return self._labels | self._parent.labels() if self._parent else self._labels

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
        """All that was added since the fork, and who is sent it in which order and form, as a value."""
        orders = frozenset((speaker, order.state) for speaker, order in self._orders.items() if order.state)
        heard = frozenset(
            (speaker, position, said.message.label)
            for speaker, positions in self._heard.items()
            for position, said in positions.items()
        )
        return (tuple(entry.state for entry in self._entries), orders, frozenset(self._origins.items()), heard)

    def said_by(self, speaker: Speaker, end: int) -> Iterator[int]:
        """Give the positions before ``end`` at which somebody spoke under this name, the newest first."""
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
        """Give the positions before ``end`` of somebody's instructions, the newest first."""
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
    """Give the ascending positions that lie before ``end``, the last first; nothing is copied for that."""
    return (positions[index] for index in range(bisect_left(positions, end) - 1, -1, -1))


def _until(index: dict[Speaker, list[int]], end: int) -> dict[Speaker, list[int]]:
    """Give where each speaker's entries stand, of those before ``end``."""
    known = {speaker: positions[: bisect_left(positions, end)] for speaker, positions in index.items()}
    return {speaker: positions for speaker, positions in known.items() if positions}
