"""What the JSON Schema has to say of a document, in sentences for its author; words of other tools get ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

from llm_gc.analysis.document_schemas import pipeline_schema
from llm_gc.analysis.problem import Problem
from llm_gc.analysis.wording import EMPTY, advice, as_name, bound, expected, one_of, shown, within
from llm_gc.language.base import NAME
from llm_gc.language.limits import Limits
from llm_gc.language.pipeline import Role
from llm_gc.language.steps import KINDS
from llm_gc.protocol import Path
from llm_gc.values import json_schema
from llm_gc.values.did_you_mean import near, nearest

PIPELINE = {
    **dict.fromkeys(("agents", "participants", "actors", "characters", "speakers", "members"), "roles"),
    **dict.fromkeys(("steps", "flow", "stages", "tasks", "script", "conversation"), "turns"),
    **dict.fromkeys(("parameters", "params", "args", "arguments", "variables", "vars"), "inputs"),
    **dict.fromkeys(("start", "initial_message", "first_message", "user", "question"), "opening"),
    **dict.fromkeys(("output", "outputs", "return"), "result"),
    **dict.fromkeys(("termination", "stop_words", "until", "terminate"), "stop"),
    **dict.fromkeys(("import", "include", "base", "inherit"), "extends"),
    **dict.fromkeys(("title", "id"), "name"),
    "max_iterations": "limits: {max_turns: …}",
    "max_rounds": "limits: {max_turns: …}",
}

ROLE = {
    **dict.fromkeys(("system", "system_prompt", "system_message", "instructions", "instruction", "persona"), "prompt"),
    **dict.fromkeys(("llm", "model_name", "engine"), "model"),
    **dict.fromkeys(("name", "title", "display_name"), "label"),
    **dict.fromkeys(("goal", "backstory", "summary"), "description"),
    **dict.fromkeys(("max_new_tokens", "num_predict", "max_output_tokens", "max_completion_tokens"), "max_tokens"),
    **dict.fromkeys(("context", "context_window", "context_length", "n_ctx", "max_context"), "num_ctx"),
    **dict.fromkeys(("response_format", "schema", "output_schema", "json_schema", "output"), "format"),
    **dict.fromkeys(("reasoning", "thinking", "reasoning_effort"), "think"),
    **dict.fromkeys(("base_url", "url", "endpoint", "api_base"), "host"),
    **dict.fromkeys(("hears", "listens_to"), "sees"),
    "provider": "backend",
    "temp": "temperature",
}

LIMITS = {
    **dict.fromkeys(("max_rounds", "max_iterations", "max_round", "rounds", "max_messages"), "max_turns"),
    **dict.fromkeys(("max_seconds", "max_duration", "total_timeout"), "max_time"),
    **dict.fromkeys(("token_budget", "max_total"), "max_total_tokens"),
    **dict.fromkeys(("max_retries", "retry"), "retries"),
}

STEPS = {
    **dict.fromkeys(("role", "agent", "speak", "speaker", "ask", "turn"), "say: {value}"),
    **dict.fromkeys(("if", "condition"), "the step with the key when: {value}"),
    **dict.fromkeys(("loop", "while", "foreach", "rounds", "cycle"), "repeat: [steps], with times or until"),
    "for": "repeat: [steps], with for: {value} and in",
    **dict.fromkeys(("switch", "select", "route", "pick", "next"), "choose: [roles], with by"),
    **dict.fromkeys(("concurrent", "fork", "async", "gather"), "parallel: [steps]"),
    **dict.fromkeys(("call", "include", "pipeline", "chat", "subflow"), "scene: [steps] or a pipeline's file"),
    **dict.fromkeys(("assign", "let", "var"), "set: {{name: value}}"),
    **dict.fromkeys(("message", "print", "note", "announce", "user"), "post: {value}"),
    **dict.fromkeys(("stop", "break", "exit", "return", "finish"), "end: {value}"),
}
"""What to write for a step; ``{value}`` is a short text that was given."""


def key_for(key: str, known: Mapping[str, Any] | list[str]) -> str:
    """Return what to write for a key that other tools have, where these keys are known; else an empty text."""
    tables = (("roles", PIPELINE), ("model", ROLE), ("max_turns", LIMITS))
    return next((table[key.lower()] for mark, table in tables if mark in known and key.lower() in table), "")


def step_for(step: Mapping[str, Any]) -> tuple[str, str]:
    """Return the key of a step that other tools have for its kind, and what to write for it; empty where none is."""
    for key in sorted(step, key=lambda one: list(STEPS).index(one) if one in STEPS else len(STEPS)):
        if key in STEPS:
            value = step[key]
            is_short = isinstance(value, str) and len(value) <= 30 and "\n" not in value
            return key, STEPS[key].format(value=value if is_short else "…")
    return "", ""


__all__ = ["check", "explain"]

MAX_KINDS = 3
"""A key that belongs to more kinds of steps than these is ascribed to none."""


def check(document: Any, schema: Callable[[], dict[str, Any]] = pipeline_schema) -> Iterator[Problem]:
    """Yield everything in which a document is not as the schema says: that of a pipeline, or another one of ours."""
    try:
        errors = json_schema.errors(document, _whole(schema), {"pattern": _pattern})
    except RecursionError:
        yield Problem((), "the steps are nested too deeply to be checked")
        return
    except json_schema.TooManyChecks:
        yield Problem((), "it has too many mistakes, or is too large, to be checked")
        return
    roles = document.get("roles") if isinstance(document, Mapping) else None
    explainer = _Explainer([str(name) for name in roles] if isinstance(roles, Mapping) else [])
    unclear = [tuple(error.absolute_path) for error in errors if error.validator == "oneOf"]
    for error in errors:
        path = tuple(error.absolute_path)
        if error.validator == "oneOf" or not any(path[: len(one)] == one for one in unclear):
            yield from explainer.explain(error, path)


@cache
def _whole(schema: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    return schema()


def _pattern(validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[Any]:
    """Match as JSON Schema says and the models do: ``$`` is the end, not the place before a last line break."""
    from jsonschema import ValidationError

    if validator.is_type(instance, "string") and not re.search(re.sub(r"\$(?=$|[|)])", r"\\Z", pattern), instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def explain(error: Any, path: Path) -> Iterator[Problem]:
    """Put one error of jsonschema's about what is at a path into sentences."""
    yield from _Explainer([]).explain(error, path)


class _Explainer:
    """Puts the errors of jsonschema into sentences; it knows the names of the roles, to ask whether one was meant."""

    def __init__(self, roles: list[str]) -> None:
        self._roles = roles

    def explain(self, error: Any, path: Path) -> Iterator[Problem]:
        """Explain what is wrong at a path."""
        value, wanted = error.instance, error.validator_value
        match error.validator:
            case "anyOf":
                yield from self._alternatives(error, path)
            case "oneOf":
                yield _which_kind(path, value)
            case "additionalProperties":
                yield from _unknown_keys(path, value, list(error.schema.get("properties", {})))
            case "required":
                for key in [key for key in wanted if key not in value]:
                    yield Problem(path, f"the key {key!r} is missing{within(path)}", key=True)
            case "type":
                hint = _map_of_roles(value) if path == ("roles",) else advice(value, error.schema)
                yield _wrong(path, value, expected(error.schema), hint)
            case "pattern" if wanted == NAME:
                is_key = "propertyNames" in list(error.schema_path)[-2:]
                yield self._bad_name((*path, value) if is_key else path, value, is_key=is_key)
            case keyword if keyword in EMPTY and not value:
                name = f"{path[-1]!r}" if path and isinstance(path[-1], str) else "this"
                yield Problem(path, f"{name} is {shown(value)}, and needs {EMPTY[keyword]}")
            case keyword:
                yield _wrong(path, value, bound(keyword, wanted), advice(value, {keyword: wanted}))

    def _alternatives(self, error: Any, path: Path) -> Iterator[Problem]:
        """Speak about the alternative that was meant: the one whose type fits; about all of them where none does."""
        branches: dict[int, list[Any]] = {}
        for inner in error.context:
            branches.setdefault(inner.schema_path[0], []).append(inner)
        for inners in branches.values():
            if not any(_is_another(inner) for inner in inners):
                for inner in inners:
                    yield from self.explain(inner, (*path, *inner.path))
                return
        words = one_of(expected(branch) for branch in error.validator_value)
        yield _wrong(path, error.instance, words, advice(error.instance, {"anyOf": error.validator_value}))

    def _bad_name(self, path: Path, name: str, *, is_key: bool) -> Problem:
        meant = "" if is_key or name in self._roles else nearest(name, self._roles)
        hint = f"Did you mean {meant!r}?" if meant else f"Write {as_name(name)!r}." if as_name(name) else ""
        message = f"{name!r} is no name; a name has small letters, digits and _, and begins with a letter"
        return Problem(path, message, hint, key=is_key)


def _is_another(error: Any) -> bool:
    """Return whether an alternative was not meant at all: another type, or text of another form."""
    form = error.validator == "pattern" and error.validator_value != NAME
    return not error.path and (form or error.validator in ("type", "const", "enum"))


def _map_of_roles(value: Any) -> str:
    """Return an example of a map of roles, with the names of a list that was given in its place."""
    items = value if isinstance(value, list) else []
    named = [item.get("name", item.get("role")) if isinstance(item, dict) else item for item in items]
    names = [name for item in named if isinstance(item, str) and (name := as_name(item))] or ["anna", "ben"]
    roles = ", ".join(f"{name}: {{model: …, prompt: …}}" for name in names[:2])
    return f"Roles are a map of names: roles: {{{roles}{', …' if len(names) > 2 else ''}}}."


def _wrong(path: Path, value: Any, wanted: str, hint: str = "") -> Problem:
    if value is None and path:
        what = f"the key {path[-1]!r}" if isinstance(path[-1], str) else "this item of the list"
        return Problem(path, f"{what} has no value", f"Give it {wanted}.", key=True)
    return Problem(path, f"{shown(value)} was given{within(path)}, and {wanted} was expected", hint)


def _unknown_keys(path: Path, value: Mapping[str, Any], known: list[str]) -> Iterator[Problem]:
    for key in [key for key in value if key not in known]:
        meant, hint = _home(key, known)
        if not hint and (written := key_for(key, known)):
            meant, hint = written if written in known else "", f"Here that is {written!r}."
        meant = meant or ("" if hint else nearest(key, known))
        hint = hint or (f"Did you mean {meant!r}?" if meant else f"The keys here are {', '.join(known)}.")
        message = f"unknown key {key!r}{within(path)}"
        if value[key] is None and (" " in key.strip() or not meant):
            message += ", and it has no value"
            hint = "A comma ends a text without quotes: if this belongs to the text before it, put all of it in quotes."
        yield Problem((*path, key), message, hint, key=True, meant=meant)


def _home(key: str, known: Collection[str]) -> tuple[str, str]:
    """Return where a key belongs that is one elsewhere in a pipeline; before it, the key here under which that is."""
    from llm_gc.analysis.rules.bad_option import KNOWN

    if "options" in known and key in KNOWN:
        return "options", f"Write it under 'options': options: {{{key}: …}}."
    if not {"roles", "model", "max_turns", *KINDS}.intersection(known):
        return "", ""  # of what is here nothing belongs to a role
    kinds = [repr(kind) for kind, model in KINDS.items() if key != kind and key in _keys(model)]
    homes = kinds if len(kinds) <= MAX_KINDS and not {*KINDS}.isdisjoint(known) else []
    homes += ["a role", "'defaults'"] if key in Role.model_fields else []
    homes += ["'limits'"] if key in Limits.model_fields else []
    return "", f"It is a key of {one_of(homes)}." if homes else ""


def _keys(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def _which_kind(path: Path, value: Mapping[str, Any]) -> Problem:
    found = [key for key in value if key in KINDS]
    if len(found) > 1:
        names = f"{', '.join(map(repr, found[:-1]))} and {found[-1]!r}"
        return Problem((*path, found[1]), f"a step is one thing, and this one has the keys {names}", key=True)
    message = "this step is none of the kinds that there are"
    key, written = step_for(value)
    if written:
        return Problem((*path, key), message, f"Write {written}.", key=True)
    for key in value:
        if hint := near(key, KINDS):
            return Problem((*path, key), message, hint, key=True)
    return Problem(path, message, f"A step has one of the keys {', '.join(KINDS)}.")
