"""bad-with: what `with` gives to the pipeline of a scene does not fit the inputs that its file declares.

Bad:   scene: team.yaml, with: {tsak: "{{ last }}", rounds: three}       no `with`, where an input has no default
Good:  scene: team.yaml, with: {task: "{{ last }}", rounds: 3}

What a template gives is known only when it is rendered: the conversation fails there if it does not fit.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.analysis.wording import advice
from llm_gc.language.inputs import misfits
from llm_gc.language.steps.scene import Scene
from llm_gc.protocol import Path
from llm_gc.values.did_you_mean import near, nearest


def check(subject: RuleContext) -> Iterator[Problem]:
    for path, scene in subject.models:
        if isinstance(scene, Scene) and isinstance(scene.scene, str) and scene.scene in subject.scenes:
            yield from _held(subject, path, scene, scene.scene, subject.scenes[scene.scene].inputs)


def _held(
    subject: RuleContext, path: Path, scene: Scene, file: str, inputs: Mapping[str, Mapping[str, Any]]
) -> Iterator[Problem]:
    """Hold what a scene gives against the inputs of its file."""
    given, at, meant = scene.with_ or {}, (*path, "with"), set[str]()
    for name, value in given.items():
        if name not in inputs:
            meant.add(nearest(name, inputs))
            hint = near(name, inputs) or f"Its inputs are {', '.join(inputs)}."
            yield Problem((*at, name), f"{file!r} has no input {name!r}", hint if inputs else "", key=True)
        else:
            yield from _fitted(subject, (*at, name), value, inputs[name])
    has_with = scene.with_ is not None
    if not has_with and not subject.whole:
        return  # it may have been cut away
    for name, schema in inputs.items():
        if "default" not in schema and name not in given and name not in meant:
            message = f"{file!r} needs the input {name!r}, which has no default"
            where = at if has_with else (*path, "scene")
            yield Problem(where, message, f"Write with: {{{name}: …}}.", key=has_with)


def _fitted(subject: RuleContext, path: Path, value: Any, schema: Mapping[str, Any]) -> Iterator[Problem]:
    """Hold one value against the schema of its input; of what a template will give nobody knows."""
    if isinstance(value, str) and not subject.is_constant(value):
        return
    try:
        given = subject.worked_out(value)
    except ValueError:
        return  # it fails, and gives nothing
    for inside, wrong in misfits(given, schema):
        message = f"this does not fit the input {path[-1]!r}: {wrong}"
        yield Problem((*path, *inside), message, advice(value, {"type": schema.get("type", [])}))
