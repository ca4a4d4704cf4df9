"""What the pipelines' own conditions hold replies against: the numbers, words and lengths at which its course may turn.

What is in a prompt or a variable counts as far as it has conditions of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from llm_gc.language.steps.choose import RANDOM, Choose
from llm_gc.language.steps.repeat import Repeat
from llm_gc.model_checker.boundary_values import Boundary, BoundaryValues, patterns_of
from llm_gc.model_checker.condition_vars import compares_text, condition_texts, is_list_read, parsed, reads
from llm_gc.model_checker.liveness import Deciding
from llm_gc.model_checker.name_values import NameValues, name_values_in
from llm_gc.model_checker.pipelines import PipelinePart
from llm_gc.protocol import Path

MANY = 1_000
"""So many rounds reach any limit."""

_COUNTS = (-1, 0.5, MANY)
"""What a template may give that says how often: too little, no whole number, and too much."""

_TEXTUAL = frozenset({"content", "heard", "wordcount", "extract"})
"""Words by which a condition looks into texts, of which there are more than can be tried."""


class Word(NamedTuple):
    """A text that something is held against, with the words of that condition; ``is_said`` where a reply may be it."""

    group: frozenset[str]
    text: str
    is_said: bool


class Conditions:
    """The constants in deciding texts, and the words that each of these texts has."""

    def __init__(self, parts: Iterable[PipelinePart], deciding: Iterable[Deciding], inputs: Mapping[str, Any]) -> None:
        """Read them; a name of an input stands for its value, and so does a variable that is set from such values.

        ``compares`` says whether values are held against values; ``attributes`` are the words by which data are read.
        """
        listed = {part.path: part for part in parts}
        self._known = name_values_in(listed.values(), inputs)
        self._kept = {path: frozenset(part.kept) for path, part in listed.items()}
        self.groups: list[frozenset[str]] = []
        self.patterns: list[str] = []
        self.compares = False
        self._beyond: set[frozenset[str]] = set()
        self._numbers: list[tuple[frozenset[str], float]] = []
        self._counts: list[frozenset[str]] = []
        self._lengths: list[tuple[frozenset[str], int, bool]] = []
        self._items: list[tuple[frozenset[str], int]] = []
        self._words: list[Word] = []
        self.attributes = _attributes(deciding := list(deciding), listed)
        for one in deciding:
            self._read(one, listed[one.part].templates.get(one.text, one.text), self._known[one.part])
        for part in listed.values():
            self._steps(part, self._known[part.path])

    @property
    def words(self) -> frozenset[str]:
        """All words of deciding texts."""
        return frozenset().union(*self.groups)

    def numbers(self, name: str) -> list[float]:
        """Return the numbers with which texts compare that speak of this name, in ascending order."""
        return sorted({number for group, number in self._numbers if _is_of(name, group)})

    def counts(self, name: str) -> tuple[float, ...]:
        """Return the numbers that are worth a try where this name says how often something is done."""
        return _COUNTS if any(_is_of(name, group) for group in self._counts) else ()

    def lengths(self, name: str | None = None) -> list[int]:
        """Return the lengths with which the named is compared, or what is said, and those beside them."""
        found = [one for group, one, is_said in self._lengths if (is_said if name is None else _is_of(name, group))]
        return sorted({near for one in found for near in (one - 1, one, one + 1) if near >= 0})

    def sizes(self, name: str) -> list[int]:
        """Return the sizes of a list at which something changes: its length, or whether it has an item."""
        indexed = [one for group, index in self._items if _is_of(name, group) for one in (index, index + 1)]
        return sorted({*self.lengths(name), *(one for one in indexed if one >= 0)})

    def texts(self, name: str | None = None) -> list[str]:
        """Return the texts with which the named is compared, or what is said, in the order of the document."""
        listed = (one.text for one in self._words if (one.is_said if name is None else _is_of(name, one.group)))
        return list(dict.fromkeys(listed))

    def is_textual(self, text: str, part: Path) -> bool:
        """Return whether a pipeline's condition looks into texts."""
        closed, tree = self._known[part].closed(text), parsed(text, "expression")
        if _TEXTUAL & closed or ("length" in closed and "data" not in closed):
            return True
        return tree is not None and compares_text(tree, self._kept[part])

    def is_beyond(self, text: str, part: Path) -> bool:
        """Return whether a pipeline's condition depends on what is computed in a way that cannot be solved."""
        return self._known[part].closed(text) in self._beyond

    def _read(self, one: Deciding, source: str, known: NameValues) -> None:
        group = known.closed(*condition_texts(source, one.kind)) if one.is_shown else known.closed(source)
        tree = parsed(source, one.kind)
        if tree is None or (one.is_shown and "data" not in group):
            return
        self.groups.append(group)
        is_said = not one.is_shown and ("content" in group or compares_text(tree, self._kept[one.part]))
        self.patterns += [] if one.is_shown else patterns_of(tree)
        comparisons = BoundaryValues(tree, known.values, known.inputs)
        for met in comparisons.met():
            self._take(met, group, is_said=is_said)
        self.compares |= comparisons.compares
        if comparisons.beyond:
            self._beyond.add(group)

    def _take(self, met: Boundary, group: frozenset[str], *, is_said: bool) -> None:
        if met.what == "read":
            self._words += [Word(group, text, is_said) for text in met.texts()]
        elif isinstance(met.value, str):
            self._words.append(Word(group, met.value, is_said))
        elif isinstance(met.value, (int, float)) and not isinstance(met.value, bool):
            if met.what == "length":
                self._lengths.append((group, int(met.value), is_said))
            elif met.what == "items":
                self._items.append((group, int(met.value)))
            else:
                self._numbers.append((group, met.value))

    def _steps(self, part: PipelinePart, known: NameValues) -> None:
        """Take who may be chosen, where a reply may name them, and what a reply may count."""
        for step in part.steps.values():
            if isinstance(step, Choose):
                for text in (step.by, step.choose):
                    if isinstance(text, str) and text != RANDOM and text not in part.pipeline.roles:
                        group, is_said = known.closed(text), self._is_said(text, part)
                        self._words += [Word(group, role, is_said) for role in part.pipeline.roles]
            elif isinstance(step, Repeat) and isinstance(step.times, str):
                self._counts.append(known.closed(step.times))

    def _is_said(self, text: str, part: PipelinePart) -> bool:
        """Return whether a template may give what somebody says."""
        if "content" in self._known[part.path].closed(text):
            return True
        found = [read.chain for read in reads(part.templates, text, "template", decides=True)]
        chains = [chain[:1] if is_list_read(chain) else chain for chain in found]
        return any(
            chain == ("last",) or (chain[0] == "said" and len(chain) == 2) or chain[0] in self._kept[part.path]
            for chain in chains
            if len(chain) == 1 or chain[0] == "said"
        )


def _attributes(deciding: Iterable[Deciding], listed: Mapping[Path, PipelinePart]) -> list[str]:
    """Return the words that are after ``data``."""
    found: dict[str, None] = {}
    for one in deciding:
        read = reads(listed[one.part].templates, one.text, one.kind, decides=True)
        chains = sorted(chain[chain.index("data") + 1 :] for chain, _ in read if "data" in chain)
        found |= {chain[0]: None for chain in chains if chain}
    return list(found)


def _is_of(name: str, group: frozenset[str]) -> bool:
    """Return whether a condition may be about a place in data: by its name, or about the data as a whole."""
    return name in group or (not name and "data" in group)
