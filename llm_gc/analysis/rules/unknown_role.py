"""unknown-role: a step, a stop or a `sees` names a role that is not declared under `roles`.

Bad:   turns: [revewer]   with roles: {implementer: …, reviewer: …}
Good:  turns: [reviewer]
"""

from collections.abc import Iterator

from pydantic import BaseModel

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.language.fields import View
from llm_gc.language.pipeline import Stop
from llm_gc.language.steps.choose import RANDOM, Choose
from llm_gc.language.steps.say import Say
from llm_gc.protocol import Path
from llm_gc.values.did_you_mean import near

Named = tuple[Path, str, tuple[str, ...]]
"""Where a role is named, its name, and what may be there besides."""


def check(subject: RuleContext) -> Iterator[Problem]:
    known = list(subject.pipeline.roles)
    for at, model in subject.models:
        for path, name, besides in _named(model, at):
            if name not in known and name not in besides:
                hint = near(name, [*known, *besides]) or f"The roles are {', '.join(known)}."
                yield Problem(path, f"{name!r} is no role", hint, key=path[-1] == name)


def _named(model: BaseModel, path: Path) -> Iterator[Named]:
    """Yield every place at which a model names a role itself."""
    match model:
        case Say():
            yield (*path, "say"), model.say, ()
        case Choose():
            yield from _choice(model, path)
        case Stop(role=str(name)):
            yield (*path, "role"), name, ()
        case View(from_=[*names]):
            yield from (((*path, "from", index), name, ("narrator",)) for index, name in enumerate(names))


def _choice(step: Choose, path: Path) -> Iterator[Named]:
    """Yield the roles that a choice names: who may speak, who chooses, and who speaks else."""
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
