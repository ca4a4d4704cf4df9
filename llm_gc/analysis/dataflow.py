"""Every way that a conversation can go, walked once: which names are set where, what they hold, what never runs.

A step under a ``when`` is gone and not gone; a loop is gone as if its steps had been before, perhaps; a branch and a
scene keep their names, and a branch leaves what it said. Where ways meet, a name is certain that all of them set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from llm_gc.analysis.environment import LAST, Changes, Environment, EnvironmentEntry, EnvironmentKey
from llm_gc.analysis.name_uses import NameUses
from llm_gc.analysis.pipeline_facts import PipelineFacts
from llm_gc.analysis.reply_values import ReplyValues
from llm_gc.analysis.termination import is_endless, may_end_early, min_iterations, why_never
from llm_gc.analysis.value_types import SILENT, UNKNOWN, Value, choices, evaluated, message, step_into, union
from llm_gc.language.fields import Stop
from llm_gc.language.limits import Limits
from llm_gc.language.steps.choose import RANDOM, Choose
from llm_gc.language.steps.do import Do
from llm_gc.language.steps.end import End
from llm_gc.language.steps.parallel import Parallel
from llm_gc.language.steps.post import Post
from llm_gc.language.steps.repeat import Repeat
from llm_gc.language.steps.say import Say, SpeakingStep
from llm_gc.language.steps.scene import Scene
from llm_gc.language.steps.set import Set
from llm_gc.protocol import Path, StepProtocol

Stops = Sequence[tuple[Path, Stop]]


class Dataflow:
    """The walk, and what it saw.

    ``roles`` says what replies can be; ``sights`` are the names by their path and use; ``never`` the steps that never
    run, with the reason; ``picks`` what the ``by`` of a choice can give, where that can be told.
    """

    def __init__(self, subject: PipelineFacts) -> None:
        """Walk."""
        self._subject = subject
        self._known = Environment()
        self._sights = NameUses(subject, self._known)
        self._stops: list[Stops] = []
        self.roles = ReplyValues(subject)
        self.sights = self._sights.seen
        self.comparisons = self._sights.comparisons.suspects
        self.never: list[tuple[Path, str]] = []
        self.picks: list[tuple[Path, Choose, frozenset[str | None]]] = []
        pipeline = subject.pipeline
        self._stops.append([(("stop", index), stop) for index, stop in enumerate(pipeline.stop)])
        alive = self._walk(pipeline.turns, ("turns",))
        self._read_result(("result",), pipeline.result, pipeline.turns, alive=alive)

    # --- Steps

    def _walk(self, steps: Sequence[StepProtocol], path: Path) -> bool:
        """Walk steps one after the other; return whether a path leads out of the last one."""
        for index, step in enumerate(steps):
            if not self._step(step, (*path, index)):
                if index + 1 < len(steps):
                    self.never.append(((*path, index + 1), why_never(step)))
                return False
        return True

    def _step(self, step: Any, path: Path) -> bool:
        if step.when is None:
            return self._run(step, path)
        self._sights.read((*path, "when"), step.when, is_expression=True)
        holds = self._subject.constant(step.when)
        if holds is not None and not holds:
            self.never.append(((*path, "when"), f"{step.when!r} is never true"))
            return self._otherwise(step, path)
        if holds:
            if getattr(step, "else_", None) and isinstance(step, Do):
                self.never.append(((*path, "else"), f"{step.when!r} is always true"))
            return self._run(step, path)
        self._sights.conditions.append(step.when)
        done = self._way(partial(self._run, step, path))
        self._sights.conditions.pop()
        instead = self._way(partial(self._otherwise, step, path))
        return self._meet([done, instead], "" if getattr(step, "else_", None) else step.when)

    def _run(self, step: Any, path: Path) -> bool:
        match step:
            case Say():
                self._speak(step, path, [step.say])
            case Choose():
                self._choose(step, path)
            case Do():
                return self._walk(step.do, (*path, "do"))
            case Repeat():
                return self._repeat(step, path)
            case Parallel():
                return self._parallel(step, path)
            case Scene():
                self._scene(step, path)
            case Set():
                self._set(step, path)
            case Post():
                self._sights.read((*path, "post"), step.post)
                self._known.set(LAST, EnvironmentEntry(message([None])))
            case End():
                self._sights.read((*path, "end"), step.end)
                return False
        return True

    def _otherwise(self, step: Any, path: Path) -> bool:
        return self._walk(step.else_, (*path, "else")) if isinstance(step, Do) and step.else_ else True

    def _set(self, step: Set, path: Path) -> None:
        for name, expression in step.set.items():
            value = UNKNOWN
            if isinstance(expression, str):
                self._sights.read((*path, "set", name), expression, is_expression=True)
                compiled = self._subject.compiled(expression, is_expression=True)
                value = evaluated(compiled.sole, self._sights.resolve) if compiled else UNKNOWN
            self._known.set(EnvironmentKey(name), EnvironmentEntry(value))

    def _speak(self, step: SpeakingStep, path: Path, roles: Sequence[str], *, always: bool = True) -> None:
        """Record that one of the roles speaks; not ``always`` where perhaps none of them does."""
        for key in ("instruction", "temperature", "max_tokens", "speaker"):
            self._sights.read((*path, key), getattr(step, key))
        for role in roles:
            self._read_prompt(role)
        values = {role: self.roles.message(step, role) for role in roles}
        newest = union(values.values()) if values else UNKNOWN

        def said() -> bool:
            self._known.set(LAST, EnvironmentEntry(newest))
            for role, value in values.items():
                before = self._known.get(EnvironmentKey(role, is_history=True))
                certain = len(roles) == 1 or (before is not None and before.certain)
                held = value if len(roles) == 1 or before is None else union([value, before.value])
                self._known.set(EnvironmentKey(role, is_history=True), EnvironmentEntry(held, certain))
            if step.as_:
                self._known.set(EnvironmentKey(step.as_), EnvironmentEntry(newest))
            self._sights.read((*path, "result"), step.result)
            for at, stop in self._stops[-1]:
                if stop.role is None or stop.role in roles:
                    self._sights.read((*at, "when"), stop.when, is_expression=True)
            return True

        if always:
            said()
        else:
            self._meet([self._way(said), {}])

    def _choose(self, step: Choose, path: Path) -> None:
        roles = list(self._subject.pipeline.roles)
        if isinstance(step.choose, str):
            self._sights.read((*path, "choose"), step.choose)
            listed = roles
        elif isinstance(step.choose, list):
            listed = step.choose
        else:
            listed = [*step.choose, *(name for names in step.choose.values() for name in names)]
        always = not isinstance(step.choose, Mapping) or all(step.choose.values())
        if step.by in roles:
            self._read_prompt(step.by)
        elif step.by != RANDOM:
            self._sights.read((*path, "by"), step.by)
            compiled = self._subject.compiled(step.by)
            given = choices(compiled.sole, self._sights.resolve) if compiled else None
            if given is not None:
                self.picks.append(((*path, "by"), step, given))
                always = always and None not in given and "" not in given
        allowed = [name for name in dict.fromkeys([*listed, *filter(None, [step.else_])]) if name in roles]
        self._speak(step, path, allowed, always=always)

    def _repeat(self, step: Repeat, path: Path) -> bool:
        item = self._read_count(step, path)
        if item is None:
            return True
        mark = self._known.mark()
        self._as_if_before(step.repeat)
        if step.for_:
            self._known.set(EnvironmentKey(step.for_), EnvironmentEntry(item))
        alive = self._walk(step.repeat, (*path, "repeat"))
        if alive:
            self._sights.read((*path, "until"), step.until, is_expression=True)
        if min_iterations(self._subject, step):
            return alive and not is_endless(self._subject, step)
        changes = self._known.rewind(mark)
        return self._meet([changes if alive else None, {}])

    def _as_if_before(self, steps: Sequence[StepProtocol]) -> None:
        """Know what the steps set, as something that may have been before."""
        for key, value in self.roles.left_by(steps):
            before = self._known.get(key)
            held = union([before.value, value]) if before else value
            self._known.set(key, EnvironmentEntry(held, before is not None and before.certain))

    def _parallel(self, step: Parallel, path: Path) -> bool:
        item = self._read_count(step, path)
        if item is None:
            self._keep(step, Value("list", item=UNKNOWN))
            return True
        before = self._known.get(LAST) or EnvironmentEntry(SILENT, certain=False)
        ways: list[Changes] = []
        alive = True
        for index, branch in enumerate(step.parallel):
            mark = self._known.mark()
            if step.for_:
                self._known.set(EnvironmentKey(step.for_), EnvironmentEntry(item))
            alive = self._step(branch, (*path, "parallel", index)) and alive
            ways.append({key: entry for key, entry in self._known.rewind(mark).items() if key.is_history})
        certain = bool(min_iterations(self._subject, step))
        said = [_in_branch(way) for way in ways]
        spoke = [way[LAST].value for way in ways if LAST in way]
        for key in dict.fromkeys(key for way in ways for key in way):
            entries = [way[key] for way in ways if key in way]
            earlier = self._known.get(key)
            sure = (certain and any(entry.certain for entry in entries)) or (earlier is not None and earlier.certain)
            values = [entry.value for entry in entries] + ([earlier.value] if earlier and not certain else [])
            self._known.set(key, EnvironmentEntry(union(values), sure))
        if spoke:
            self._known.set(LAST, EnvironmentEntry(union([*spoke, before.value] if not certain else spoke), certain))
        self._keep(step, Value("list", item=union(said)))
        return alive or not certain

    def _scene(self, step: Scene, path: Path) -> None:
        for name, value in (step.with_ or {}).items():
            self._sights.read((*path, "with", name), value)
        for key in ("opening", "speaker"):
            self._sights.read((*path, key), getattr(step, key))
        for key in Limits.model_fields if step.limits else ():
            self._sights.read((*path, "limits", key), getattr(step.limits, key))
        newest, mark, outside = UNKNOWN, self._known.mark(), self._known.enter()
        if not isinstance(step.scene, str):
            self._stops.append([((*path, "stop", index), stop) for index, stop in enumerate(step.stop or ())])
            alive = self._walk(step.scene, (*path, "scene"))
            self._read_result((*path, "result"), step.result, step.scene, alive=alive)
            last = self._known.get(LAST)
            newest = last.value if last and step.result is None and not may_end_early(step) else UNKNOWN
            self._stops.pop()
        self._known.rewind(mark)
        self._known.leave(outside)
        before = self._known.get(LAST)
        self._known.set(LAST, EnvironmentEntry(union([newest, before.value]) if before else newest))
        if step.speaker in self._subject.pipeline.roles:
            self._known.set(EnvironmentKey(step.speaker, is_history=True), EnvironmentEntry(UNKNOWN))
        self._keep(step, newest)

    # --- What is read and what is known

    def _read_prompt(self, role: str) -> None:
        found = self._subject.pipeline.roles.get(role)
        if found is not None:
            self._sights.read(("roles", role, "prompt"), found.prompt)

    def _read_count(self, step: Repeat | Parallel, path: Path) -> Value | None:
        """Read how often something is done; return the items, or none where it is never done."""
        self._sights.read((*path, "times"), step.times)
        if step.times == 0:
            self.never.append(((*path, "times"), "0 times is never"))
            return None
        if isinstance(step.in_, str):
            self._sights.read((*path, "in"), step.in_, is_expression=True)
            compiled = self._subject.compiled(step.in_, is_expression=True)
            return step_into(evaluated(compiled.sole, self._sights.resolve), "") if compiled else UNKNOWN
        if step.in_ is not None and not step.in_:
            self.never.append(((*path, "in"), "the list is empty"))
            return None
        return UNKNOWN

    def _read_result(self, path: Path, text: str | None, steps: Sequence[StepProtocol], *, alive: bool) -> None:
        """Read a result. After an early end another text stands in where it names what does not exist."""
        for key, value in self.roles.left_by(steps):
            entry = self._known.get(key)
            if entry is None or not alive:
                self._known.set(key, EnvironmentEntry(value, certain=not alive))
        self._sights.read(path, text)

    # --- Ways

    def _way(self, go: Callable[[], bool]) -> Changes | None:
        """Walk one way and roll back; return what it changes, or None where it does not continue."""
        mark = self._known.mark()
        alive = go()
        changes = self._known.rewind(mark)
        return changes if alive else None

    def _meet(self, ways: Sequence[Changes | None], under: str = "") -> bool:
        open_ = [way for way in ways if way is not None]
        self._known.meet(open_, under)
        return bool(open_)

    def _keep(self, step: Parallel | Scene, value: Value) -> None:
        if step.as_:
            self._known.set(EnvironmentKey(step.as_), EnvironmentEntry(value))


def _in_branch(way: Changes) -> Value:
    """Return the last message of a branch."""
    if LAST not in way:
        return SILENT
    return way[LAST].value if way[LAST].certain else union([way[LAST].value, SILENT])
