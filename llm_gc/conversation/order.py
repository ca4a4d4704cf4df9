"""The order in which one speaker is sent what was said: at a join, what it was sent inside its branch stays in front.

For everybody else the branches of a block follow one another as they are declared. A speaker that was asked inside a
branch has been sent that branch already, and none of its siblings: what it is sent later must begin with that. (Who
spoke in several is a speaker of each from the join on, so that there is one such branch.) Its
``Order`` is a permutation of the history's positions, kept as runs, that only ever grows at its end.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

Span = tuple[int, int]
"""Positions from the first one up to the second one."""


class Run(NamedTuple):
    """``length`` entries that follow one another: the first comes as number ``rank``, and stands at ``position``."""

    rank: int
    position: int
    length: int


class Order:
    """The runs of the blocks in which a speaker took part; everywhere else rank and position are the same."""

    def __init__(self) -> None:
        """Begin with the declared order."""
        self._by_rank: list[Run] = []
        self._by_position: list[Run] = []

    def add(self, start: int, spans: Iterable[Span]) -> None:
        """Have the positions from ``start`` on come in the order of ``spans``, which are all of them up to an end."""
        runs: list[Run] = []
        rank, behind = start, -1
        for begin, end in spans:
            if begin == end:
                continue
            if begin == behind:
                first = runs.pop()
                runs.append(Run(first.rank, first.position, end - first.position))
            else:
                runs.append(Run(rank, begin, end - begin))
            rank, behind = rank + end - begin, end
        if len(runs) > 1:
            self._by_rank += runs
            self._by_position += sorted(runs, key=_position)

    def before(self, end: int) -> Order:
        """Give the order as it was when there were so many entries."""
        earlier = Order()
        earlier._by_rank = [run for run in self._by_rank if run.rank < end]
        earlier._by_position = [run for run in self._by_position if run.position < end]
        return earlier

    def spans(self, start: int, end: int) -> list[Span]:
        """Give the positions of the ranks from ``start`` up to ``end``, in order."""
        return list(self.spans_back(start, end))[::-1]

    def spans_back(self, start: int, end: int) -> Iterator[Span]:
        """Give the same, the last span first."""
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
        """Give how many entries come before the one at ``position``."""
        index = bisect_right(self._by_position, position, key=_position) - 1
        run = self._by_position[index] if index >= 0 else Run(0, 0, 0)
        return position + run.rank - run.position if position < run.position + run.length else position

    @property
    def state(self) -> tuple[Run, ...]:
        """All of it, as a value."""
        return tuple(self._by_rank)


DECLARED = Order()
"""That of whoever took part in no block; nothing is ever added to it."""


def joined(own: list[Span], start: int, length: int, begin: int, end: int) -> Iterator[Span]:
    """Give the order of a block for a speaker: the branch that it was asked in, then whatever is left around that.

    ``own`` is the order inside that branch, which begins at ``start`` and has ``length``; the block reaches from
    ``begin`` up to ``end``.
    """
    yield from ((start + one, start + other) for one, other in own)
    yield begin, start
    yield start + length, end


def _rank(run: Run) -> int:
    return run.rank


def _position(run: Run) -> int:
    return run.position
