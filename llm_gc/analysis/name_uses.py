"""The names in templates, looked at in the current state wherever they are rendered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llm_gc.analysis.comparisons import TypedComparisons
from llm_gc.analysis.declared_names import NAMES
from llm_gc.analysis.environment import LAST, Environment, EnvironmentKey
from llm_gc.analysis.pipeline_facts import PipelineFacts
from llm_gc.analysis.value_types import SILENT, UNKNOWN, Value, step_into, union
from llm_gc.protocol import Path
from llm_gc.templates import Use


@dataclass(slots=True)
class NameUse:
    """A name in a template, at all moments at which that is rendered: how often no way has set it, or only some."""

    value: Value
    times: int = 0
    never: int = 0
    maybe: int = 0


class NameUses:
    """What is seen of each name, by the path of the template and the use in it.

    ``conditions`` are the ``when`` of the steps around the place that is looked at now.
    """

    def __init__(self, subject: PipelineFacts, known: Environment) -> None:
        """Take a pipeline, and what is known in the current state."""
        self._subject, self._known = subject, known
        self._variables = {one.name for one in subject.given if one.kind in ("variable", "loop")}
        self._changing: dict[tuple[str, bool], tuple[Use, ...]] = {}
        self.seen: dict[tuple[Path, Use], NameUse] = {}
        self.conditions: list[str] = []
        self.comparisons = TypedComparisons(dict(subject.pipeline.inputs), dict(subject.templates))

    def read(self, path: Path, text: Any, *, is_expression: bool = False) -> None:
        """See the names in a template or an expression, in the current state."""
        if not isinstance(text, str):
            return
        self.comparisons.look(path, text, self.resolve, self.conditions, is_expression=is_expression)
        uses = self._changing.get((text, is_expression))
        if uses is None:
            compiled = self._subject.compiled(text, is_expression)
            watched = (*self._variables, "last", "said")
            uses = tuple(use for use in compiled.uses if use.name in watched) if compiled else ()
            self._changing[text, is_expression] = uses
        for use in uses:
            self._see(path, use)

    def _see(self, path: Path, use: Use) -> None:
        name = use.name
        if name in self._variables:
            entry = self._known.get(EnvironmentKey(name, is_history=name in NAMES))
            sight = self._sight(path, use, entry.value if entry else UNKNOWN)
            sight.never += entry is None
            sight.maybe += entry is not None and not entry.certain and not self._is_asked(name, entry.under)
        else:
            words = [word.word for word in use.words]
            if name == "said" and len(words) < 2:
                return
            self._sight(path, use, self.resolve(words[: 1 if name == "last" else 2]))

    def _is_asked(self, name: str, under: str) -> bool:
        """Return whether the way here asks again for what a name was set under, or whether it is defined."""
        wanted = {under, f"{name} is defined"}
        return any(not wanted.isdisjoint((condition, *condition.split(" and "))) for condition in self.conditions)

    def _sight(self, path: Path, use: Use, value: Value) -> NameUse:
        sight = self.seen.get((path, use))
        if sight is None:
            sight = self.seen[path, use] = NameUse(value)
        else:
            sight.value = union([sight.value, value])
        sight.times += 1
        return sight

    def resolve(self, words: Sequence[str]) -> Value:
        """Return what a name with its attributes is, in the current state."""
        name, *rest = words
        if name == "said" and rest:
            entry, default = self._known.get(EnvironmentKey(rest.pop(0), is_history=True)), SILENT
        elif name == "last":
            entry, default = self._known.get(LAST), SILENT
        else:
            entry, default = self._known.get(EnvironmentKey(name)), UNKNOWN
        value = entry.value if entry else default
        if entry and not entry.certain and default is SILENT:
            value = union([value, SILENT])
        for word in rest:
            value = step_into(value, word)
        return value
