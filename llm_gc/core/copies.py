"""Which copy of a role speaks in which branch of a block.

Inside a block every role is itself, as it was before. At the join there is a speaker for each branch in which it spoke:
in the first of them the role as it was, in each further one a new copy, in declared order. Where a later block has such
a branch again, the copy continues there. Nothing of that depends on the order in which branches were answered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from llm_gc.core.history import Names
from llm_gc.protocol import Speaker

NARRATOR = "narrator"
"""Who posts; there is one alone, in all branches."""

Place = tuple[int, int]
"""A branch of a block: the number of its item, and of its step in the list."""


@dataclass(frozen=True)
class CopyLine:
    """Who speaks for each role in one line of the conversation, and in the branches of the blocks that it had.

    ``copies`` are the numbers of those that are not the role itself, by role; ``inner`` are the lines of the branches,
    by item and step; ``newest`` is the highest number that a copy of each role has.
    """

    copies: Mapping[str, int] = field(default_factory=dict)
    inner: Mapping[int, Mapping[int, CopyLine]] = field(default_factory=dict)
    newest: Mapping[str, int] = field(default_factory=dict)

    def speaker(self, role: str) -> Speaker:
        """Return who speaks when this line lets a role speak."""
        return Speaker(role, self.copies.get(role, 0))

    def branch(self, place: Place) -> CopyLine:
        """Return the line of a branch as it begins.

        A role that has not spoken in just this branch before, but in one other of the same item, continues from there:
        two blocks over the same items may list different steps.
        """
        item, step = place
        lines = self.inner.get(item, {})
        times = Counter(role for line in lines.values() for role in line.copies)
        alone = {role: copy for line in lines.values() for role, copy in line.copies.items() if times[role] == 1}
        own = lines.get(step, EMPTY)
        return CopyLine({**self.copies, **alone, **own.copies}, own.inner, self.newest)

    def joined(self, branches: Iterable[tuple[Place, CopyLine, Names]], newest: Mapping[str, int]) -> CopyLine:
        """Return it after a block, whose branches have reach these lines; their speakers have new names now."""
        inner = {item: dict(lines) for item, lines in self.inner.items()}
        for (item, step), line, names in branches:
            before = self.inner.get(item, {}).get(step, EMPTY)
            spoke = {one.role: new.copy for one, new in names.items() if one == line.speaker(one.role)}
            below = line.renamed(names).inner
            inner.setdefault(item, {})[step] = CopyLine({**before.copies, **spoke}, below)
        return replace(self, inner=inner, newest=newest)

    def renamed(self, names: Names) -> CopyLine:
        """Return it with new names for its speakers."""
        if all(one == new for one, new in names.items()):
            return self
        copies = {role: names.get(one := Speaker(role, copy), one).copy for role, copy in self.copies.items()}
        inner = {
            item: {step: line.renamed(names) for step, line in lines.items()} for item, lines in self.inner.items()
        }
        return replace(self, copies=copies, inner=inner)

    @property
    def state(self) -> tuple[Any, ...]:
        """All of it, as a value."""
        lines = frozenset(
            (item, step, line.state) for item, lines in self.inner.items() for step, line in lines.items()
        )
        return (frozenset(self.copies.items()), lines, frozenset(self.newest.items()))


EMPTY = CopyLine()


def named(
    spoke: Sequence[Iterable[Speaker]], asked: Sequence[Iterable[Speaker]], newest: Mapping[str, int]
) -> tuple[list[Names], Mapping[str, int]]:
    """Return who each speaker of each branch is from the join on, and the highest numbers of copies then.

    ``spoke`` are those who said something, ``asked`` all who were asked. The former come first: a role that only chose
    who speaks in one branch, and spoke in another, is itself there.
    """
    names: list[dict[Speaker, Speaker]] = [{} for _ in spoke]
    taken: set[Speaker] = set()
    highest = dict(newest)
    for speakers in (spoke, asked):
        for mine, theirs in zip(names, speakers, strict=True):
            for speaker in theirs:
                if speaker in mine:
                    continue
                new, is_new = speaker, speaker.copy > newest.get(speaker.role, 0)  # numbered in a block inside
                if speaker.role != NARRATOR and (is_new or speaker in taken):
                    highest[speaker.role] = highest.get(speaker.role, 0) + 1
                    new = Speaker(speaker.role, highest[speaker.role])
                mine[speaker] = new
                taken.add(new)
    return list(names), highest
