"""The state of a conversation, as far as what comes next depends on it: the key by which states are merged.

It holds where the conversation is (the asks that are pending, with their rounds), its counters, and the values
that may still be read (``liveness``), each as far as it is read (``projection``). Of all that was said, what nobody
reads but in prompts counts only by who has been heard at all: without anything to hear, a request cannot be made.

The branches of a block that are over count together, by what they leave behind: what may be read of their messages,
what they have cost, and the first ending among them. So branches that vote count by their votes, and not by who gave
which, where whoever reads the votes does not look at their order (``list_readers``).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from llm_gc.core import Conversation, Files
from llm_gc.core.history import SpokenEntry
from llm_gc.core.outcome import Ending
from llm_gc.core.state import Branch
from llm_gc.language.fields import View
from llm_gc.language.pipeline import Pipeline
from llm_gc.language.steps.repeat import Repeat
from llm_gc.language.steps.scene import Scene
from llm_gc.language.texts import models
from llm_gc.model_checker.condition_vars import (
    BLOCKS,
    HEARD,
    JOINED,
    NOTHING,
    PREVIOUS,
    all_words,
    decided,
)
from llm_gc.model_checker.liveness import Joined, Liveness
from llm_gc.model_checker.projection import ABSENT, Projection, Tree
from llm_gc.protocol import NOTHING as NO_MESSAGE
from llm_gc.protocol import Path

Flows = Iterator[tuple[bool, Ending | None]]
"""Of each branch of the blocks under way, in declared order, whether it is over, and how it has ended."""

Parts = tuple[Any, Any, list[Any]]
"""What was counted in a line of the conversation, the values in it, and the loops that are under way."""


class StateKey(NamedTuple):
    """A state, in a form to compare: where it is with which values, and what has been counted so far.

    A loop without an end of its own comes again and again to states that differ in nothing but ``counted``.
    """

    standing: Hashable
    counted: Hashable


class States:
    """Makes keys. ``costs`` says whether some limit counts tokens or seconds, ``echoes`` whether one counts echoes."""

    def __init__(self, pipeline: Pipeline, files: Files, liveness: Liveness, *, costs: bool, echoes: bool) -> None:
        """Take what is read where."""
        self._liveness, self._costs, self._echoes = liveness, costs, echoes
        live = NOTHING.union(*liveness.at.values())
        self._turn_matters = decided(live, "turn")
        self._endless = frozenset(() if decided(live, "round") else _endless(pipeline, files, ()))
        self._may_hear_nothing = any(_without_opening(one) for one in (pipeline, *_inner(files)))
        self._errors = "error" in all_words(pipeline, files)
        self._tree = lru_cache(maxsize=None)(self._plant)
        self._joined = lru_cache(maxsize=None)(self._joined_trees)
        self._standing = lru_cache(maxsize=4096)(self._without_rounds)

    def key(self, conversation: Conversation) -> StateKey:
        """Return the key of a conversation that waits for a reply."""
        pending = conversation.pending
        tree = self._tree(tuple([(ask.step, ask.is_pick) for ask in pending]))
        succeeded = any(not turn.message.failed for turn in conversation.log if not turn.is_pick)
        flows = zip(conversation.flows_over, conversation.flow_endings, strict=True)
        counted, values, memory = self._branch(Projection(errors=self._errors), tree, conversation.branch, flows)
        ids = tuple([ask.id for ask in pending])
        standing = tuple([(self._standing(ask.id), ask.speaker) for ask in pending])
        line = conversation.branch.line.state if BLOCKS in tree.branches else None
        kept = (line, *[(self._standing(key), value) for key, value in memory])
        if self._turn_matters:
            return StateKey((standing, kept, values, succeeded, counted), ids)
        return StateKey((standing, kept, values, succeeded), (counted, ids))

    def turns_left(self, conversation: Conversation) -> int:
        """Return how many turns may still follow before a limit; at most as many as the remaining steps can take."""
        if not self._endless:
            return 0
        tallies = [(tally.max_turns, tally.turns) for tally in conversation.branch.tallies]
        return min((most - turns for most, turns in tallies if most is not None), default=0)

    def _plant(self, steps: tuple[tuple[Path, bool], ...]) -> Tree:
        live = NOTHING.union(*(self._liveness.at.get(step, NOTHING) for step in steps))
        return Tree.of(live)

    def _branch(
        self, projection: Projection, tree: Tree, branch: Branch, flows: Flows, *, inside: bool = False
    ) -> Parts:
        """Return the counters, the values and the loops of one line of the conversation, and of those inside it."""
        counted: tuple[Any, ...] = tuple([(tally.turns, tally.max_turns) for tally in branch.tallies])
        if self._costs:
            counted = (counted, *[(tally.tokens, tally.seconds) for tally in branch.tallies])
        read, names = tree.branches, branch.names
        said = [entry for entry in branch.history.own() if isinstance(entry, SpokenEntry)]
        values: list[Any] = [(name, projection.value(names[name], read[name])) for name in read if name in names]
        values.append(self._spoken(projection, tree, said, inside=inside))
        loops = [(key, _kept(projection, key, kept, branch)) for key, kept in branch.memory.items()]
        for counted_below, values_below, loops_below in self._inside(projection, tree, branch, flows):
            counted, loops = (*counted, counted_below), loops + loops_below
            values.append(values_below)
        return counted, tuple(values), loops

    def _inside(self, projection: Projection, tree: Tree, branch: Branch, flows: Flows) -> Iterator[Parts]:
        """Yield the parts of a scene that continues in a line, or of the branches of a block.

        Those branches in front that are over are one part.
        """
        if not branch.inner or len(branch.inner[0].tallies) > len(branch.tallies):
            for scene in branch.inner:
                yield self._branch(projection, tree, scene, flows, inside=True)
            return
        over: list[tuple[Branch, Ending | None]] = []
        for number, fork in enumerate(branch.inner):
            is_over, ending = next(flows)
            if is_over and number == len(over):
                over.append((fork, ending))
                continue
            if number == len(over):
                yield self._over(projection, over, len(branch.inner) - number)
            counted, values, loops = self._branch(projection, tree, fork, flows, inside=True)
            yield counted, (_ended(ending), values), loops

    def _over(self, projection: Projection, over: Sequence[tuple[Branch, Ending | None]], left: int) -> Parts:
        """Return what the branches in front leave behind that are over; ``left`` are behind them."""
        if not over:
            return None, None, []
        forks = [fork for fork, _ in over]
        listed, others = self._joined(_block(forks[0].place))
        levels = list(zip(*[fork.tallies for fork in forks], strict=True))
        counted: list[Any] = [sum([tally.turns for tally in level]) for level in levels]
        if self._costs:
            counted += [(sum([one.tokens for one in level]), sum([one.seconds for one in level])) for level in levels]
        said = [[one for one in fork.history.own() if isinstance(one, SpokenEntry)] for fork in forks]
        values: list[Any] = [self._spoken(projection, others, [one for mine in said for one in mine], inside=True)]
        if listed is not None:
            newest = [mine[-1].message if mine else NO_MESSAGE for mine in said]
            values.append(projection.listed(newest, listed, left))
        if BLOCKS in others.branches:
            spoke = [frozenset(fork.history.spoke()) for fork in forks]
            values.append(spoke[0] if all(one == spoke[0] for one in spoke) else tuple(spoke))
        first = next((ending for _, ending in over if ending is not None), None)  # the others' are never heard of
        return tuple(counted), (_ended(first), *values), []

    def _joined_trees(self, path: Path) -> tuple[Tree | None, Tree]:
        listed, others = self._liveness.joins.get(path, Joined())
        return Tree.of(listed).branches.get(JOINED), Tree.of(others)

    def _spoken(self, projection: Projection, tree: Tree, said: Sequence[SpokenEntry], *, inside: bool) -> Hashable:
        """Return what is read of the messages of one line."""
        if not said:
            return None
        read, newest = tree.branches, said[-1]
        heard = {one.speaker.role for one in said if one.message.content}
        found: list[Hashable] = [frozenset(heard) if self._may_hear_nothing else bool(heard)]
        names = ("last", JOINED) if inside else ("last",)
        found += [projection.value(newest.message, read[name]) for name in names if name in read]
        if PREVIOUS in read:
            found.append(newest.speaker.role)
        if HEARD in read:
            last = next((one.message for one in reversed(said) if one.heard), None)
            found.append(ABSENT if last is None else projection.value(last, read[HEARD]))
        if "said" in read:
            by_role = {one.speaker.role: one.message for one in said}
            found.append(projection.value(by_role, read["said"]))
        messages = Tree(True) if self._echoes else read.get("messages")
        if messages is not None:
            found.append(projection.value([one.message for one in said], messages))
        return tuple(found)

    def _without_rounds(self, place: str) -> str:
        """Return a place without the rounds of loops that have no end of their own."""
        if not self._endless:
            return place
        path: list[str | int] = []
        words: list[str] = []
        for word in place.split("."):
            key, colon, _ = word.partition(":")
            words.append(key if colon and tuple(path) in self._endless else word)
            path.append(int(key) if key.isdigit() else key)
        return ".".join(words)


def _ended(ending: Ending | None) -> Hashable:
    """Return what matters of how a branch has ended: not the words in which it is told."""
    return ending and (ending.reason, *ending.why[2:])


@lru_cache(maxsize=1024)
def _block(place: str) -> Path:
    """Return the path of the block in which a branch has this place."""
    words = [word.partition(":")[0] for word in place.split(".")]
    return tuple([int(word) if word.isdigit() else word for word in words[:-2]])


def _kept(projection: Projection, key: str, kept: Any, branch: Branch) -> Hashable:
    """Return what a step under way goes by: of a loop without an end, how many turns its round has had so far."""
    if key.endswith(" times"):
        times, before = kept
        return (times, None if before is None else branch.tallies[0].turns - before)
    if key.endswith(" tries"):
        return (kept[0],)  # what failed; the words in which it is asked again concern prompts alone
    if key.endswith(" scene"):
        label, opening, inputs = kept
        return (label, projection.shape(opening), projection.value(inputs, Tree(True)))
    return projection.value(kept, Tree(True))


def _endless(pipeline: Pipeline, files: Files, path: Path) -> Iterator[Path]:
    """Yield the loops without ``times`` or ``for``, by their paths."""
    for at, model in models(pipeline.turns, (*path, "turns")):
        if isinstance(model, Repeat) and model.times is None and model.for_ is None:
            yield at
        if isinstance(model, Scene) and isinstance(model.scene, str) and model.scene in files.scenes:
            yield from _endless(*files.scenes[model.scene], (*at, "scene"))


def _inner(files: Files) -> list[Pipeline]:
    return [one for scene, inner in files.scenes.values() for one in (scene, *_inner(inner))]


def _without_opening(pipeline: Pipeline) -> bool:
    """Return whether some role in a pipeline may not be shown an opening: for want of one, or on purpose."""
    found = [pipeline.opening is None]
    for _, model in models(pipeline):
        found.append(isinstance(model, Scene) and model.opening is None and not isinstance(model.scene, str))
        found.append(isinstance(model, View) and not model.opening)
    return any(found)
