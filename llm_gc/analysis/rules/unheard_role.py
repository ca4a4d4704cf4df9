"""unheard-role: nobody is sent what a role says, no template reads it, and it is not the result.

Bad:   roles: {scout: {…}, author: {…, sees: own}}     turns: [scout, author]
Good:  roles: {scout: {…}, author: {…, sees: all}}     turns: [scout, author]
"""

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import Severity
from llm_gc.language.fields import Stop
from llm_gc.language.steps.choose import Choose
from llm_gc.language.steps.parallel import Parallel
from llm_gc.language.steps.say import Say, SpeakingStep
from llm_gc.language.steps.scene import Scene
from llm_gc.language.texts import models

WHOLE = True
SEVERITY: Severity = "warning"
AFTER = ("unknown-role", "never-runs")


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report the roles whose replies lead nowhere."""
    turns = [model for _, model in subject.models if isinstance(model, SpeakingStep)]
    if subject.is_unread or any(isinstance(turn, Choose) for turn in turns):
        return  # anybody may follow
    says = [turn for turn in turns if isinstance(turn, Say)]
    read = _read(subject)
    for name in dict.fromkeys(turn.say for turn in says):
        names = {name, *_names_of(subject, name)}
        is_heard = any(_hears(subject, turn, name) for turn in says if turn.say != name)
        if not is_heard and read is not None and read.isdisjoint(names) and not _may_be_result(subject, name):
            message = f"nobody hears what {name!r} says: no other role sees it, and no template reads it"
            hint = "Let a role see it, or read it in a template or in 'result'."
            yield Problem(("roles", name), message, hint, key=True)


def _names_of(subject: RuleContext, name: str) -> Iterator[str]:
    """Return the variables that hold a role's messages, alone or among others."""
    for _, model in subject.models:
        kept = model.as_ if isinstance(model, (SpeakingStep, Parallel, Scene)) else None
        if kept and _speaks(model, name):
            yield kept


def _hears(subject: RuleContext, turn: Say, name: str) -> bool:
    """Return whether the speaker of a step may be sent the words of a role."""
    role = subject.pipeline.roles.get(turn.say)
    seen: Any = turn.sees or (role.sees if role else None)
    who = seen.from_ if seen is not None else "all"
    return who in ("all", "others") or (isinstance(who, list) and name in who)


def _read(subject: RuleContext) -> set[str] | None:
    """Return the roles and names whose messages templates and stops read; None where they may read any."""
    found: set[str] = set()
    for _, compiled in subject.texts:
        for use in compiled.uses if compiled else ():
            second = use.words[1].word if use.name == "said" and len(use.words) > 1 else ""
            if use.name in ("last", "messages") or (use.name == "said" and not second):
                return None
            found.add(second or use.name)
    stops = [model for _, model in subject.models if isinstance(model, Stop)]
    if any(stop.role is None for stop in stops):
        return None
    return found | {stop.role for stop in stops if stop.role}


def _may_be_result(subject: RuleContext, name: str) -> bool:
    """Return whether a role may speak last, in the conversation or in a scene, where that is the result."""
    ends: list[Sequence[Any]] = [subject.pipeline.turns] if subject.pipeline.result is None else []
    scenes = [model for _, model in subject.models if isinstance(model, Scene) and model.result is None]
    ends += [scene.scene for scene in scenes if not isinstance(scene.scene, str)]
    return any(_speaks(step, name) for steps in ends for step in _last(steps))


def _last(steps: Sequence[Any]) -> Iterator[Any]:
    """Return the steps of which each may be the last in which somebody speaks."""
    for step in reversed(steps):
        yield step
        if step.when is None and any(isinstance(model, SpeakingStep) for _, model in models(step)):
            return


def _speaks(step: BaseModel, name: str) -> bool:
    return any(isinstance(model, Say) and model.say == name for _, model in models(step))
