"""What an exploration finds wrong on some way: each thing at its place in the document, with the shortest way to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from llm_gc.errors import TemplateError
from llm_gc.language.steps.choose import Choose
from llm_gc.model_checker.condition_vars import words
from llm_gc.model_checker.graph_metrics import endless
from llm_gc.model_checker.observations import ObservedEnd
from llm_gc.model_checker.pipelines import PipelinePart
from llm_gc.model_checker.projection import SHORT, nameless
from llm_gc.model_checker.search import Exploration
from llm_gc.model_checker.simulator import StateNode
from llm_gc.protocol import Path

_PLACE = re.compile(
    r"\A(?:pipeline (?P<pipeline>[\w.-]+), )?(?:(?P<step>[a-z][\w.]*), (?!line ))?"
    r"(?:(?P<file>\S+\.(?:j2|md|txt)) \(used at (?P<used>[^)]+)\)|(?P<path>[a-z][\w.-]*))(?:, line (?P<line>[0-9]+))?: "
)
_STANDS_IN = frozenset({"or", "default", "else", "if"})
"""Words by which a template says itself what is to stand in for what is empty."""

Visits = dict[tuple[str, Path], dict[Any, StateNode]]
"""What was reached: by kind and path, each value with the first way on which it was met."""


@dataclass(frozen=True)
class Found:
    """Something that is wrong, or (a note) that may be meant so. ``at`` is where the shortest way leads to it.

    ``ends`` is the reason by which it ends there, where it does; ``error`` the template that failed.
    """

    code: str
    path: Path
    message: str
    at: StateNode | None = None
    is_note: bool = False
    ends: str | None = None
    error: TemplateError | None = None


def visits_of(exploration: Exploration) -> Visits:
    """Return what was reached by kind and path."""
    visits: Visits = {}
    for visit, node in exploration.seen.visits.items():
        visits.setdefault((visit.kind, visit.path), {}).setdefault(visit.value, node)
    return visits


def wrong(exploration: Exploration, parts: list[PipelinePart]) -> Iterator[Found]:
    """Yield all that goes wrong on some way."""
    yield from _failures(exploration)
    yield from _overflows(exploration, parts)
    for end in exploration.seen.order:
        yield from _results(end, parts[0])
    visits = visits_of(exploration)
    yield from _scenes(visits)
    for part in parts:
        yield from _strays(visits, part)
    if exploration.is_whole:
        yield from _endless(exploration, parts[0])


def _failures(exploration: Exploration) -> Iterator[Found]:
    """Yield the templates and expressions that fail."""
    told: set[str] = set()
    for fault in exploration.seen.faults.values():
        cause, _, _ = fault.what.partition(". ")  # what is behind it is a hint, which is another on each way
        if cause in told:
            continue
        told.add(cause)
        yield _at_template(Found("template", (), fault.what, fault.at, ends="error"), fault.what)


def _overflows(exploration: Exploration, parts: list[PipelinePart]) -> Iterator[Found]:
    """Yield the prompts that do not fit; a note where the pipeline says what is to be done about that."""
    for role, prompt in exploration.seen.prompts.items():
        if prompt.over is None:
            continue
        part = next(part for part in parts if role in part.pipeline.roles)
        handled = part.pipeline.limits.on_overflow == "drop_oldest"
        tokens, window, at = prompt.over
        room = "is more than" if tokens > window else "leaves the reply no room in"
        message = f"a prompt of {role} may have {tokens:,} tokens, which {room} its num_ctx of {window:,}"
        message += "; the oldest of what was said is dropped then" if handled else ""
        yield Found("overflow", (*part.path, "roles", role, "num_ctx"), message, at, handled)


def _results(end: ObservedEnd, part: PipelinePart) -> Iterator[Found]:
    """Yield the result that is not there, though the conversation came to an end of its own."""
    if end.stood_in_at is not None and end.status != "failed":
        found = Found("no-result", ("result",), "", end.stood_in_at, end.status != "completed", end.reason)
        yield _at_template(found, end.stood_in, f"there is no result where it ends by {end.reason} ({end.detail})")
    elif end.empty_at is not None and end.reason in ("stop_token", "end_step"):
        text = part.pipeline.result
        if text is not None and not _STANDS_IN & words(part.templates.get(text, text)):
            message = f"the result is empty where it ends by {end.reason} ({end.detail})"
            yield Found("no-result", ("result",), message, end.empty_at, ends=end.reason)


def _scenes(visits: Visits) -> Iterator[Found]:
    """Yield the scenes that have no result where they end early."""
    for (kind, path), values in visits.items():
        for why, node in values.items() if kind == "stood_in" and path else ():
            message = "where the scene ends early it has no result, and what was heard last in it is used instead"
            yield _at_template(Found("no-result", (*path, "result"), "", node), str(why), message)


def _strays(visits: Visits, part: PipelinePart) -> Iterator[Found]:
    """Yield the choices of somebody who is not there; a note where the pipeline says who speaks instead."""
    for path, step in part.steps.items():
        if not isinstance(step, Choose):
            continue
        named: dict[str, StateNode] = {}
        for name, node in visits.get(("by", path), {}).items():
            named.setdefault(_named(str(name or "").strip()), node)
        for chosen, node in named.items():
            if chosen and chosen not in part.pipeline.roles:
                instead = getattr(step, "else_", None)
                message = f"'by' names {chosen!r}, which is no role; {instead or 'the first allowed'} speaks instead"
                yield Found("unknown-choice", (*path, "by"), message, node, instead is not None)


def _named(text: str) -> str:
    """Return a name, or in short what is in its place; texts that were made up are all alike."""
    text = nameless(text)
    return text if len(text) <= SHORT else f"{text[:SHORT].rstrip()}…"


def _endless(exploration: Exploration, part: PipelinePart) -> Iterator[Found]:
    """Yield the loop that only a limit ends; a note where there is nothing else, and a limit was written down."""
    found = endless(exploration)
    if found is not None:
        node, inside = found
        begins = node.parent is None
        meant = begins and bool({"max_turns", "max_time", "max_total_tokens"} & part.pipeline.limits.model_fields_set)
        where = "from its beginning on" if begins else "from here on"
        message = f"{where} nothing but a limit ends it: no stop, no 'end', no last step can be reached"
        yield Found("endless", _loop(inside.step), message, node, meant)


def _loop(path: Path) -> Path:
    """Return the innermost loop around a step; the step itself where there is none."""
    found = [index for index, word in enumerate(path) if word == "repeat"]
    return path[: found[-1]] if found else path


def _at_template(found: Found, text: str, front: str = "") -> Found:
    """Return a finding with the place of the template that failed, and what it said of it."""
    error = _placed(text)
    what = error.message if error else text
    path = found.path or (error.path if error else ())
    if error is not None and found.path:
        error = error.within(error.pipeline, found.path)
    return replace(found, path=path, message=f"{front}: {what}" if front else what, error=error)


def _placed(text: str) -> TemplateError | None:
    """Return a template's failure back from its text: with the path, and the file and line where they are told."""
    found = _PLACE.match(text)
    if found is None:
        return None
    line = int(found["line"]) if found["line"] else None
    error = TemplateError(text[found.end() :], found["file"] or "", line, _path(found["used"] or found["path"]))
    return error.within(found["pipeline"] or "", _path(found["step"] or ""))


def _path(dotted: str) -> Path:
    """Return a path back from its text."""
    return tuple(int(word) if word.isdigit() else word for word in dotted.split(".") if word)
