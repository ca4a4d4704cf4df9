"""Which steps, branches and stops of a pipeline its cases reach.

A pipeline is covered when every step of its own has been run, each ``when`` has been false once, each ``until`` both
true and false, each role that a ``choose`` lists has been chosen, and each ``stop`` has been met. What is in the
file of a scene is that file's own business.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from llm_gc.core import TraceEvent
from llm_gc.errors import Finding
from llm_gc.language.fields import Stop
from llm_gc.language.pipeline import Pipeline
from llm_gc.language.steps import Step
from llm_gc.language.steps.choose import Choose
from llm_gc.language.steps.repeat import Repeat
from llm_gc.language.texts import models
from llm_gc.project import Loaded
from llm_gc.protocol import Path

CODE = "cover"


@dataclass
class Coverage:
    """What there is to reach in a pipeline, and what the cases came to; a visit is a member of both or not."""

    loaded: Loaded
    visited: set[TraceEvent] = field(default_factory=set)

    @property
    def wanted(self) -> list[TraceEvent]:
        """All that there is to reach, in the order of the document."""
        return list(dict.fromkeys(wanted(self.loaded.pipeline)))

    @property
    def missed(self) -> list[TraceEvent]:
        """What no case came to. Of a step that never ran, nothing inside is told besides."""
        missed = [visit for visit in self.wanted if visit not in self.visited]
        idle = [visit.path for visit in missed if visit.kind == "step"]
        return [visit for visit in missed if not any(_inside(visit, path) for path in idle)]

    @property
    def counts(self) -> tuple[int, int]:
        """How much of how much was reached."""
        wanted_ = self.wanted
        return sum(visit in self.visited for visit in wanted_), len(wanted_)

    def findings(self) -> list[Finding]:
        """Return what no case came to, with its place in the pipeline."""
        document = self.loaded.document
        found = [document.finding(*self._told(visit)) for visit in self.missed]
        return sorted(found, key=lambda finding: (finding.file, finding.line, finding.column))

    def _told(self, visit: TraceEvent) -> tuple[Path, str, str]:
        """Return the path of what was not reached, the code of such findings, and a sentence."""
        match visit.kind:
            case "step" if TraceEvent("when", visit.path, False) in self.visited:
                return (*visit.path, "when"), CODE, "this is never true"
            case "step":
                return visit.path, CODE, "this step never runs"
            case "when":
                return (*visit.path, "when"), CODE, "this is never false"
            case "until":
                return (*visit.path, "until"), CODE, f"this is never {'true' if visit.value else 'false'}"
            case "spoke":
                return (*visit.path, "choose"), CODE, f"{visit.value} is never chosen"
        return visit.path, CODE, "this stop is never met"


def wanted(pipeline: Pipeline) -> Iterator[TraceEvent]:
    """Yield all that there is to reach in a pipeline."""
    for path, model in models(pipeline):
        match model:
            case Step():
                yield from _step(model, path)
            case Stop():
                yield TraceEvent("stop", path)


def percent(covered: int, of: int) -> float:
    """Return a share in percent; of nothing, all of it."""
    return 100.0 * covered / of if of else 100.0


def _step(step: Step, path: Path) -> Iterator[TraceEvent]:
    yield TraceEvent("step", path)
    if step.when is not None:
        yield TraceEvent("when", path, False)
    if isinstance(step, Repeat) and step.until is not None:
        yield TraceEvent("until", path, False)
        yield TraceEvent("until", path, True)
    if isinstance(step, Choose) and not isinstance(step.choose, str):
        lists = step.choose.values() if isinstance(step.choose, dict) else [step.choose]
        yield from (TraceEvent("spoke", path, role) for listed in lists for role in listed)


def _inside(visit: TraceEvent, path: Path) -> bool:
    """Return whether a visit is of something about the step at a path, or in it; not its running itself."""
    return visit.path[: len(path)] == path and (len(visit.path) > len(path) or visit.kind != "step")
