"""Which steps, branches and stops of a pipeline its cases come to.

A pipeline is covered when every step of its own has been run, each ``when`` has been false once, each ``until`` both
true and false, each role that a ``choose`` lists has been chosen, and each ``stop`` has been met. What stands in the
file of a scene is that file's own business.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from llm_gc.conversation import Visit
from llm_gc.errors import Finding
from llm_gc.pipeline import Pipeline
from llm_gc.project import Loaded
from llm_gc.protocol import Path
from llm_gc.steps import Step
from llm_gc.steps.choose import Choose
from llm_gc.steps.fields import Stop
from llm_gc.steps.repeat import Repeat
from llm_gc.texts import models

CODE = "cover"


@dataclass
class Coverage:
    """What there is to come to in a pipeline, and what the cases came to; a visit is a member of both or not."""

    loaded: Loaded
    visited: set[Visit] = field(default_factory=set)

    @property
    def wanted(self) -> list[Visit]:
        """All that there is to come to, in the order of the document."""
        return list(dict.fromkeys(wanted(self.loaded.pipeline)))

    @property
    def missed(self) -> list[Visit]:
        """What no case came to. Of a step that never ran, nothing inside is told besides."""
        missed = [visit for visit in self.wanted if visit not in self.visited]
        idle = [visit.path for visit in missed if visit.kind == "step"]
        return [visit for visit in missed if not any(_inside(visit, path) for path in idle)]

    @property
    def counts(self) -> tuple[int, int]:
        """How much of how much was come to."""
        wanted_ = self.wanted
        return sum(visit in self.visited for visit in wanted_), len(wanted_)

    def findings(self) -> list[Finding]:
        """Give what no case came to, with its place in the pipeline."""
        document = self.loaded.document
        found = [document.finding(*self._told(visit)) for visit in self.missed]
        return sorted(found, key=lambda finding: (finding.file, finding.line, finding.column))

    def _told(self, visit: Visit) -> tuple[Path, str, str]:
        """Give the path of what was not come to, the code of such findings, and a sentence."""
        match visit.kind:
            case "step" if Visit("when", visit.path, False) in self.visited:
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


def wanted(pipeline: Pipeline) -> Iterator[Visit]:
    """Give all that there is to come to in a pipeline."""
    for path, model in models(pipeline):
        match model:
            case Step():
                yield from _step(model, path)
            case Stop():
                yield Visit("stop", path)


def percent(covered: int, of: int) -> float:
    """Give a share in percent; of nothing, all of it."""
    return 100.0 * covered / of if of else 100.0


def _step(step: Step, path: Path) -> Iterator[Visit]:
    yield Visit("step", path)
    if step.when is not None:
        yield Visit("when", path, False)
    if isinstance(step, Repeat) and step.until is not None:
        yield Visit("until", path, False)
        yield Visit("until", path, True)
    if isinstance(step, Choose) and not isinstance(step.choose, str):
        lists = step.choose.values() if isinstance(step.choose, dict) else [step.choose]
        yield from (Visit("spoke", path, role) for listed in lists for role in listed)


def _inside(visit: Visit, path: Path) -> bool:
    """Tell whether a visit is of something about the step at a path, or in it; not its running itself."""
    return visit.path[: len(path)] == path and (len(visit.path) > len(path) or visit.kind != "step")
