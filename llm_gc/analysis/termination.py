"""How loops and scenes end: how often something runs at least, and whether anything ends it at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llm_gc.analysis.pipeline_facts import PipelineFacts
from llm_gc.language.steps.choose import Choose
from llm_gc.language.steps.do import Do
from llm_gc.language.steps.end import End
from llm_gc.language.steps.parallel import Parallel
from llm_gc.language.steps.repeat import Repeat
from llm_gc.language.steps.say import Say
from llm_gc.language.steps.scene import Scene
from llm_gc.language.texts import models


def min_iterations(subject: PipelineFacts, step: Repeat | Parallel) -> int:
    """Return how often the steps of a loop or block are run at least."""
    if step.for_ is not None or step.in_ is not None:
        return len(step.in_) if isinstance(step.in_, list) else 0
    return 1 if step.times is None else subject.least(step.times)


def is_endless(subject: PipelineFacts, step: Repeat) -> bool:
    """Return whether a loop never ends by itself: what ends it ends all that is around it."""
    if step.times is not None or step.for_ is not None or step.in_ is not None:
        return False
    if step.until is not None and (subject.constant(step.until) is None or subject.constant(step.until)):
        return False
    return _takes_a_turn(subject, step.repeat)


def may_end_early(step: Scene) -> bool:
    """Return whether a scene can end before its last step."""
    return bool(step.stop or step.limits) or any(isinstance(model, End) for _, model in models(step.scene))


def why_never(step: Any) -> str:
    """Return why no step after this one is run."""
    if isinstance(step, End):
        return "everything ends in the step before it"
    if isinstance(step, Repeat):
        return "the loop before it has no end of its own, and what ends it from outside ends this too"
    return "every way through the step before it ends"


def _takes_a_turn(subject: PipelineFacts, steps: Sequence[Any]) -> bool:
    """Return whether somebody speaks whenever these steps are run."""
    return any(step.when is None and _speaks(subject, step) for step in steps)


def _speaks(subject: PipelineFacts, step: Any) -> bool:
    match step:
        case Say():
            return True
        case Choose():
            is_shared = isinstance(step.choose, list) and (len(step.choose) > 1 or bool(step.allow_repeat))
            is_map = isinstance(step.choose, Mapping) and all(step.choose.values())
            return "{" not in step.by and not step.by.endswith(".j2") and (is_shared or is_map)
        case Do():
            return _takes_a_turn(subject, step.do)
        case Repeat():
            return min_iterations(subject, step) > 0 and _takes_a_turn(subject, step.repeat)
        case Parallel():
            return min_iterations(subject, step) > 0 and _takes_a_turn(subject, step.parallel)
        case Scene():
            return not isinstance(step.scene, str) and _takes_a_turn(subject, step.scene)
    return False
