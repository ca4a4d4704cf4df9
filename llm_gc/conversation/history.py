"""What was said so far, by whom, and who was told what: the memory of one scene, which a branch can fork.

A history only grows. A ``Span`` of it is a length, so that whatever was true at an ask stays readable later. Each
history keeps, for every speaker, where its entries stand, so that a look at the newest few costs no more in a long
conversation than in a short one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from llm_gc.protocol import Message, Part, Speaker


@dataclass(frozen=True)
class Said:
    """A message in the history. ``heard`` is what the others are sent, without the label; empty where nobody is.

    ``id`` is that of the turn it comes from, none for what no model said: a narrator's words, a scene's result.
    """

    speaker: Speaker
    message: Message
    heard: str
    id: str | None = None

    def is_own(self, speaker: Speaker) -> bool:
        """Tell whether the speaker is sent it as its own words."""
        return self.speaker == speaker

    @cached_property
    def own(self) -> Part:
        """What the speaker itself is sent of it: exactly what it wrote, so that its prefix stays known."""
        return Part("assistant", self.message.content, self.id)

    @cached_property
    def others(self) -> Part:
        """What the others are sent of it."""
        return Part("user", f"{self.message.label}: {self.heard}", self.id)


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


Entry = Said | Told


class History:
    """Entries in order, on top of those of the history that this one was forked from."""

    def __init__(self, parent: History | None = None) -> None:
        """Begin an empty history, or fork ``parent`` as it is now."""
        self._parent = parent
        self._start = len(parent) if parent else 0
        self._entries: list[Entry] = []
        self._said: dict[Speaker, list[int]] = {}
        self._told: dict[Speaker, list[int]] = {}

    def __len__(self) -> int:
        """Count the entries, the parent's too."""
        return self._start + len(self._entries)

    def __getitem__(self, position: int) -> Entry:
        """Give the entry at a position, counted from 0 at the beginning of the scene."""
        if position < self._start and self._parent is not None:
            return self._parent[position]
        return self._entries[position - self._start]

    def span(self, start: int, end: int) -> list[Entry]:
        """Give the entries from ``start`` up to ``end``."""
        mine = self._entries[max(start - self._start, 0) : max(end - self._start, 0)]
        if start < self._start and self._parent is not None:
            return self._parent.span(start, min(end, self._start)) + mine
        return mine

    def own(self) -> Sequence[Entry]:
        """Give the entries since the fork."""
        return self._entries

    def add(self, entry: Entry) -> None:
        """Append an entry."""
        index = self._said if isinstance(entry, Said) else self._told
        index.setdefault(entry.speaker, []).append(len(self))
        self._entries.append(entry)

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
