"""What a plan has to assume: names and decisions that depend on replies nobody has given yet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from llm_gc import project
from llm_gc.core import Files, TraceEvent
from llm_gc.errors import TemplateError
from llm_gc.language.fields import Stop
from llm_gc.language.pipeline import Pipeline
from llm_gc.language.steps import Step
from llm_gc.language.steps.choose import RANDOM, Choose
from llm_gc.language.steps.parallel import Parallel
from llm_gc.language.steps.repeat import Repeat
from llm_gc.language.steps.say import SpeakingStep
from llm_gc.language.steps.scene import Scene
from llm_gc.language.steps.set import Set
from llm_gc.language.texts import models
from llm_gc.project import Loaded
from llm_gc.protocol import Path
from llm_gc.templates import Templates

SAID = frozenset(("last", "said", "messages"))

_PLAIN = frozenset(("role", "label", "turn"))
"""Attributes of a message that do not depend on what it says."""


class UnknownNames:
    """The unknown names of one pipeline, some of whose ``inputs`` may be unknown already."""

    def __init__(self, pipeline: Pipeline, prompts: Mapping[str, str], inputs: Iterable[str] = ()) -> None:
        """Work them out: whatever is set from something unknown is unknown too."""
        self._templates = Templates.over(prompts)
        self._models = [model for _, model in models(pipeline.turns)]
        self.names = SAID | frozenset(inputs) | frozenset(self._named())
        size = 0
        while size != len(self.names):
            size = len(self.names)
            self.names |= frozenset(self._derived())

    def reads(self, text: object, *, is_expression: bool) -> bool:
        """Return whether a text reads something unknown; one that cannot be compiled may."""
        if not isinstance(text, str):
            return False
        try:
            compiled = self._templates.expression(text) if is_expression else self._templates.template(text)
        except TemplateError:
            return True
        return any(use.name in self.names and use.words[-1].word not in _PLAIN for use in compiled.uses)

    def inputs_of(self, scene: Scene) -> frozenset[str]:
        """Name the inputs that a scene gives another pipeline from something unknown."""
        given = (scene.with_ or {}).items()
        return frozenset(name for name, text in given if self.reads(text, is_expression=False))

    def _named(self) -> Iterator[str]:
        """Yield the names of messages, and of lists of them."""
        for model in self._models:
            if isinstance(model, (SpeakingStep, Parallel, Scene)) and model.as_ is not None:
                yield model.as_

    def _derived(self) -> Iterator[str]:
        for model in self._models:
            yield from self._set_by(model)

    def _set_by(self, model: BaseModel) -> Iterator[str]:
        if isinstance(model, Set):
            yield from (name for name, text in model.set.items() if self.reads(text, is_expression=True))
        elif isinstance(model, (Repeat, Parallel)) and model.for_ and self.reads(model.in_, is_expression=True):
            yield model.for_


NEVER = "false"


@dataclass(frozen=True)
class Assumption:
    """Something that nobody knows in advance, and is taken to be so; ``place`` is where it is decided."""

    text: str
    place: str

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.text} ({self.place})"


@dataclass(frozen=True)
class _DecisionPlace:
    """A model of a pipeline, and where it is there."""

    loaded: Loaded
    path: Path
    model: BaseModel
    unknown: UnknownNames


class Decisions:
    """All decisions of a pipeline and of those that its scenes play, by the paths that visits tell."""

    def __init__(self, loaded: Loaded, *, is_seeded: bool) -> None:
        """Read them. Where it is not ``is_seeded``, what chance draws is unknown too."""
        self._is_seeded = is_seeded
        self._spots: dict[Path, _DecisionPlace] = {}
        self.pipeline, self.files = self._read(loaded, (), frozenset())

    def place(self, path: Path, *more: str) -> str:
        """Return the file, line and column of what a visit tells of, or of something of its."""
        spot = self._spots[path]
        found = spot.loaded.locate(TemplateError("", path=(*spot.path, *more)))
        return f"{found.file}:{found.line}:{found.column}"

    def assumption(self, visit: TraceEvent, *, is_picked: bool) -> Assumption | None:
        """Return what is assumed at an event, None where it is known; ``is_picked``: a role has just chosen."""
        spot = self._spots.get(visit.path)
        if spot is None:
            return None
        step = spot.model
        match visit.kind:
            case "when" if isinstance(step, Step) and spot.unknown.reads(step.when, is_expression=True):
                return self._assumed(visit, "when", f"`{step.when}` {'holds' if visit.value else 'does not hold'}")
            case "until" if isinstance(step, Repeat) and spot.unknown.reads(step.until, is_expression=True):
                return self._assumed(visit, "until", f"`{step.until}` does not hold, and the loop continues")
            case "step" if isinstance(step, (Repeat, Parallel)):
                return self._counted(visit, step, spot.unknown)
            case "spoke" if isinstance(step, Choose):
                return self._chosen(visit, step, spot, is_picked)
        return None

    @property
    def stops(self) -> Iterator[Assumption]:
        """The stops that depend on an expression or a pattern: they may end the conversation after any turn."""
        for path, spot in self._spots.items():
            stop = spot.model
            if isinstance(stop, Stop) and (stop.when or stop.match == "regex"):
                words = f"`{stop.when}` holds" if stop.when else f"something said matches {stop.token}"
                whose = f" after a turn of {stop.role}" if stop.role else ""
                yield Assumption(f"{words}{whose}", self.place(path))

    def _assumed(self, visit: TraceEvent, key: str, words: str) -> Assumption:
        return Assumption(f"assuming {words}", self.place(visit.path, key))

    def _counted(self, visit: TraceEvent, step: Repeat | Parallel, unknown: UnknownNames) -> Assumption | None:
        for key, text, is_expression in (("in", step.in_, True), ("times", step.times, False)):
            if unknown.reads(text, is_expression=is_expression):
                return self._assumed(visit, key, f"`{text}` gives as much as it does of the placeholders")
        return None

    def _chosen(self, visit: TraceEvent, step: Choose, spot: _DecisionPlace, is_picked: bool) -> Assumption | None:
        if is_picked:
            return self._assumed(visit, "by", f"{step.by} chooses {visit.value}")
        if step.by == RANDOM and not self._is_seeded:
            return self._assumed(visit, "by", f"chance draws {visit.value}, since no seed is given")
        if spot.unknown.reads(step.by, is_expression=False) or (
            isinstance(step.choose, str) and spot.unknown.reads(step.choose, is_expression=False)
        ):
            return self._assumed(visit, "choose", f"{visit.value} is chosen")
        return None

    def _read(self, loaded: Loaded, prefix: Path, inputs: frozenset[str]) -> tuple[Pipeline, Files]:
        """Remember what is in a pipeline; return it and its files without the ends that nobody can tell."""
        pipeline, scenes = loaded.pipeline, dict(loaded.files.scenes)
        unknown, document = UnknownNames(pipeline, loaded.prompts, inputs), project.document(pipeline)
        unsure = _unsure(pipeline, unknown)
        for path, model in models(pipeline):
            self._spots[*prefix, *path] = _DecisionPlace(loaded, path, model, unknown)
            if isinstance(model, Repeat) and unknown.reads(model.until, is_expression=True):
                _at(document, path)["until"] = NEVER
            if isinstance(model, Stop) and model.when is not None and unknown.reads(model.when, is_expression=True):
                _at(document, path)["when"] = NEVER
            if getattr(model, "repetition", None) is not None:
                del _at(document, path)["repetition"]
            if isinstance(model, Scene) and isinstance(model.scene, str):
                scene, at = loaded.scenes[model.scene], (*prefix, *path, "scene")
                scenes[model.scene] = self._read(scene, at, unsure[model.scene])
        return Pipeline.model_validate(document), replace(loaded.files, scenes=scenes)


def _unsure(pipeline: Pipeline, unknown: UnknownNames) -> dict[str, frozenset[str]]:
    """Return, for each pipeline that scenes play, the inputs that any of them gives it from something unknown."""
    found: dict[str, frozenset[str]] = defaultdict(frozenset)
    for _, model in models(pipeline):
        if isinstance(model, Scene) and isinstance(model.scene, str):
            found[model.scene] |= unknown.inputs_of(model)
    return found


def _at(document: Any, path: Path) -> Any:
    for step in path:
        document = document[step]
    return document
