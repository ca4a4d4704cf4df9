"""A conversation of its own inside another: fresh messages, its own end, and one message that is heard outside."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llm_gc.conversation.branch import all_failed
from llm_gc.conversation.history import Said
from llm_gc.conversation.stage import Stage, settle
from llm_gc.conversation.turn import Ending
from llm_gc.errors import TemplateError, UsageError
from llm_gc.frozen import as_text, freeze, plain
from llm_gc.inputs import resolve
from llm_gc.protocol import NOTHING, Flow, Inner, Message, Path
from llm_gc.steps.fields import Stop

if TYPE_CHECKING:
    from llm_gc.conversation.scope import StepScope


def play(scope: StepScope, inner: Inner) -> Flow:
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
    message = _message(inside, result, ending)
    if message is not NOTHING:
        role, label = _identity(scope, label, inner.name)
        newest = next(reversed(inside.branch.spoken()), None)
        heard = scope.marked(message.heard, [label], inside.branch.history.words)
        number = None if newest is None else newest.number
        message = replace(message, turn=number, role=role, label=label, heard=heard)
        counts_as = newest.exchange.ask.id if newest is not None else None
        scope.branch.history.add(Said(scope.speaker(role), message, message.heard, counts_as=counts_as))
    if inner.name is not None:
        scope.branch.name(inner.name, message)


def _enter(scope: StepScope, inner: Inner, opening: str | None) -> tuple[StepScope, Any, str, tuple[Path, str | None]]:
    """Give the scope inside, its steps, the key they stand under, and its result's template with its place."""
    from llm_gc.conversation.scope import Setting

    path, place = (*scope.path, "scene"), scope.place
    if inner.file is None:
        bounds = scope.branch.bounds
        if inner.limits is not None:
            bounds = settle(inner.limits, (*scope.path, "limits"), _renderer(scope), bounds)
        else:
            bounds = replace(bounds, max_turns=None, max_total_tokens=None, max_time=None, repetition=None)
        stops = tuple(((*scope.path, "stop", index), stop) for index, stop in enumerate(inner.stop or ()))
        setting = Setting(scope.stage, lambda: opening or "", stops)
        inside = scope._replace(setting=setting, branch=scope.branch.scene(bounds, scope.branch.names))
        return inside, inner.steps, "scene", ((*scope.path, "result"), inner.result)
    stage = _stage(scope, inner)
    stops = _inner_stops(stage, inner.stop, scope.path)
    bounds = stage.bounds
    if inner.limits is not None:
        bounds = settle(inner.limits, (*scope.path, "limits"), _renderer(scope), bounds, keep_costs=True)
    template = stage.pipeline.opening or ""

    def read() -> str:
        return opening if opening is not None else stage.sent(("opening",), template, stage.inputs.__getitem__)

    branch = scope.branch.scene(bounds, {})
    inside = scope._replace(
        setting=Setting(stage, read, stops), branch=branch, path=path, place=f"{place}.scene", round=None
    )
    result = (
        ((*scope.path, "result"), inner.result) if inner.result is not None else (("result",), stage.pipeline.result)
    )
    return inside, stage.pipeline.turns, "turns", result


def _inner_stops(stage: Stage, stop: Any, path: Path) -> tuple[tuple[Path, Stop], ...]:
    """Give the stops of another pipeline: its own, and those of the step that plays it."""
    own = [((*path, "scene", "stop", index), one) for index, one in enumerate(stage.pipeline.stop)]
    return (*own, *(((*path, "stop", index), one) for index, one in enumerate(stop or ())))


def _stage(scope: StepScope, inner: Inner) -> Stage:
    found = scope.stage.files.scenes.get(inner.file or "")
    if found is None:
        raise TemplateError(f"there is no pipeline {inner.file!r} here", path=(*scope.path, "scene"))
    pipeline, files = found
    try:
        inputs = resolve(pipeline.inputs, {name: plain(one) for name, one in inner.inputs.items()})
    except UsageError as error:
        raise TemplateError(str(error), path=(*scope.path, "with")) from error
    try:
        stage = Stage(pipeline, inputs, files, scope.stage.visit, scope.stage.draw)
    except TemplateError as error:
        raise error.within(pipeline.name) from error
    stage.seed = scope.stage.seed
    return stage


def _goes_on_outwards(scope: StepScope, ending: Ending) -> bool:
    """Tell whether what ended the scene ends what is around it too."""
    if ending.level is not None:
        return ending.level < len(scope.branch.tallies)
    if ending.reason == "overflow":
        return scope.branch.bounds.on_overflow == "stop"
    if ending.is_failed:
        return scope.branch.bounds.on_error == "stop"
    if ending.reason == "error":
        return ending.failure in ("template", "unreachable") or scope.branch.bounds.on_error == "stop"
    return False


def _message(inside: StepScope, result: tuple[Path, str | None], ending: Ending | None) -> Message:
    """Return what is heard outside: the result, else what was heard last; ``NOTHING`` where nobody said anything."""
    spoke = inside.branch.spoken()
    failure = all_failed(spoke)
    if ending is not None and ending.is_failed:
        return Message(failed=True, error=ending.detail)
    if failure is not None:
        return Message(failed=True, error=failure.message)
    heard = inside.branch.history.last_heard
    last = NOTHING if heard is None else heard.message
    path, template = result
    message = last if template is None else _result(inside, path, template, ending, last)
    return message if spoke or message.heard else NOTHING


def _result(inside: StepScope, path: Path, template: str, ending: Ending | None, last: Message) -> Message:
    """Return the result as a message; ``last`` stands in where an early end, or that nobody spoke, undid it."""
    try:
        value = inside.stage.render(path, template, inside.moment().lookup)
    except TemplateError as error:
        if ending is None and inside.branch.spoken():
            raise error.within(inside.stage.pipeline.name) from error
        inside.visit("stood_in", str(error), inside.path)
        return last
    if isinstance(value, Message):
        return replace(value, heard=value.content)
    if value is None or isinstance(value, str):
        return Message(content=as_text(value), heard=as_text(value))
    data = freeze(plain(value))
    try:
        text = json.dumps(data, ensure_ascii=False)
    except ValueError as error:  # a number of thousands of digits
        raise TemplateError(str(error), path=path) from error
    return Message(content=text, data=data, heard=text)


def _identity(scope: StepScope, label: str, name: str | None) -> tuple[str, str]:
    """Give whose words they are: those of the role that the label names, else of the scene under that label."""
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
