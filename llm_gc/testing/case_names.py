"""What a test file names that its pipeline does not have, and what in it could never hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from llm_gc.analysis.declared_names import declared_names
from llm_gc.analysis.problem import Problem
from llm_gc.core import Files
from llm_gc.language.pipeline import Pipeline
from llm_gc.language.texts import models
from llm_gc.protocol import Path
from llm_gc.transcript.cases import Case, CaseFile, Expected, ExpectedAsk, MatchSpec, Scripted, as_match
from llm_gc.values import regex
from llm_gc.values.did_you_mean import near

COPY = re.compile(r"#[1-9][0-9]*$")
"""Stands behind a role's name to mean one copy of it, counted from 1."""


def misnamed(cases: CaseFile, pipeline: Pipeline, files: Files) -> Iterator[Problem]:
    """Yield every mistake in the cases that shows without playing them."""
    roles, names = (
        list(dict.fromkeys(_roles(pipeline, files))),
        [one.name for one in declared_names(pipeline) if one.kind in ("variable", "loop")],
    )
    known = {case.name: index for index, case in reversed([*enumerate(cases.cases)])}
    for index, case in enumerate(cases.cases):
        at: Path = ("cases", index)
        if known[case.name] != index:
            yield Problem((*at, "name"), f"the name {case.name!r} is used twice; each case needs its own")
        yield from _replies(case, roles, at)
        if case.expect is not None:
            yield from _expected(case.expect, roles, names, (*at, "expect"))
    for path, model in models(cases):
        if isinstance(model, MatchSpec):
            yield from _match(model, path)


def _roles(pipeline: Pipeline, files: Files) -> Iterator[str]:
    """Yield all roles, those of the pipelines of scenes too."""
    yield from pipeline.roles
    for scene, inner in files.scenes.values():
        yield from _roles(scene, inner)


def _replies(case: Case, roles: Sequence[str], at: Path) -> Iterator[Problem]:
    for who, replies in case.replies.items():
        path = (*at, "replies", who)
        yield from _unknown(COPY.sub("", who), roles, path, key=True)
        if replies == []:
            yield Problem(path, "there is no reply in this list", "Leave the role out.")
        several = isinstance(replies, list)
        for index, reply in enumerate(replies if isinstance(replies, list) else [replies]):
            if isinstance(reply, Scripted):
                yield from _reply(reply, (*path, index) if several else path)


def _reply(reply: Scripted, path: Path) -> Iterator[Problem]:
    if reply.is_given("data") and (reply.text is not None or reply.error is not None):
        other = "text" if reply.text is not None else "error"
        yield Problem((*path, "data"), f"a reply has 'data' or {other!r}, and not both", key=True)
    if reply.message is not None and reply.error is None:
        yield Problem((*path, "message"), "'message' is an error's, and there is no 'error' here", key=True)
    if reply.cut and reply.done_reason is not None:
        yield Problem((*path, "done_reason"), "a reply that is 'cut' has no other reason to be done", key=True)


def _expected(expected: Expected, roles: Sequence[str], names: Sequence[str], at: Path) -> Iterator[Problem]:
    for key, given_ in (("speakers", expected.speakers), ("asked", expected.asked)):
        for index, role in enumerate(given_ or ()):
            yield from _unknown(role, roles, (*at, key, index))
    for index, ask in enumerate(expected.asks or ()):
        yield from _ask(ask, roles, (*at, "asks", index))
    for name in expected.variables or {}:
        if name not in names:
            hint = near(name, names) or (f"The names are {', '.join(names)}." if names else "")
            yield Problem((*at, "variables", name), f"nothing in the pipeline sets {name!r}", hint, key=True)
    for path, value in (
        (("result",), expected.result),
        *((("variables", k), v) for k, v in (expected.variables or {}).items()),
    ):
        yield from _value(value, (*at, *path))


def _value(value: Any, path: Path) -> Iterator[Problem]:
    """Look at a value that may be a map which says what it must be like."""
    try:
        match = as_match(value)
    except ValidationError as error:
        where = error.errors()[0]["loc"][:1]
        hint = "A value that is such a map itself belongs under 'equals'."
        yield Problem((*path, *where), "this is a map of how a value must be, and it does not fit", hint)
        return
    if match is not None:
        yield from _match(match, path)


def _ask(ask: ExpectedAsk, roles: Sequence[str], path: Path) -> Iterator[Problem]:
    if (ask.turn is None) == (ask.role is None):
        yield Problem(path, "an ask is meant by its 'turn' or by its 'role', one of them")
    if ask.turn is not None and ask.ask is not None:
        yield Problem((*path, "ask"), "'ask' counts the asks of a role, and there is no 'role' here", key=True)
    if not ask.model_fields_set - {"turn", "role", "ask"}:
        yield Problem(path, "nothing is expected of this ask", "Say for example what is 'sent'.")
    if ask.role is not None:
        yield from _unknown(COPY.sub("", ask.role), roles, (*path, "role"))
    for index, sent in enumerate(ask.messages or ()):
        if (sent.user is None) == (sent.assistant is None):
            yield Problem((*path, "messages", index), "a message is one of 'user' and 'assistant'")


def _match(match: MatchSpec, path: Path) -> Iterator[Problem]:
    if not match.model_fields_set:
        yield Problem(path, "this says nothing", "Say for example what it 'contains'.")
    if match.matches is not None and (problem := regex.problem(match.matches)):
        yield Problem((*path, "matches"), problem)


def _unknown(role: str, roles: Sequence[str], path: Path, *, key: bool = False) -> Iterator[Problem]:
    if role not in roles:
        hint = near(role, roles) or f"The roles are {', '.join(roles)}."
        yield Problem(path, f"{role!r} is no role", hint, key=key)
