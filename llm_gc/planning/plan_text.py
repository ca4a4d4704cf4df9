"""A plan in words: a block for each turn and a summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from llm_gc.language.inputs import misfit
from llm_gc.language.pipeline import Pipeline
from llm_gc.model_checker.default_inputs import DefaultInputs, default_inputs
from llm_gc.planning.plan import Plan, PlannedTurn


def supplied(pipeline: Pipeline, given: Mapping[str, str]) -> tuple[dict[str, DefaultInputs], set[str]]:
    """Return a value for each input, and the names of those that a mark stands for, as ``⟨task⟩``.

    Raises:
        UsageError: naming every input that is unknown or does not fit.

    """
    marks: dict[str, str] = {}
    for name, schema in pipeline.inputs.items():
        mark = f"⟨{name}⟩"
        if name not in given and "default" not in schema and not misfit(mark, schema):
            marks[name] = mark
    return default_inputs(pipeline, {**given, **marks}, texts=True), set(marks)


MOST_SHOWN = 60


def block(turn: PlannedTurn, *, with_request: bool = False) -> Iterator[str]:
    """Yield the lines about a turn; with its request, all that it is sent."""
    for assumption in turn.assumptions:
        yield f"     {assumption}"
    plays = f"on {turn.model}" if turn.model is not None else "a person"
    where = f" at {turn.host}" if turn.host else ""
    does = "chooses" if turn.is_pick else "speaks"
    switch = "  ⇄ another model" if turn.is_switch else ""
    head = f"{turn.number:>3}  {turn.label} {does}, {plays}{where}"
    yield f"{head}  {turn.place}{switch}"
    if turn.trouble:
        yield f"     what it is sent is unknown: {turn.trouble}"
    elif turn.model is not None:
        yield f"     {_sizes(turn)}"
    if turn.stops:
        yield f"     may end here, by saying {' or '.join(turn.stops)}"
    if with_request:
        for message in turn.messages:
            yield f"     {message['role']}:"
            yield from (f"       {line}".rstrip() for line in message["content"].splitlines())


def summary(plan: Plan, inputs: Mapping[str, DefaultInputs], unknown: set[str]) -> Iterator[str]:
    """Yield how it continues and ends, what it takes, and what is not counted."""
    yield from (f"     {assumption}" for assumption in plan.assumptions)
    if plan.is_cut:
        yield f"It continues, without a known end; {_count(len(plan.turns), 'request')} of it were planned."
    elif plan.assumptions or any(turn.assumptions for turn in plan.turns):
        yield f"If all that is so, it ends here: {plan.detail} ({_reason(plan)})."
    else:
        yield f"It ends here at the latest: {plan.detail} ({_reason(plan)})."
    yield from (f"It may end after any turn, where {stop}." for stop in plan.stops)
    yield from (f"It may end sooner: {limit}." for limit in plan.limits)
    switches = _count(plan.switches, "change of model", "changes of model")
    yield f"{_count(plan.spoken, 'turn')}, {_count(len(plan.turns), 'request')}, {switches}."
    yield from (f"{line}." for line in largest(plan))
    if unknown:
        yield f"Not counted, since it is not known yet: {', '.join(f'⟨{name}⟩' for name in sorted(unknown))}."
    taken = [f"{name} is {_short(one.value)} ({one.origin})" for name, one in inputs.items() if name not in unknown]
    if taken:
        yield f"Inputs: {', '.join(taken)}."


def largest(plan: Plan) -> Iterator[str]:
    """Yield, for each role, its largest request."""
    most: dict[str, PlannedTurn] = {}
    for turn in plan.turns:
        if turn.model is not None and turn.prompt > getattr(most.get(turn.role), "prompt", -1):
            most[turn.role] = turn
    for role, turn in most.items():
        yield f"Largest request of {role}: turn {turn.number}, {_sizes(turn)}"


def as_data(plan: Plan, inputs: Mapping[str, DefaultInputs], unknown: set[str]) -> dict[str, Any]:
    """Return all of it as data."""
    given = {
        name: {"value": one.value, "origin": "unknown" if name in unknown else one.origin}
        for name, one in inputs.items()
    }
    return {"inputs": given, "switches": plan.switches, **asdict(plan)}


def _reason(plan: Plan) -> str:
    return f"{plan.reason}, failed" if plan.is_failed else plan.reason


def _sizes(turn: PlannedTurn) -> str:
    together = turn.prompt + turn.reply
    sizes = f"up to about {turn.prompt:,} tokens, and {turn.reply:,} of reply"
    if turn.window is None:
        return f"{sizes} (num_ctx is not set)"
    fits = "" if together <= turn.window else ": MORE than fits; limits.on_overflow says what is done"
    return f"{sizes}: {together:,} of {turn.window:,}{fits}"


def _count(number: int, one: str, several: str = "") -> str:
    return f"{number} {one if number == 1 else several or f'{one}s'}"


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"
