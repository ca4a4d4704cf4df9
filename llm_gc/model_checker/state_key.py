"""The state of a conversation, as far as what comes next depends on it: the key by which states are merged.

It holds where the conversation is (the asks that are pending, with their rounds), its counters, and the values
that may still be read (``liveness``), each as far as it is read (``projection``). Of all that was said, what nobody
reads but in prompts counts only by who has been heard at all: without anything to hear, a request cannot be made.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from llm_gc.core import Conversation, Files
from llm_gc.core.history import SpokenEntry
from llm_gc.core.state import Branch
from llm_gc.language.fields import View
from llm_gc.language.pipeline import Pipeline
from llm_gc.language.steps.repeat import Repeat
from llm_gc.language.steps.scene import Scene
from llm_gc.language.texts import models
from llm_gc.model_checker.condition_vars import HEARD, JOINED, NOTHING, PREVIOUS, all_words, decided
from llm_gc.model_checker.liveness import Liveness
from llm_gc.model_checker.projection import ABSENT, Projection, Tree
from llm_gc.protocol import Path


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
        self._standing = lru_cache(maxsize=4096)(self._without_rounds)

    def key(self, conversation: Conversation) -> StateKey:
        """Return the key of a conversation that waits for a reply."""
        pending = conversation.pending
        tree = self._tree(tuple([(ask.step, ask.is_pick) for ask in pending]))
        succeeded = any(not turn.message.failed for turn in conversation.log if not turn.is_pick)
        counted, values, memory = self._branch(Projection(errors=self._errors), tree, conversation.branch)
        ended = tuple([ending and (ending.reason, *ending.why[2:]) for ending in conversation.flow_endings])
        ids = tuple([ask.id for ask in pending])
        standing = tuple([(self._standing(ask.id), ask.speaker) for ask in pending])
        kept = (conversation.branch.line.state, *[(self._standing(key), value) for key, value in memory])
        if self._turn_matters:
            return StateKey((standing, kept, values, succeeded, ended, counted), ids)
        return StateKey((standing, kept, values, succeeded, ended), (counted, ids))

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
        self, projection: Projection, tree: Tree, branch: Branch, *, inside: bool = False
    ) -> tuple[Any, Any, list[Any]]:
        """Return the counters, the values and the loops of one line of the conversation, and of those inside it."""
        counted: tuple[Any, ...] = tuple([(tally.turns, tally.max_turns) for tally in branch.tallies])
        if self._costs:
            counted = (counted, *[(tally.tokens, tally.seconds) for tally in branch.tallies])
        read, names = tree.branches, branch.names
        said = [entry for entry in branch.history.own() if isinstance(entry, SpokenEntry)]
        values: list[Any] = [(name, projection.value(names[name], read[name])) for name in read if name in names]
        values.append(self._spoken(projection, tree, said, inside=inside))
        loops = [(key, _kept(projection, key, kept, branch)) for key, kept in branch.memory.items()]
        if not branch.inner:
            return counted, tuple(values), loops
        below = [self._branch(projection, tree, one, inside=True) for one in branch.inner]
        for counted_below, values_below, loops_below in below:
            counted, loops = (*counted, counted_below), loops + loops_below
            values.append(values_below)
        return counted, tuple(values), loops

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
        whole = True if self._echoes else read["messages"].whole if "messages" in read else None
        if whole is not None:
            found.append(projection.value([one.message for one in said], Tree(whole)))
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
