"""What no way reaches: steps that are never run, loops that never end by themselves, stops that never stop."""

from __future__ import annotations

from collections.abc import Iterator

from llm_gc.language.fields import Stop
from llm_gc.language.steps import Step
from llm_gc.language.steps.choose import Choose
from llm_gc.language.steps.do import Do
from llm_gc.language.steps.repeat import Repeat
from llm_gc.model_checker.findings import Found, Visits, visits_of
from llm_gc.model_checker.pipelines import PipelinePart
from llm_gc.model_checker.search import Exploration
from llm_gc.protocol import Path


def unreached(exploration: Exploration, parts: list[PipelinePart]) -> Iterator[Found]:
    """Yield all that was never reached; nothing unless all was looked at."""
    visits = visits_of(exploration)
    for part in parts if exploration.is_whole else ():
        yield from _PartReachability(exploration, visits, part).all()


class _PartReachability:
    """What was never reached in one pipeline."""

    def __init__(self, exploration: Exploration, visits: Visits, part: PipelinePart) -> None:
        self._exploration, self._visits, self._part = exploration, visits, part
        self._never = [path for path in part.steps if ("step", path) not in visits]

    def all(self) -> Iterator[Found]:
        for path, step in self._part.steps.items():
            if path in self._never:
                outermost = not any(len(outer) < len(path) and path[: len(outer)] == outer for outer in self._never)
                yield from [self._step(path, step)] if outermost else []
            elif isinstance(step, Repeat) and step.until is not None:
                yield from self._until(path, step.until)
            elif isinstance(step, Choose):
                yield from self._chosen(path, step)
        for path, stop in self._part.stops.items():
            if ("stop", path) not in self._visits and not any(path[: len(step)] == step for step in self._never):
                yield self._stop(path, stop)

    def _step(self, path: Path, step: Step) -> Found:
        """Say of a step why it is never run."""
        outer = self._part.steps.get(path[:-2])
        if isinstance(outer, Do) and path[-2] == "else":
            message = f"{outer.when!r} always holds, so what is under 'else' is never run"
            return self._found("never-run", (*path[:-2], "when"), message, outer.when, self._is_settled(outer.when))
        if step.when is not None and ("when", path) in self._visits:
            message = f"{step.when!r} never holds, so this step is never run"
            return self._found("never-run", (*path, "when"), message, step.when, self._is_settled(step.when))
        return self._found("never-run", path, "this step is never reached", None, self._is_skipped(path))

    def _is_settled(self, condition: str | None) -> bool:
        return self._part.is_settled(condition)

    def _is_skipped(self, path: Path) -> bool:
        """Return whether the inputs decide that a loop or a block around a step has no round."""
        for length in range(len(path) - 2, 0, -2):
            around = self._part.steps.get(path[:length])
            times, items = getattr(around, "times", None), getattr(around, "in_", None)
            if isinstance(times, str) and self._part.is_settled(times, "template"):
                return True
            if isinstance(items, str) and self._part.is_settled(items):
                return True
        return False

    def _until(self, path: Path, until: str) -> Iterator[Found]:
        given = self._visits.get(("until", path), {})
        if given and True not in given:
            message = f"{until!r} never holds, so it never ends the loop"
            yield self._found("never-holds", (*path, "until"), message, until, self._is_settled(until))

    def _chosen(self, path: Path, step: Choose) -> Iterator[Found]:
        """Yield whoever is among those who may be chosen, and never is."""
        if isinstance(step.choose, str):
            return
        groups = [step.choose] if isinstance(step.choose, list) else step.choose.values()
        for name in dict.fromkeys(one for group in groups for one in group):
            if name in self._part.pipeline.roles and name not in self._visits.get(("spoke", path), {}):
                yield self._found("never-chosen", (*path, "choose"), f"{name} is never chosen here", step.by, False)

    def _stop(self, path: Path, stop: Stop) -> Found:
        if stop in self._exploration.replies.not_made:
            return Found("never-stops", path, f"no text could be made up that says {stop.token!r}", is_note=True)
        if stop.token is None:
            message = f"{stop.when!r} never holds after a reply"
            return self._found("never-stops", path, message, stop.when, self._is_settled(stop.when))
        who = stop.role or "whoever"
        return Found("never-stops", path, f"it never ends by {stop.token!r}: {who} never says it where it would count")

    def _found(self, code: str, path: Path, message: str, condition: str | None, settled: bool) -> Found:
        """Return what never happens; a note where inputs or texts decide, of which not all can be tried."""
        if settled:
            return Found(code, path, f"{message} with these inputs", is_note=True)
        conditions, part = self._exploration.conditions, self._part.path
        if condition is not None and conditions.is_textual(condition, part):
            return Found(code, path, f"{message}; it looks into texts, of which only some are tried", is_note=True)
        if condition is not None and conditions.is_beyond(condition, part):
            return Found(code, path, f"{message}; it computes with numbers, of which only some are tried", is_note=True)
        return Found(code, path, message)
