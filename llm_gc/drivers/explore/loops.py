"""Which replies lead back to where one stands: how a loop without an end of its own is followed up to its limit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping


class Loops:
    """The kinds of states (states that differ in what was counted are of one kind), and what leads from one to another.

    Each lead is known by the number of the reply, among those that are tried at that kind.
    """

    def __init__(self) -> None:
        """Begin with nothing known."""
        self._leads: dict[int, dict[int, int]] = defaultdict(dict)
        self._after: dict[int, set[int]] = defaultdict(set)
        self._back: dict[int, tuple[int, ...]] = {}

    def goes(self, kind: int, reply: int, to: int) -> None:
        """Take that a reply leads from one kind to another."""
        self._leads[kind].setdefault(reply, to)
        self._after[kind].add(to)

    def back(self, kind: int) -> tuple[int, ...]:
        """Give the replies that lead back to a kind, as far as is known when this is first asked."""
        if kind not in self._back:
            leads = self._leads[kind].items()
            self._back[kind] = tuple([reply for reply, to in leads if kind in reached({to}, self._after)])
        return self._back[kind]


def reached(start: set[int], edges: Mapping[int, set[int]]) -> set[int]:
    """Give all that can be reached from somewhere, the start too."""
    known, new = set(start), list(start)
    while new:
        found = edges.get(new.pop(), set()) - known
        known |= found
        new += found
    return known
