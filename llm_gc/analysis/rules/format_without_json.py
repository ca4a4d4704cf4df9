"""format-without-json: a reply must be JSON, and nothing that the role is told says so.

Bad:   roles: {critic: {model: m, prompt: You judge texts., format: {score: {type: integer}}}}
Good:  roles: {critic: {model: m, prompt: 'You judge texts. Reply with JSON: {"score": 0 to 10}', format: …}}

The server lets the model write nothing but JSON of that form. A model that has not been told writes it badly: it was
about to say something else.
"""

from collections.abc import Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import Severity
from llm_gc.language.steps.say import Say, SpeakingStep

WHOLE = True
SEVERITY: Severity = "warning"
AFTER = ("bad-format", "unreadable-template")


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report every format of a role or a step of which the model is not told."""
    if subject.is_unread:
        return  # what cannot be read may say it
    pipeline = subject.pipeline
    if _says_so(subject, pipeline.opening):
        return
    told = {name for name, role in pipeline.roles.items() if role.human or _says_so(subject, role.prompt)}
    for name in [name for name, role in pipeline.roles.items() if role.format is not None and name not in told]:
        turns = (model for _, model in subject.models if isinstance(model, SpeakingStep) and _may_be_of(model, name))
        if not any(turn.format is None and _says_so(subject, turn.instruction) for turn in turns):
            yield _problem(("roles", name, "format"), f"nothing tells {name!r} to reply with JSON")
    for path, model in subject.models:
        if isinstance(model, SpeakingStep) and model.format is not None and not _says_so(subject, model.instruction):
            untold = [name for name in pipeline.roles if _may_be_of(model, name) and name not in told]
            if untold:
                yield _problem((*path, "format"), f"nothing tells {untold[0]!r} to reply with JSON here")


def _may_be_of(step: SpeakingStep, role: str) -> bool:
    if isinstance(step, Say):
        return step.say == role
    listed = getattr(step, "choose", ())
    return isinstance(listed, str) or role in listed


def _says_so(subject: RuleContext, text: str | None) -> bool:
    return "json" in subject.source(text).lower()


def _problem(path: tuple[str | int, ...], message: str) -> Problem:
    hint = "Say it in its prompt or instruction, best with an example of the reply."
    return Problem(path, message, hint, key=True)
