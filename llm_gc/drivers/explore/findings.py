"""What an exploration finds wrong with a pipeline: each thing at its place in the document, with the shortest way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from llm_gc.conversation import Files
from llm_gc.drivers.explore.overall import endless
from llm_gc.drivers.explore.reads import words
from llm_gc.drivers.explore.search import Exploration
from llm_gc.drivers.explore.walks import Node
from llm_gc.errors import TemplateError
from llm_gc.pipeline import Pipeline
from llm_gc.protocol import Path
from llm_gc.steps import Step
from llm_gc.steps.choose import Choose
from llm_gc.steps.do import Do
from llm_gc.steps.fields import Stop
from llm_gc.steps.repeat import Repeat
from llm_gc.steps.scene import Scene
from llm_gc.steps.set import Set
from llm_gc.templates import Templates
from llm_gc.texts import models

_PLACE = re.compile(r"(?:(?P<file>\S+\.j2) \(used at (?P<used>[^)]+)\)|(?P<path>[\w.<>-]+))(?:, line (?P<line>\d+))?: ")
_TEXTUAL = frozenset({"content", "length", "wordcount", "extract"})
"""Words by which a condition looks into texts, of which there are more than can be tried."""


@dataclass(frozen=True)
class Found:
    """Something that is wrong, or (a note) that may be meant so. ``at`` is where the shortest way leads to it."""

    code: str
    path: Path
    message: str
    at: Node | None = None
    is_note: bool = False
    ends: str | None = None
    error: TemplateError | None = None


@dataclass(frozen=True)
class Part:
    """A pipeline, or one that a scene plays, and the path below which its steps and stops are told."""

    pipeline: Pipeline
    templates: Templates
    path: Path

    def is_settled(self, text: str | None, kind: Literal["expression", "template"] = "expression") -> bool:
        """Tell whether the inputs alone decide what a text gives, so that other inputs might decide otherwise."""
        if text is None:
            return False
        left, known = [(text, kind)], {*self.pipeline.inputs, *self.templates.everywhere}
        while left:
            text, kind = left.pop()
            compiled = self.templates.expression(text) if kind == "expression" else self.templates.template(text)
            for name in compiled.names - known:
                if name not in self._variables:
                    return False
                left += [(one, "expression") for one in self._variables[name] if isinstance(one, str)]
                known.add(name)
        return True

    @cached_property
    def _variables(self) -> dict[str, list[Any]]:
        """The expressions by which each name is set that nothing else sets."""
        found: dict[str, list[Any]] = {}
        others: set[str] = set()
        for _, model in models(self.pipeline.turns):
            for name, expression in model.set.items() if isinstance(model, Set) else ():
                found.setdefault(name, []).append(expression)
            others |= {name for key in ("as_", "for_") if (name := getattr(model, key, None))}
        return {name: expressions for name, expressions in found.items() if name not in others}


def parts(pipeline: Pipeline, files: Files, path: Path = ()) -> Iterator[Part]:
    """Give a pipeline and all that its scenes play."""
    yield Part(pipeline, Templates.over(files.prompts), path)
    for at, model in models(pipeline.turns, (*path, "turns")):
        if isinstance(model, Scene) and isinstance(model.scene, str) and model.scene in files.scenes:
            yield from parts(*files.scenes[model.scene], (*at, "scene"))


class Judge:
    """Judges an exploration."""

    def __init__(self, pipeline: Pipeline, files: Files, exploration: Exploration) -> None:
        """Take what was explored, and what came of it."""
        self._parts, self._exploration = list(parts(pipeline, files)), exploration
        self._seen, self._conditions = exploration.seen, exploration.conditions
        self._visits: dict[tuple[str, Path], dict[Any, Node]] = {}
        for visit, node in self._seen.visits.items():
            self._visits.setdefault((visit.kind, visit.path), {}).setdefault(visit.value, node)

    def all(self) -> list[Found]:
        """Give all that is wrong. Of what was never come to nothing is said unless all was looked at."""
        found = [*self._faults(), *self._prompts(), *self._results(), *self._choices()]
        if self._exploration.is_whole:
            found += [*self._unreached(), *self._endless()]
        return found

    def _faults(self) -> Iterator[Found]:
        for fault in self._seen.faults.values():
            error = placed(fault.what)
            path = error.path if error else ()
            yield Found("template", path, error.message if error else fault.what, fault.at, error=error, ends="error")
        for node in self._exploration.nodes:
            if node.broken and not node.next:
                error = placed(node.broken)
                yield Found("template", error.path if error else (), node.broken, node, error=error, ends="error")

    def _prompts(self) -> Iterator[Found]:
        handled = self._parts[0].pipeline.limits.on_overflow == "drop_oldest"
        for role, prompt in self._seen.prompts.items():
            if prompt.over is None:
                continue
            tokens, window, at = prompt.over
            message = f"a prompt of {role} may have {tokens:,} tokens, and its num_ctx is {window:,}"
            message += "; the oldest of what was said is dropped then" if handled else ""
            yield Found("overflow", ("roles", role, "num_ctx"), message, at, handled)

    def _results(self) -> Iterator[Found]:
        """A result that is not there, though the conversation came to an end that was written down."""
        for end in self._seen.order:
            if end.stood_in_at is not None and end.status != "failed":
                error = placed(end.stood_in)
                what = error.message if error else end.stood_in
                message = f"there is no result where it ends by {end.reason} ({end.detail}): {what}"
                note = end.status != "completed"
                yield Found("no-result", ("result",), message, end.stood_in_at, note, end.reason, error)
            elif end.empty_at is not None and end.reason in ("stop_token", "end_step") and self._wants_result():
                message = f"the result is empty where it ends by {end.reason} ({end.detail})"
                yield Found("no-result", ("result",), message, end.empty_at, ends=end.reason)
        for (kind, path), values in self._visits.items():
            if kind == "stood_in" and path:
                for why, node in values.items():
                    error = placed(str(why))
                    what = error.message if error else why
                    message = f"there is no result of the scene where it ends early, and its last message stands in: {what}"
                    yield Found("no-result", (*path, "result"), message, node, error=error)

    def _wants_result(self) -> bool:
        """Tell whether there is a result that names nothing to stand in for it where it is empty."""
        text = self._parts[0].pipeline.result
        return text is not None and not {"or", "default", "else", "if"} & words(self._parts[0].templates.get(text, text))

    def _choices(self) -> Iterator[Found]:
        for part in self._parts:
            for path, model in models(part.pipeline.turns, (*part.path, "turns")):
                if isinstance(model, Choose):
                    yield from self._strays(part, path, model)

    def _strays(self, part: Part, path: Path, step: Choose) -> Iterator[Found]:
        for name, node in self._visits.get(("by", path), {}).items():
            name = str(name or "").strip()
            if name and name not in part.pipeline.roles:
                message = f"'by' names {name!r}, which is no role; {step.else_ or 'the first allowed'} speaks instead"
                yield Found("unknown-choice", (*path, "by"), message, node, step.else_ is not None)

    def _endless(self) -> Iterator[Found]:
        node = endless(self._exploration)
        if node is None:
            return
        limits = self._parts[0].pipeline.limits
        meant = node.parent is None and bool({"max_turns", "max_time", "max_total_tokens"} & limits.model_fields_set)
        where = "from its beginning on" if node.parent is None else "from here on"
        message = f"{where} nothing but a limit ends it: no stop, no 'end', no last step can be come to"
        yield Found("endless", _loop(node.step), message, node, meant)

    def _unreached(self) -> Iterator[Found]:
        for part in self._parts:
            steps = [(path, m) for path, m in models(part.pipeline.turns, (*part.path, "turns")) if isinstance(m, Step)]
            never = {path: step for path, step in steps if ("step", path) not in self._visits}
            for path, step in never.items():
                if not any(path[: len(outer)] == outer and len(outer) < len(path) for outer in never):
                    yield from self._never_run(part, path, step, dict(steps))
            for path, step in steps:
                if isinstance(step, Repeat) and step.until is not None and path not in never:
                    yield from self._never_until(part, path, step.until)
                if isinstance(step, Choose) and path not in never:
                    yield from self._never_chosen(part, path, step)
            yield from self._never_stopped(part)

    def _never_run(self, part: Part, path: Path, step: Step, steps: Mapping[Path, Step]) -> Iterator[Found]:
        condition, at = step.when, path
        outer = steps.get(path[:-2])
        if isinstance(outer, Do) and path[-2] == "else":
            condition, at = outer.when, path[:-2]
            settled = part.is_settled(condition)
            message = f"{condition!r} always holds, so what stands under 'else' is never run"
        elif condition is not None and ("when", at) in self._visits:
            settled = part.is_settled(condition)
            message = f"{condition!r} never holds, so this step is never run"
        else:
            settled = self._is_skipped(part, path, steps)
            message = "this step is never come to"
            condition = None
        message += " with these inputs" if settled else ""
        yield self._never("never-run", (*at, "when") if condition else at, message, condition, settled=settled)

    def _is_skipped(self, part: Part, path: Path, steps: Mapping[Path, Step]) -> bool:
        """Tell whether the inputs decide that a loop or a block around a step has no round."""
        for length in range(len(path) - 2, 0, -2):
            around = steps.get(path[:length])
            for key in ("times", "in_"):
                text = getattr(around, key, None)
                if isinstance(text, str) and part.is_settled(text, "template" if key == "times" else "expression"):
                    return True
        return False

    def _never_until(self, part: Part, path: Path, until: str) -> Iterator[Found]:
        given = self._visits.get(("until", path), {})
        if given and True not in given:
            settled = part.is_settled(until)
            message = f"{until!r} never holds, so it never ends the loop" + (" with these inputs" if settled else "")
            yield self._never("never-holds", (*path, "until"), message, until, settled=settled)

    def _never_chosen(self, part: Part, path: Path, step: Choose) -> Iterator[Found]:
        choice = step.choose
        if isinstance(choice, str):
            return
        listed = choice if isinstance(choice, list) else dict.fromkeys(one for after in choice.values() for one in after)
        spoke = self._visits.get(("spoke", path), {})
        for name in listed:
            if name in part.pipeline.roles and name not in spoke:
                message = f"{name} is never chosen here"
                yield self._never("never-chosen", (*path, "choose"), message, step.by, settled=False)

    def _never_stopped(self, part: Part) -> Iterator[Found]:
        base: Path = (*part.path, "stop")
        stops = [((*base, index), stop) for index, stop in enumerate(part.pipeline.stop)]
        for path, model in models(part.pipeline.turns, (*part.path, "turns")):
            if isinstance(model, Scene) and ("step", path) in self._visits:
                stops += [((*path, "stop", index), stop) for index, stop in enumerate(model.stop or ())]
        for path, stop in stops:
            if ("stop", path) not in self._visits:
                yield self._unsaid(part, path, stop)

    def _unsaid(self, part: Part, path: Path, stop: Stop) -> Found:
        if stop in self._exploration.replies.not_made:
            return Found("never-stops", path, f"no text could be made up that says {stop.token!r}", None, True)
        if stop.when is not None and stop.token is None:
            return self._never("never-stops", path, f"{stop.when!r} never holds after a reply", stop.when, settled=False)
        who = stop.role or "anybody who speaks and is heard"
        return Found("never-stops", path, f"it never ends by {stop.token!r}: {who} never says anything when it could")

    def _never(self, code: str, path: Path, message: str, condition: str | None, *, settled: bool) -> Found:
        """Give what never happens; a note where texts or inputs decide that cannot all be tried."""
        textual = condition is not None and bool(_TEXTUAL & self._conditions.closed(condition))
        if textual and not settled:
            message += "; it looks into texts, of which only some are tried"
        return Found(code, path, message, None, settled or textual)


def placed(text: str) -> TemplateError | None:
    """Give a template's failure back from its text: with the path, and the file and line where they are told."""
    found = _PLACE.match(text)
    if found is None:
        return None
    dotted = found["used"] or found["path"]
    path = tuple(int(word) if word.isdigit() else word for word in dotted.split("."))
    line = int(found["line"]) if found["line"] else None
    return TemplateError(text[found.end() :], found["file"] or "", line, path)


def _loop(path: Path) -> Path:
    """Give the innermost loop around a step; the step itself where there is none."""
    found = [index for index, word in enumerate(path) if word == "repeat"]
    return path[: found[-1]] if found else path

