"""A mark: where a step begins that stands in nothing but groups and loops, and what is remembered there.

What is remembered is plain data, so a conversation can be begun in the middle: at a mark, with what was remembered. The
groups and loops around that step are entered where they had come to, and evaluate nothing anew. Blocks and scenes are
not entered; they begin again, and whoever wants to stand inside one gives it its replies once more. What is taken
as it is are the branches of a block that are over already, and the asks that wait: nothing of them can have changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from llm_gc.conversation.branch import Branch, Tally


class Mark(NamedTuple):
    """A step's ``place``, and what its branch remembered as it began.

    ``kept`` holds what is replaced and never changed; of what only grows, ``sizes`` tell how far it had.
    """

    place: str
    tally: Tally
    kept: tuple[Any, ...]
    sizes: tuple[int, int, int]

    @classmethod
    def of(cls, branch: Branch, place: str) -> Mark:
        """Mark a place of a branch that is in no block and in no scene."""
        kept = (branch.names, branch.dropped, branch.measured, branch.densest, branch.memory, branch.line)
        return cls(place, branch.tallies[0].copy(), kept, (len(branch.history), len(branch.turns), len(branch.log)))

    @property
    def words(self) -> tuple[str, ...]:
        """The way to the place: keys (with their rounds) and indices in turn."""
        return tuple(self.place.split("."))

    def recall(self, into: Branch, grown: Branch) -> None:
        """Have a branch remember what was remembered here; ``grown`` is the branch that has gone on since."""
        into.names, into.dropped, into.measured, into.densest, into.memory, into.line = self.kept
        entries, turns, log = self.sizes
        into.tallies = [self.tally.copy()]
        into.history = grown.history.before(entries)
        into.turns, into.log = grown.turns[:turns], grown.log[:log]
