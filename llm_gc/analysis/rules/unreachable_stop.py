"""unreachable-stop: a stop of the conversation waits for words that are only said inside scenes.

Bad:   turns: [{scene: [critic, author]}]                  stop: [{token: DONE, role: critic}]
Good:  turns: [{scene: [critic, author], stop: [DONE]}]

A scene has stops of its own; what it leaves outside is its result, and no reply.
"""

from collections.abc import Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import Severity
from llm_gc.language.steps.choose import Choose
from llm_gc.language.steps.say import Say
from llm_gc.language.steps.scene import Scene
from llm_gc.protocol import Path

WHOLE = True
SEVERITY: Severity = "warning"
AFTER = ("unknown-role", "bad-stop")


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report the stops of the pipeline whose speakers speak in scenes alone."""
    scenes = {path for path, model in subject.models if isinstance(model, Scene)}
    outside = {role for path, role in _speakers(subject) if not any(path[:end] in scenes for end in range(len(path)))}
    inside = {role for _, role in _speakers(subject)} - outside
    for index, stop in enumerate(subject.pipeline.stop):
        if (stop.role in inside) if stop.role else (not outside and inside):
            who = f"{stop.role!r} speaks" if stop.role else "everybody speaks"
            message = f"{who} in scenes alone, and what is said there does not end what is around them"
            yield Problem(("stop", index), message, "Give the scene this stop.")


def _speakers(subject: RuleContext) -> Iterator[tuple[Path, str]]:
    """Return the roles that may speak, with the paths of their steps."""
    everybody = list(subject.pipeline.roles)
    for path, model in subject.models:
        if isinstance(model, Say):
            yield path, model.say
        elif isinstance(model, Choose):
            listed = model.choose if isinstance(model.choose, list) else everybody
            yield from ((path, role) for role in listed)
