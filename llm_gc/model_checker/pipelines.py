"""The pipelines of one conversation: that which is run, and those that its scenes play, each with its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from llm_gc.core import Files
from llm_gc.language.fields import Stop
from llm_gc.language.pipeline import Pipeline
from llm_gc.language.steps import Step
from llm_gc.language.steps.scene import Scene
from llm_gc.language.steps.set import Set
from llm_gc.language.texts import TextKind, models
from llm_gc.protocol import Path
from llm_gc.templates import Templates

COUNTERS = frozenset({"turn", "round"})


@dataclass(frozen=True)
class PipelinePart:
    """A pipeline, and the path below which its steps and stops are told (as by visits).

    ``outer`` is the one whose scene plays it.
    """

    pipeline: Pipeline
    templates: Templates
    path: Path
    outer: PipelinePart | None = None

    @cached_property
    def steps(self) -> dict[Path, Step]:
        """All steps, by their paths."""
        listed = models(self.pipeline.turns, (*self.path, "turns"))
        return {path: model for path, model in listed if isinstance(model, Step)}

    @property
    def sets(self) -> Iterator[tuple[str, Any]]:
        """Yield every variable that is set, with its expression."""
        for step in self.steps.values():
            yield from step.set.items() if isinstance(step, Set) else ()

    @property
    def loops(self) -> Iterator[tuple[str, Any]]:
        """Yield the name of every loop that has one, with the expression that gives its items."""
        for step in self.steps.values():
            name = getattr(step, "for_", None)
            if name is not None:
                yield name, getattr(step, "in_", None)

    @property
    def kept(self) -> Iterator[str]:
        """Yield the names under which messages are kept."""
        for step in self.steps.values():
            name = getattr(step, "as_", None)
            if name is not None:
                yield name

    @property
    def given(self) -> dict[str, Any]:
        """What the scene that plays it gives for its inputs."""
        scene = self.outer.steps[self.path[:-1]] if self.outer else None
        return dict(getattr(scene, "with_", None) or {})

    @cached_property
    def stops(self) -> dict[Path, Stop]:
        """All stops, those of inline scenes too, by their paths."""
        found = {(*self.path, "stop", index): stop for index, stop in enumerate(self.pipeline.stop)}
        for path, step in self.steps.items():
            if isinstance(step, Scene):
                found |= {(*path, "stop", index): stop for index, stop in enumerate(step.stop or ())}
        return found

    def is_settled(self, text: str | None, kind: TextKind = "expression") -> bool:
        """Return whether the inputs alone decide what a text gives, so that other inputs might decide otherwise."""
        if text is None:
            return False
        names = self._names(text, kind)
        counters = COUNTERS if names & self.pipeline.inputs.keys() else self._counters
        return names <= {*self.pipeline.inputs, *self._variables, *self.templates.everywhere, *counters}

    def _names(self, text: Any, kind: TextKind) -> frozenset[str]:
        """Return the names that a text speaks of, and by way of variables those that they are set from."""
        names, left = set[str](), [(text, kind)]
        while left:
            one, how = left.pop()
            if isinstance(one, str):
                compiled = self.templates.expression(one) if how == "expression" else self.templates.template(one)
                new = compiled.names - names
                names |= new
                left += [(other, "expression") for name in new for other in self._variables.get(name, ())]
        return frozenset(names)

    @cached_property
    def _counters(self) -> frozenset[str]:
        """What counts on with other inputs: turns and rounds, where inputs say how often something is done.

        They say so in a bound, or in a condition that holds a counter against them.
        """
        steps, inputs = self.steps.values(), self.pipeline.inputs.keys()
        bounds = [self._names(self.pipeline.limits.max_turns, "template")]
        bounds += [self._names(getattr(step, "times", None), "template") for step in steps]
        bounds += [self._names(getattr(step, "in_", None), "expression") for step in steps]
        asked = [getattr(one, key, None) for one in (*steps, *self.stops.values()) for key in ("when", "until")]
        conditions = [names for one in asked if (names := self._names(one, "expression")) & COUNTERS]
        return COUNTERS if any(names & inputs for names in (*bounds, *conditions)) else frozenset()

    @cached_property
    def _variables(self) -> dict[str, list[Any]]:
        """The expressions by which each name is set that nothing else sets."""
        found: dict[str, list[Any]] = {}
        others: set[str] = set()
        for name, expression in self.sets:
            found.setdefault(name, []).append(expression)
        for step in self.steps.values():
            others |= {kept for key in ("as_", "for_") if (kept := getattr(step, key, None))}
        return {name: expressions for name, expressions in found.items() if name not in others}


def pipeline_parts(
    pipeline: Pipeline, files: Files, path: Path = (), outer: PipelinePart | None = None
) -> Iterator[PipelinePart]:
    """Yield a pipeline and all that its scenes play, outer ones first."""
    part = PipelinePart(pipeline, Templates.over(files.prompts), path, outer)
    yield part
    for at, step in part.steps.items():
        if isinstance(step, Scene) and isinstance(step.scene, str) and step.scene in files.scenes:
            yield from pipeline_parts(*files.scenes[step.scene], (*at, "scene"), part)
