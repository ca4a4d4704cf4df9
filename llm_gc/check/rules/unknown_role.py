"""unknown-role: a step, a stop or a `sees` names a role that is not declared under `roles`.

Bad:   turns: [revewer]   with roles: {implementer: …, reviewer: …}
Good:  turns: [reviewer]
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from llm_gc.check.problem import Problem
from llm_gc.check.shape import near
from llm_gc.pipeline import Pipeline, Stop
from llm_gc.protocol import Path
from llm_gc.steps.choose import RANDOM, Choose
from llm_gc.steps.fields import View
from llm_gc.steps.say import Say


def check(pipeline: Pipeline, _prompts: Mapping[str, str]) -> Iterator[Problem]:
    """Report every name of a role that is none."""
    known = list(pipeline.roles)
    for path, name, extra in _named(pipeline, ()):
        if name not in known and name not in extra:
            declared = ", ".join(known)
            yield Problem(path, f"{name!r} is no role; the roles are {declared}", near(name, [*known, *extra]))


def _choice(step: Choose, path: Path) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    """Give the roles that a choice names: who may speak, who chooses, and who speaks else."""
    if isinstance(step.choose, list):
        yield from (((*path, "choose", index), name, ()) for index, name in enumerate(step.choose))
    elif isinstance(step.choose, dict):
        for name, followers in step.choose.items():
            yield (*path, "choose", name), name, ()
            yield from (((*path, "choose", name, index), other, ()) for index, other in enumerate(followers))
    if "{" not in step.by and not step.by.endswith(".j2"):
        yield (*path, "by"), step.by, (RANDOM,)
    if step.else_ is not None:
        yield (*path, "else"), step.else_, ()


def _named(value: Any, path: Path) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    """Give every place that names a role, with what it may name besides."""
    match value:
        case Say():
            yield (*path, "say"), value.say, ()
        case Choose():
            yield from _choice(value, path)
        case Stop() if value.role:
            yield (*path, "role"), value.role, ()
        case View() if isinstance(value.from_, list):
            for name in value.from_:
                yield path, name, ("narrator",)
            return
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            yield from _named(getattr(value, name), (*path, field.alias or name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _named(item, (*path, index))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _named(item, (*path, key))
