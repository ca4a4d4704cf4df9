"""Which values may still be read, step by step: a backward analysis, as compilers do it for variables.

The steps are gone through from the end to the beginning. What a step reads is added, what it sets again is taken away;
a loop is gone through until nothing is added. Two states of a conversation that differ only in what nobody reads any
more continue in the same way, so an exploration needs to look at one of them alone.

The source of the idea is live-variable analysis (Aho, Lam, Sethi, Ullman: Compilers, 2nd edition, section 9.2.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from llm_gc.core import Files
from llm_gc.language.pipeline import Pipeline
from llm_gc.language.steps import Step
from llm_gc.language.steps.choose import Choose
from llm_gc.language.steps.do import Do
from llm_gc.language.steps.end import End
from llm_gc.language.steps.parallel import Parallel
from llm_gc.language.steps.post import Post
from llm_gc.language.steps.repeat import Repeat
from llm_gc.language.steps.say import Say, SpeakingStep
from llm_gc.language.steps.scene import Scene
from llm_gc.language.steps.set import Set
from llm_gc.language.texts import TextKind, texts
from llm_gc.model_checker.condition_vars import (
    BLOCKS,
    HEARD,
    JOINED,
    NOTHING,
    PREVIOUS,
    Live,
    Read,
    about,
    decided,
    is_list_read,
    reads,
    without,
)
from llm_gc.model_checker.list_readers import BAG, FIRSTS, SUM, TIES
from llm_gc.protocol import Path
from llm_gc.templates import Templates

SPOKEN = ("last", "said", "messages", PREVIOUS)
"""The names that belong to the messages of one scene."""


class Deciding(NamedTuple):
    """A text on which the course hangs; ``part`` is the path of the pipeline whose names it speaks of.

    One that ``is_shown`` decides only whether it fails, by the conditions that are in it.
    """

    part: Path
    text: str
    kind: TextKind
    is_shown: bool = False


@dataclass(frozen=True)
class LivenessContext:
    """Where steps are: their pipeline, what is read when their scene ends, and what is read around it.

    ``part`` is the path below which the pipeline's steps are told.
    """

    pipeline: Pipeline
    templates: Templates
    files: Files
    end: Live
    stops: Live = NOTHING
    around: Live = NOTHING
    part: Path = ()


class Joined(NamedTuple):
    """What may be read when a block is over: of the list that it makes of its branches, and of all else."""

    listed: Live = NOTHING
    others: Live = NOTHING


class Liveness:
    """For each step that asks somebody, what may be read from the request on: ``at[path, is_pick]``.

    ``joins`` has for each block, by its path, what may be read from its end on.
    ``deciding`` are the texts on which the course hangs, each once, in the order in which they were come by.
    """

    def __init__(self, pipeline: Pipeline, files: Files) -> None:
        """Go through a pipeline and the pipelines that its scenes play."""
        self.at: dict[tuple[Path, bool], Live] = {}
        self.joins: dict[Path, Joined] = {}
        self.deciding: dict[Deciding, None] = {}
        templates = Templates.over(files.prompts)
        setting = LivenessContext(pipeline, templates, files, NOTHING)
        end = self._shows(setting, pipeline.result)
        setting = replace(setting, end=end, stops=self._stops(setting, pipeline.stop))
        self._all(setting, pipeline.turns, ("turns",), end)

    def _decides(self, setting: LivenessContext, text: Any, kind: TextKind = "expression", *, manner: str = "") -> Live:
        if isinstance(text, str):
            self.deciding[Deciding(setting.part, text, kind)] = None
        return reads(setting.templates, text, kind, decides=True, manner=manner)

    def _holds(self, setting: LivenessContext, condition: Any) -> Live:
        """Return what a condition reads, of which only the truth counts."""
        if isinstance(condition, str):
            self.deciding[Deciding(setting.part, condition, "expression")] = None
        return reads(setting.templates, condition, "expression", decides=True, is_truth=True)

    def _shows(self, setting: LivenessContext, *texts_: Any, kind: TextKind = "template", manner: str = "") -> Live:
        """Return what texts read that are only shown."""
        found = NOTHING
        for text in texts_:
            if isinstance(text, str):
                self.deciding.setdefault(Deciding(setting.part, text, kind, is_shown=True))
            found |= reads(setting.templates, text, kind, decides=False, manner=manner)
        return found

    def _stops(self, setting: LivenessContext, stops: Sequence[Any]) -> Live:
        return NOTHING.union(*(self._holds(setting, stop.when) for stop in stops))

    def _all(self, setting: LivenessContext, steps: Sequence[Step], path: Path, after: Live) -> Live:
        for index in range(len(steps) - 1, -1, -1):
            after = self._before(setting, steps[index], (*path, index), after)
        return after

    def _before(self, setting: LivenessContext, step: Step, path: Path, after: Live) -> Live:
        """Return what may be read from before a step on."""
        match step:
            case SpeakingStep():
                taken = self._turn(setting, step, path, after)
            case Do():
                taken = self._all(setting, step.do, (*path, "do"), after)
                if step.else_ is not None:
                    after = self._all(setting, step.else_, (*path, "else"), after)
            case Repeat():
                taken = self._repeat(setting, step, path, after)
            case Parallel():
                taken = self._parallel(setting, step, path, after)
            case Scene():
                taken = self._scene(setting, step, path, after)
            case _:
                taken = self._at_once(setting, step, after)
        if step.when is None:
            return taken
        return taken | after | self._holds(setting, step.when)

    def _at_once(self, setting: LivenessContext, step: Step, after: Live) -> Live:
        """Return what may be read from before a step on that asks nobody, and has no steps in it."""
        match step:
            case Set():
                return self._set(setting, step, after)
            case Post():
                return after | reads(setting.templates, step.post, "template", decides=decided(after, *SPOKEN))
            case End():
                return setting.end | self._shows(setting, step.end)
        return after

    def _turn(self, setting: LivenessContext, step: SpeakingStep, path: Path, after: Live) -> Live:
        roles = [step.say] if isinstance(step, Say) else list(setting.pipeline.roles)
        prompts = [setting.pipeline.roles[role].prompt for role in roles if role in setting.pipeline.roles]
        own = self._shows(setting, step.instruction, step.temperature, *prompts)
        heard = after | setting.end | setting.stops | self._shows(setting, step.result, step.speaker)
        said = f"said.{step.say}" if isinstance(step, Say) else None
        asked = without(heard, step.as_, "last", said, PREVIOUS) | own
        picked = asked
        if isinstance(step, Choose):
            picked |= {Read((PREVIOUS,), True)} | self._decides(setting, step.by, "template")
            picked |= self._decides(setting, step.choose, "template")
        for is_pick, live in ((False, asked), (True, picked)):
            self.at[path, is_pick] = self.at.get((path, is_pick), NOTHING) | live | setting.around
        return picked

    def _repeat(self, setting: LivenessContext, step: Repeat, path: Path, after: Live) -> Live:
        until, head = self._holds(setting, step.until), after
        while True:
            before = without(self._all(setting, step.repeat, (*path, "repeat"), after | until | head), step.for_)
            if before <= head:
                break
            head |= before
        return head | self._decides(setting, step.times, "template") | self._decides(setting, step.in_)

    def _parallel(self, setting: LivenessContext, step: Parallel, path: Path, after: Live) -> Live:
        """A branch's own names stay inside; what it said is folded into what is around it."""
        listed, outside = about(after, step.as_), without(after, step.as_)
        spoken = about(outside, *SPOKEN)
        listed = frozenset(Read((JOINED, *read.chain[1:]), read.decides) for read in listed)
        before = self.joins.get(path, Joined())
        self.joins[path] = Joined(before.listed | listed, before.others | outside | setting.end | setting.around)
        inside = replace(setting, around=setting.around | outside | listed)
        found = outside | {Read((BLOCKS,), True)}
        for index, branch in enumerate(step.parallel):
            found |= without(self._before(inside, branch, (*path, "parallel", index), spoken), step.for_)
        return found | self._decides(setting, step.times, "template") | self._decides(setting, step.in_)

    def _scene(self, setting: LivenessContext, step: Scene, path: Path, after: Live) -> Live:
        matters, outside = decided(after, step.as_, *SPOKEN, JOINED), without(after, step.as_)
        inside = replace(setting, around=setting.around | outside)
        steps, key = step.scene, "scene"
        result: Any = step.result
        if isinstance(steps, str):
            if steps not in setting.files.scenes:
                return outside
            pipeline, files = setting.files.scenes[steps]
            templates = Templates.over(files.prompts)
            inside = replace(inside, pipeline=pipeline, files=files, templates=templates, part=(*path, "scene"))
            inside = replace(inside, stops=self._stops(inside, pipeline.stop))
            path, steps, key = (*path, "scene"), pipeline.turns, "turns"
            result = pipeline.result if result is None else result
        end = self._decides(inside, result, "template") if matters else self._shows(inside, result)
        if result is None:
            end = frozenset({Read((HEARD,), matters)})
        stops = (inside.stops if key == "turns" else NOTHING) | self._stops(inside, step.stop or ())
        inside = replace(inside, end=end, stops=stops)
        before = without(self._all(inside, steps, (*path, key), end), *SPOKEN, HEARD)
        before = NOTHING if key == "turns" else before  # another pipeline sees no name of this one
        return outside | before | self._shows(setting, step.opening, step.speaker) | self._given(setting, step)

    def _given(self, setting: LivenessContext, step: Scene) -> Live:
        """Return what the inputs of another pipeline and the limits of a scene read."""
        given = [text for text in (step.with_ or {}).values() if isinstance(text, str)]
        given += [text.text for text in texts(step.limits)] if step.limits is not None else []
        return NOTHING.union(*(self._decides(setting, text, "template") for text in given))

    def _set(self, setting: LivenessContext, step: Set, after: Live) -> Live:
        for name, expression in reversed(step.set.items()):
            later = about(after, name)
            deciding = frozenset(read for read in later if read.decides)
            read = self._decides(setting, expression, manner=_manner(deciding)) if deciding else NOTHING
            if later - deciding or not later:
                read |= self._shows(setting, expression, kind="expression", manner=_manner(later - deciding))
            after = without(after, name) | read
        return after


def _manner(read: Live) -> str:
    """Return in which manner a list is read by all who read it; nothing where some may read its order."""
    manners = {one.chain[1] if is_list_read(one.chain) else "" for one in read}
    if not manners or "" in manners:
        return ""
    return FIRSTS if manners & {FIRSTS, TIES} else SUM if SUM in manners else BAG
