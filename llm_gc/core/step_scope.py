"""What a step can do in the conversation it is in: run other steps, speak, fork, play a scene."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from llm_gc.core.history import SpokenEntry
from llm_gc.core.outcome import Ending
from llm_gc.core.run_context import RunContext, resolve_limits
from llm_gc.core.state import Branch, all_failed
from llm_gc.core.step_context import SceneFrame, StepContext
from llm_gc.core.turn import pick, speak
from llm_gc.errors import TemplateError, UsageError
from llm_gc.language.fields import Stop
from llm_gc.language.inputs import resolve
from llm_gc.protocol import (
    NOTHING,
    Effect,
    Flow,
    Fork,
    Message,
    Path,
    SceneSpec,
    StepProtocol,
    TurnSpec,
)
from llm_gc.values.frozen import as_text, freeze, plain

MAX_BRANCHES = 10_000
"""A block with more of them is a slip."""


def together(
    scope: StepScope, key: str, steps: Sequence[StepProtocol], items: Sequence[Any] | None, name: str | None
) -> Generator[Effect, Any, list[Message]]:
    """Run each step, once for each item where there are any, as branches; return the last message of each.

    The first ending among them, in declared order, continues outwards when all are done.
    """
    branch = scope.branch
    count = len(steps) * (1 if items is None else len(items))
    if count > MAX_BRANCHES:
        raise TemplateError(f"there can be at most {MAX_BRANCHES:,} branches", path=scope.path)
    over, branch.over = branch.over, {}
    inner: list[StepScope] = []
    for number, item in enumerate([None] if items is None else items):
        mark = "" if items is None else f":{number + 1}"
        for index in range(len(steps)):
            if len(inner) in over:
                fork, _ = over[len(inner)]
            else:
                fork = branch.fork(len(inner), count, (number, index))
                if name is not None:
                    fork.name(name, item)
            inner.append(scope.at(key, index, mark, branch=fork))
            fork.place = inner[-1].place
    branch.inner = tuple(one.branch for one in inner)
    flows = tuple(
        _over(over[number][1]) if number in over else one.step(steps[number % len(steps)])
        for number, one in enumerate(inner)
    )
    endings: tuple[Ending | None, ...] = yield Fork(flows)
    branch.inner = ()
    said = branch.join([one.branch for one in inner], scope.stage.relabelled)
    first = next((ending for ending in endings if ending is not None), None)
    if first is not None:
        raise first
    return said


def _over(ending: Ending | None) -> Flow:
    """Come to the end of a branch that was over before."""
    if ending is not None:
        raise Ending(*ending.why)  # an exception holds on to where it was raised
    yield from ()


def play(scope: StepScope, inner: SceneSpec) -> Flow:
    """Play it to its end, and let its result be heard here; one in which nobody spoke has none but its own."""
    label = _text(scope, "speaker", inner.label)
    opening = None if inner.opening is None else _opening(scope, inner.opening)
    inside, steps, key, result = _enter(scope, inner, opening)
    scope.branch.inner = (inside.branch,)
    remembered = f"{scope.place} scene"
    scope.branch.keep(remembered, (label, opening, inside.stage.inputs))
    ending: Ending | None = None
    try:
        yield from inside.run(key, steps)
        scope.visit("ended", "turns_done")
    except Ending as reached:
        scope.visit("ended", reached.reason)
        if _goes_on_outwards(scope, reached):
            raise
        ending = reached
    scope.branch.inner = ()
    scope.branch.keep(remembered, None)
    scope.branch.idle = inside.branch.idle
    scope.branch.densest = inside.branch.densest
    message, authored = _message(inside, result, ending)
    if message is not NOTHING:
        role, label = _identity(scope, label, inner.name)
        newest = next(reversed(inside.branch.spoken()), None)
        heard = scope.marked(message.heard, [label], inside.branch.history.words)
        number = None if newest is None else newest.number
        message = replace(message, turn=number, role=role, label=label, heard=heard)
        counts_as = newest.exchange.ask.id if newest is not None else None
        entry = SpokenEntry(scope.speaker(role), message, heard, counts_as=counts_as, authored=authored)
        scope.branch.history.add(entry)
    if inner.name is not None:
        scope.branch.name(inner.name, message)


def _enter(
    scope: StepScope, inner: SceneSpec, opening: str | None
) -> tuple[StepScope, Any, str, tuple[Path, str | None]]:
    """Return the scope inside, its steps, the key they are under, and its result's template with its place."""
    path, place = (*scope.path, "scene"), scope.place
    if inner.file is None:
        bounds = scope.branch.bounds
        if inner.limits is not None:
            bounds = resolve_limits(inner.limits, (*scope.path, "limits"), _renderer(scope), bounds)
        else:
            bounds = replace(bounds, max_turns=None, max_total_tokens=None, max_time=None, repetition=None)
        stops = tuple(((*scope.path, "stop", index), stop) for index, stop in enumerate(inner.stop or ()))
        setting = SceneFrame(scope.stage, lambda: opening or "", stops)
        inside = scope._replace(setting=setting, branch=scope.branch.scene(bounds, scope.branch.names))
        return inside, inner.steps, "scene", ((*scope.path, "result"), inner.result)
    stage = _stage(scope, inner)
    stops = _inner_stops(stage, inner.stop, scope.path)
    bounds = stage.bounds
    if inner.limits is not None:
        bounds = resolve_limits(inner.limits, (*scope.path, "limits"), _renderer(scope), bounds, keep_costs=True)
    template = stage.pipeline.opening or ""

    def read() -> str:
        return opening if opening is not None else stage.sent(("opening",), template, stage.inputs.__getitem__)

    branch = scope.branch.scene(bounds, {})
    inside = scope._replace(
        setting=SceneFrame(stage, read, stops), branch=branch, path=path, place=f"{place}.scene", round=None
    )
    result = (
        ((*scope.path, "result"), inner.result) if inner.result is not None else (("result",), stage.pipeline.result)
    )
    return inside, stage.pipeline.turns, "turns", result


def _inner_stops(stage: RunContext, stop: Any, path: Path) -> tuple[tuple[Path, Stop], ...]:
    """Return the stops of another pipeline: its own, and those of the step that plays it."""
    own = [((*path, "scene", "stop", index), one) for index, one in enumerate(stage.pipeline.stop)]
    return (*own, *(((*path, "stop", index), one) for index, one in enumerate(stop or ())))


def _stage(scope: StepScope, inner: SceneSpec) -> RunContext:
    found = scope.stage.files.scenes.get(inner.file or "")
    if found is None:
        raise TemplateError(f"there is no pipeline {inner.file!r} here", path=(*scope.path, "scene"))
    pipeline, files = found
    try:
        inputs = resolve(pipeline.inputs, {name: plain(one) for name, one in inner.inputs.items()})
    except UsageError as error:
        raise TemplateError(str(error), path=(*scope.path, "with")) from error
    try:
        stage = RunContext(pipeline, inputs, files, scope.stage.visit, scope.stage.draw)
    except TemplateError as error:
        raise error.within(pipeline.name) from error
    stage.seed = scope.stage.seed
    return stage


def _goes_on_outwards(scope: StepScope, ending: Ending) -> bool:
    """Return whether what ended the scene ends what is around it too."""
    if ending.level is not None:
        return ending.level < len(scope.branch.tallies)
    if ending.reason == "overflow":
        return scope.branch.bounds.on_overflow == "stop"
    if ending.is_failed:
        return scope.branch.bounds.on_error == "stop"
    if ending.reason == "error":
        return ending.failure in ("template", "unreachable") or scope.branch.bounds.on_error == "stop"
    return False


Result = tuple[Message, frozenset[int]]
"""What is heard of a scene, and which control tokens in it are the author's own."""

NO_TOKENS: frozenset[int] = frozenset()


def _message(inside: StepScope, result: tuple[Path, str | None], ending: Ending | None) -> Result:
    """Return what is heard outside: the result, else what was heard last; ``NOTHING`` where nobody said anything."""
    spoke = inside.branch.spoken()
    failure = all_failed(spoke)
    if ending is not None and ending.is_failed:
        return Message(failed=True, error=ending.detail), NO_TOKENS
    if failure is not None:
        return Message(failed=True, error=failure.message), NO_TOKENS
    heard = inside.branch.history.last_heard
    last = (NOTHING, NO_TOKENS) if heard is None else (heard.message, heard.authored)
    path, template = result
    message, authored = last if template is None else _result(inside, path, template, ending, last)
    return (message, authored) if spoke or message.heard else (NOTHING, NO_TOKENS)


def _result(inside: StepScope, path: Path, template: str, ending: Ending | None, last: Result) -> Result:
    """Return the result as a message; ``last`` stands in where an early end, or that nobody spoke, undid it."""
    lookup = inside.moment().lookup
    try:
        value = inside.stage.render(path, template, lookup)
    except TemplateError as error:
        if ending is None and inside.branch.spoken():
            raise error.within(inside.stage.pipeline.name) from error
        inside.visit("stood_in", str(error), inside.path)
        return last
    if isinstance(value, Message):
        return replace(value, heard=value.content), NO_TOKENS
    if value is None or isinstance(value, str):
        text = as_text(value)
        return Message(content=text, heard=text), inside.stage.authored(template, lookup, text)
    data = freeze(plain(value))
    try:
        text = json.dumps(data, ensure_ascii=False)
    except ValueError as error:  # a number of thousands of digits
        raise TemplateError(str(error), path=path) from error
    return Message(content=text, data=data, heard=text), NO_TOKENS


def _identity(scope: StepScope, label: str, name: str | None) -> tuple[str, str]:
    """Return whose words they are: those of the role that the label names, else of the scene under that label."""
    if label in scope.stage.roles:
        return label, scope.stage.roles[label]["label"]
    return name or "scene", label or name or "scene"


def _opening(scope: StepScope, template: str) -> str:
    return scope.stage.sent((*scope.path, "opening"), template, scope.moment().lookup)


def _text(scope: StepScope, key: str, template: str | None) -> str:
    return as_text(scope.render(key, template))


def _renderer(scope: StepScope) -> Callable[[Path, Any], Any]:
    lookup = scope.moment().lookup
    return lambda path, value: scope.stage.render(path, value, lookup)


class StepScope(StepContext):
    """The ``Scope`` that steps are given: a ``StepContext`` in which other steps can be run."""

    __slots__ = ()

    def run(self, key: str, steps: Sequence[StepProtocol]) -> Flow:
        """Run the steps under ``key``, those whose ``when`` holds."""
        first, inside = (int(self.entry[1]), self.entry[2:]) if self.entry else (0, ())
        for index in range(first, len(steps)):
            scope = self.at(key, index, entry=inside if index == first else ())
            if not scope.entry:
                self.branch.mark(scope.place)
            yield from scope.step(steps[index])

    def step(self, step: StepProtocol) -> Flow:
        """Run one step here, where its ``when`` holds."""
        try:
            if self.entry:  # it is under way; what is done where "when" is false is under "else"
                yield from (step.otherwise if self.entry[0] == "else" else step.run)(self)
                return
            self._count_step()
            if step.when is None or self.evaluate("when", step.when):
                self.visit("step")
                yield from step.run(self)
            else:
                yield from step.otherwise(self)
        except TemplateError as error:
            if error.pipeline:  # a step inside this one was closer to it
                raise
            raise error.within(self.stage.pipeline.name, self.path) from error

    def at(
        self, key: str, index: int, mark: str = "", *, entry: tuple[str, ...] = (), branch: Branch | None = None
    ) -> StepScope:
        """Return the scope of a step that is inside this one, perhaps in a branch of its own."""
        place = f"{self.place}{'.' if self.place else ''}{key}{mark or self.mark}.{index}"
        path = (*self.path, key, index)
        return StepScope(self.setting, branch or self.branch, path, place, self.round, entry=entry)

    def rounds(self, times: int | None) -> Generator[StepScope]:
        """Yield a scope for each round; the round is part of the ids of what is asked in it."""
        key, tally = f"{self.place} times", self.branch.tallies[0]
        try:
            for number in count(self._entered or 1):
                if times is not None and number > times:
                    break
                if number != self._entered:
                    self.branch.keep(key, (times, None if times is not None else tally.turns))
                    self._count_step()
                yield self._in_round(number)
                if times is None and tally.turns == self.branch.memory[key][1]:
                    break
        finally:
            self.branch.keep(key, None)

    def each(self, name: str, items: Sequence[Any]) -> Generator[StepScope]:
        """Yield a scope for each item."""
        key, first = f"{self.place} in", self._entered or 1
        self.branch.keep(key, items)
        try:
            for number, item in enumerate(items[first - 1 :], first):
                if number != self._entered:
                    self._count_step()
                    self.branch.name(name, item)
                yield self._in_round(number)
        finally:
            self.branch.keep(key, None)

    def _in_round(self, number: int) -> StepScope:
        entry = self.entry if number == self._entered else ()
        return StepScope(self.setting, self.branch, self.path, self.place, number, f":{number}", entry)

    def speak(self, words: TurnSpec) -> Flow:
        """Run one turn of a role."""
        yield from speak(self, words)

    def pick(self, chooser: str, allowed: Sequence[str], fallback: str | None) -> Generator[Any, Any, str | None]:
        """Ask a role who speaks next, and return the name."""
        return (yield from pick(self, chooser, allowed, fallback))

    def together(
        self, key: str, steps: Sequence[StepProtocol], items: Sequence[Any] | None, name: str | None
    ) -> Generator[Effect, Any, list[Message]]:
        """Run steps side by side."""
        self._refuse_anew()
        return (yield from together(self, key, steps, items, name))

    def play(self, inner: SceneSpec) -> Flow:
        """Play a conversation inside this one."""
        yield from play(self, inner)
