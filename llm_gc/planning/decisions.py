"""Where a pipeline decides, and by what: the decisions that hang on replies are assumed, and every assumption is told.

Of a loop that ends when something was said, nobody knows when; it is planned to its bound. So its ``until`` is never
true here, nor the ``when`` of a stop; other decisions fall as the placeholders let them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from llm_gc import project
from llm_gc.conversation import Files, Visit
from llm_gc.errors import TemplateError
from llm_gc.pipeline import Pipeline
from llm_gc.planning.unknown import Unknown
from llm_gc.project import Loaded
from llm_gc.protocol import Path
from llm_gc.steps import Step
from llm_gc.steps.choose import RANDOM, Choose
from llm_gc.steps.fields import Stop
from llm_gc.steps.parallel import Parallel
from llm_gc.steps.repeat import Repeat
from llm_gc.steps.scene import Scene
from llm_gc.texts import models

NEVER = "false"


@dataclass(frozen=True)
class Assumption:
    """Something that nobody knows beforehand, and is taken to be so; ``place`` is where it is decided."""

    text: str
    place: str

    def __str__(self) -> str:
        """Give it as one line."""
        return f"{self.text} ({self.place})"


@dataclass(frozen=True)
class _Spot:
    """A model of a pipeline, and where it stands there."""

    loaded: Loaded
    path: Path
    model: BaseModel
    unknown: Unknown


class Decisions:
    """All decisions of a pipeline and of those that its scenes play, by the paths that visits tell."""

    def __init__(self, loaded: Loaded, *, is_seeded: bool) -> None:
        """Read them. Where it is not ``is_seeded``, what chance draws is unknown too."""
        self._is_seeded = is_seeded
        self._spots: dict[Path, _Spot] = {}
        self.pipeline, self.files = self._read(loaded, (), frozenset())

    def place(self, path: Path, *more: str) -> str:
        """Give the file, line and column of what a visit tells of, or of something of its."""
        spot = self._spots[path]
        found = spot.loaded.locate(TemplateError("", path=(*spot.path, *more)))
        return f"{found.file}:{found.line}:{found.column}"

    def assumption(self, visit: Visit, *, is_picked: bool) -> Assumption | None:
        """Give what is assumed at a visit, none where it is known; ``is_picked`` tells that a role has just chosen."""
        spot = self._spots.get(visit.path)
        if spot is None:
            return None
        step = spot.model
        match visit.kind:
            case "when" if isinstance(step, Step) and spot.unknown.reads(step.when, is_expression=True):
                return self._assumed(visit, "when", f"`{step.when}` {'holds' if visit.value else 'does not hold'}")
            case "until" if isinstance(step, Repeat) and spot.unknown.reads(step.until, is_expression=True):
                return self._assumed(visit, "until", f"`{step.until}` does not hold, and the loop goes on")
            case "step" if isinstance(step, (Repeat, Parallel)):
                return self._counted(visit, step, spot.unknown)
            case "spoke" if isinstance(step, Choose):
                return self._chosen(visit, step, spot, is_picked)
        return None

    @property
    def stops(self) -> Iterator[Assumption]:
        """The stops that hang on an expression or a pattern: they may end the conversation after any turn."""
        for path, spot in self._spots.items():
            stop = spot.model
            if isinstance(stop, Stop) and (stop.when or stop.match == "regex"):
                words = f"`{stop.when}` holds" if stop.when else f"something said matches {stop.token}"
                whose = f" after a turn of {stop.role}" if stop.role else ""
                yield Assumption(f"{words}{whose}", self.place(path))

    def _assumed(self, visit: Visit, key: str, words: str) -> Assumption:
        return Assumption(f"assuming {words}", self.place(visit.path, key))

    def _counted(self, visit: Visit, step: Repeat | Parallel, unknown: Unknown) -> Assumption | None:
        for key, text, is_expression in (("in", step.in_, True), ("times", step.times, False)):
            if unknown.reads(text, is_expression=is_expression):
                return self._assumed(visit, key, f"`{text}` gives as much as it does of the placeholders")
        return None

    def _chosen(self, visit: Visit, step: Choose, spot: _Spot, is_picked: bool) -> Assumption | None:
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
        """Remember what stands in a pipeline; give it and its files without the ends that nobody can tell."""
        pipeline, scenes = loaded.pipeline, dict(loaded.files.scenes)
        unknown, document = Unknown(pipeline, loaded.prompts, inputs), project.document(pipeline)
        unsure = _unsure(pipeline, unknown)
        for path, model in models(pipeline):
            self._spots[*prefix, *path] = _Spot(loaded, path, model, unknown)
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


def _unsure(pipeline: Pipeline, unknown: Unknown) -> dict[str, frozenset[str]]:
    """Give, for each pipeline that scenes play, the inputs that any of them gives it from something unknown."""
    found: dict[str, frozenset[str]] = defaultdict(frozenset)
    for _, model in models(pipeline):
        if isinstance(model, Scene) and isinstance(model.scene, str):
            found[model.scene] |= unknown.inputs_of(model)
    return found


def _at(document: Any, path: Path) -> Any:
    for step in path:
        document = document[step]
    return document
