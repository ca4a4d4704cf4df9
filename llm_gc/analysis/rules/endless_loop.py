"""endless-loop: nothing but the default limit of 100 turns ends a loop.

Bad:   turns: [{repeat: [anna, ben]}]
Bad:   turns: [{repeat: [{choose: {anna: [ben], ben: [anna]}, by: random}]}]     where everybody has a successor
Good:  turns: [{repeat: [anna, ben], times: 5}]
Good:  turns: [{repeat: [anna, ben]}]            with a stop, or with limits: {max_turns: 20}

What ends a loop: `times`, `for`, an `until`, an `end` in it, a `stop` of its conversation or scene, a limit that the
file itself sets, or a round in which nobody needs to speak.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.analysis.termination import is_endless
from llm_gc.errors import Severity
from llm_gc.language.limits import Limits
from llm_gc.language.steps.end import End
from llm_gc.language.steps.repeat import Repeat
from llm_gc.language.steps.scene import Scene
from llm_gc.language.texts import models

WHOLE = True
SEVERITY: Severity = "warning"

READS = COSTS = frozenset(("max_turns", "max_total_tokens", "max_time", "repetition"))


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report every loop that neither itself nor anything around it ends."""
    pipeline = subject.pipeline
    scenes = {path: model for path, model in subject.models if isinstance(model, Scene)}
    for path, model in subject.models:
        if not isinstance(model, Repeat) or not is_endless(subject, model) or _ends(model.repeat):
            continue
        around = [scenes[path[:end]] for end in range(len(path)) if path[:end] in scenes]
        stops: Sequence[Any] = around[-1].stop or () if around else pipeline.stop
        if not stops and not any(map(_is_set, [pipeline.limits, *(scene.limits for scene in around)])):
            hint = "Give it times, until or for, or give the pipeline a stop, or limits: {max_turns: …}."
            message = f"nothing ends this loop but the default limit of {pipeline.limits.max_turns} turns"
            yield Problem((*path, "repeat"), message, hint, key=True)


def _is_set(limits: Limits | None) -> bool:
    return limits is not None and bool(limits.model_fields_set & COSTS)


def _ends(steps: Sequence[Any]) -> bool:
    """Return whether an `end` among the steps ends the loop; one inside a scene ends the scene alone."""
    return any(isinstance(model, End) and "scene" not in path for path, model in models(list(steps)))
