"""From a document to a typed pipeline, also where parts of it are broken: those are cut away, and the rest is typed.

So that one pass tells everything: the rules look at what is left, and what they say of it leads back to the places in
the whole document. What is only said because something was cut away is left out. Where that are leaves alone, on which
neither names nor prompts nor the order of turns hang, what is left counts as whole: only the rules that read one of
them are not run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from llm_gc.analysis.declared_names import declared_names
from llm_gc.analysis.problem import Problem
from llm_gc.analysis.wording import as_name
from llm_gc.language.base import NAME
from llm_gc.language.pipeline import Pipeline
from llm_gc.protocol import Path

MAX_ROUNDS = 30
"""How often the rest is looked at again; each time what is broken now lies further up."""

_UNKNOWN = re.compile(r"unknown-|unset")
"""The codes of rules that miss a name: it may be in what was cut away."""

STAND_IN = "somebody"
"""The role of a pipeline of which no role is left."""

LEAVES = frozenset((
    "description", "seed", "temperature", "max_tokens", "num_ctx", "think", "options",
    "timeout", "first_token", "gap", "load_timeout", "retries", "repairs", "on_error", "on_overflow",
    "max_turns", "max_time", "max_total_tokens", "repetition",
))  # fmt: skip
"""The keys of a pipeline, a role, a step and of limits on which no name and no prompt hangs."""

_WORD = re.compile(r"[A-Za-z_]\w*")


@dataclass
class ParseResult:
    """A pipeline (none where too little is left), what is wrong with its document's shape, and what was cut away.

    ``leaves`` are the keys of that, as they were meant, where it is nothing but leaves; None where it is more.
    """

    pipeline: Pipeline | None
    problems: list[Problem] = field(default_factory=list)
    removed: frozenset[Path] = frozenset()
    kept: Mapping[Path, list[int]] = field(default_factory=dict)
    words: frozenset[str] = frozenset()
    is_whole: bool = True
    knows_names: bool = True
    leaves: frozenset[str] | None = frozenset()

    def original(self, path: Path) -> Path:
        """Return the path in the document of what is at a path in the pipeline."""
        return _original(path, self.kept) if self.kept else path

    def mended(self, code: str, problem: Problem) -> Problem | None:
        """Return a rule's problem at its path in the document; None where only what was cut away caused it."""
        if self.is_whole:
            return problem
        path = self.original(problem.path)
        missed = bool(_UNKNOWN.match(code))
        if missed and (not self.knows_names or self.words.intersection(_WORD.findall(_quoted(problem.message)))):
            return None
        if self.leaves is None and any(_is_inside(one, path) for one in self.removed):
            return None  # it speaks of something that lacks what was cut out of it
        return replace(problem, path=path)


def parse_result(
    data: dict[str, Any], holes: frozenset[Path] = frozenset(), lost: str = "", *, whole: bool = True
) -> ParseResult:
    """Type a document. ``holes`` and ``lost`` are what could not be read of it; ``whole`` that nothing else is missing.

    The JSON Schema only explains what the models refuse.
    """
    is_read = whole and not holes and not lost.strip()
    if is_read:
        try:
            return ParseResult(Pipeline.model_validate(data))
        except ValidationError as error:
            problems = list(_problems(data)) or [Problem(tuple(one["loc"]), one["msg"]) for one in error.errors()]
    else:
        found = list(_problems(data if whole else {**data, "extends": "missing.yaml"}))
        problems = [one for one in found if not _is_hole(one, data, holes, whole=whole)]
    result = _cut(data, {*holes, *(problem.path for problem in problems)} - {()})
    result.words |= frozenset(_WORD.findall(lost))
    result.problems = problems
    result.knows_names = whole and result.knows_names
    result.leaves = _leaves(result, data) if is_read else None
    return result


def _leaves(read: ParseResult, data: Any) -> frozenset[str] | None:
    """Return the keys of the leaves that were cut away; None where more was, or where one of them may use a name."""
    found = {problem.path: _leaf(problem, data) for problem in read.problems}
    names = (one.name for one in declared_names(read.pipeline) if one.kind != "role") if read.pipeline else ()
    is_all = found.keys() == read.removed and all(found.values()) and read.words.isdisjoint(names)
    return frozenset(found.values()) if is_all else None


def _leaf(problem: Problem, data: Any) -> str:
    """Return the key of the leaf that a problem is about; empty where it is about something else.

    A map where a leaf should be may be what is a column too far to the right: prompts and steps as well.
    """
    path = (*problem.path[:-1], problem.meant) if problem.meant else problem.path
    for end, key in enumerate(path):
        if key in LEAVES and _has_leaves(path[:end]):
            return "" if key != "options" and isinstance(_at(problem.path, data), dict) else str(key)
    return ""


def _has_leaves(path: Path) -> bool:
    """Return whether a pipeline, a role, limits or a step are at a path."""
    match path:
        case () | ("defaults",) | ("roles", _):
            return True
    return path[-1] == "limits" or isinstance(path[-1], int)


def _problems(data: Any) -> Iterator[Problem]:
    from llm_gc.analysis import shape  # only mistakes pay for it

    return shape.check(_without_undone(data))


def _without_undone(data: Any) -> Any:
    """Return a document without the nulls by which roles undo a default: the schema knows no null."""
    defaults, roles = (data.get(key) if isinstance(data, Mapping) else None for key in ("defaults", "roles"))
    if not isinstance(defaults, Mapping) or not isinstance(roles, Mapping):
        return data
    undone = {
        name: {key: value for key, value in role.items() if value is not None or key not in defaults}
        if isinstance(role, Mapping)
        else role
        for name, role in roles.items()
    }
    return {**data, "roles": undone}


def _is_hole(problem: Problem, data: Any, holes: Iterable[Path], *, whole: bool) -> bool:
    """Return whether a problem is only about what could not be read: what is not there, or has nothing in it."""
    lacks = " is missing" in problem.message or _at(problem.path, data) in (None, [], {})
    if lacks and (not whole or () in holes):
        return True
    return any(hole and problem.path[: len(hole)] == hole for hole in holes)


def _cut(data: dict[str, Any], removed: set[Path]) -> ParseResult:
    """Cut away what is broken, and what is broken without it, until the rest can be typed."""
    for _ in range(MAX_ROUNDS):
        kept: dict[Path, list[int]] = {}
        rest = _filled(_pruned(data, removed, (), (), kept), removed)
        problems = list(_problems(rest))
        further = {_original(problem.path, kept) for problem in problems} - removed - {()}
        if not further:
            break
        removed |= further
    else:
        return ParseResult(None, is_whole=False)
    words = frozenset(word for path in removed for word in _words(path, data))
    parts = frozenset(removed)
    try:
        pipeline = None if problems else Pipeline.model_validate(rest)
    except ValidationError:
        pipeline = None
    return ParseResult(pipeline, [], parts, kept, words, is_whole=False, knows_names=STAND_IN not in rest["roles"])


def _pruned(value: Any, removed: set[Path], path: Path, at: Path, kept: dict[Path, list[int]]) -> Any:
    """Return a value without what is removed; ``path`` is its own, ``at`` the one that it has in the result."""
    if isinstance(value, dict):
        inner = ((key, item) for key, item in value.items() if (*path, key) not in removed)
        return {key: _pruned(item, removed, (*path, key), (*at, key), kept) for key, item in inner}
    if isinstance(value, list):
        left = [index for index in range(len(value)) if (*path, index) not in removed]
        if len(left) < len(value):
            kept[at] = left
        return [_pruned(value[i], removed, (*path, i), (*at, number), kept) for number, i in enumerate(left)]
    return value


def _filled(rest: dict[str, Any], removed: set[Path]) -> dict[str, Any]:
    """Put something in the place of what no pipeline can be without, and of inputs and roles that others name."""
    for path in removed:
        match path:
            case ("roles", str(name)) if re.fullmatch(NAME, name) and isinstance(rest.get("roles"), dict):
                rest["roles"][name] = {"model": "unknown"}
            case ("inputs", str(name)) if re.fullmatch(NAME, name) and isinstance(rest.get("inputs"), dict):
                rest["inputs"][name] = {}
    rest.setdefault("name", "unnamed")
    rest["roles"] = rest.get("roles") or {STAND_IN: {"model": "unknown"}}
    rest["turns"] = rest.get("turns") or [{"post": ""}]
    return rest


def _original(path: Path, kept: Mapping[Path, list[int]]) -> Path:
    found: list[str | int] = []
    for number, step in enumerate(path):
        left = kept.get(path[:number])
        found.append(left[step] if left is not None and isinstance(step, int) and step < len(left) else step)
    return tuple(found)


def _is_inside(path: Path, outer: Path) -> bool:
    """Return whether a path leads to or into what is at another; what is among the defaults is in every role."""
    match path, outer:
        case ("defaults", *rest), ("roles", _, *of_role):
            return rest[: len(of_role)] == of_role
    return path[: len(outer)] == outer


def _at(path: Path, data: Any) -> Any:
    """Return what is at a path; None where there is nothing."""
    for step in path:
        try:
            data = data[step]
        except (LookupError, TypeError):
            return None
    return data


def _words(path: Path, data: Any) -> Iterator[str]:
    """Yield the words in what is at a path, its key among them, also as the names that they may be meant as."""
    waiting = [path[-1], _at(path, data)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += [*value, *value.values()]
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str):
            yield from _WORD.findall(value)
            yield as_name(value)


def _quoted(message: str) -> str:
    return " ".join(re.findall(r"'([^']*)'", message))
