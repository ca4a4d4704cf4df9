"""unspoken-stop-token: nothing that a role is told mentions the token, so no model can know to write it.

Bad:   stop: [{token: APPROVED, role: critic}]   with a prompt that never says APPROVED
Good:  tell the role in its prompt: "When nothing is left to fix, write on a line of its own: APPROVED"

Prompts, instructions, openings, posts, descriptions and inputs' defaults are looked through; a regular expression is
not, and neither is what a person knows.
"""

from collections.abc import Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import Severity
from llm_gc.language.fields import Stop
from llm_gc.language.steps.choose import Choose
from llm_gc.language.steps.say import Say
from llm_gc.language.stop_tokens import core
from llm_gc.protocol import Path

WHOLE = True
READS = frozenset(("description",))
SEVERITY: Severity = "warning"
AFTER = ("bad-stop", "unknown-role", "unreadable-template")


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report every token that those who could say it have never heard of."""
    if subject.is_unread:
        return  # what cannot be read may say it
    for path, stop in subject.models:
        if not isinstance(stop, Stop) or stop.token is None or stop.match == "regex":
            continue
        roles = subject.pipeline.roles
        speakers = [stop.role] if stop.role in roles else list(roles)
        if any(roles[name].human for name in speakers):
            continue
        told = [text for name in speakers for text in _told(subject, name)]
        token = (core(stop.token) if stop.match == "line" else "") or stop.token
        if any(token in text for text in told):
            continue
        hint = "Tell it in the prompt when to write that."
        if any(token.lower() in text.lower() for text in told):
            hint = "It is mentioned with other capitals; write it the same way."
        who = f"{stop.role!r}" if stop.role in roles else "any role"
        message = f"nothing tells {who} to write {stop.token!r}"
        yield Problem(_at(path, stop), message, hint)


def _at(path: Path, stop: Stop) -> Path:
    return (*path, "token") if stop.model_fields_set - {"token"} else path


def _told(subject: RuleContext, role: str) -> Iterator[str]:
    """Yield everything that a role is told by the author."""
    pipeline = subject.pipeline
    yield subject.source(pipeline.roles[role].prompt)
    yield pipeline.roles[role].description or ""
    yield from (str(value) for value in subject.inputs.values())
    for text, _ in subject.texts:
        if text.path[-1] in ("opening", "post"):
            yield subject.source(text.text)
    for _, model in subject.models:
        if (isinstance(model, Say) and model.say == role) or isinstance(model, Choose):
            yield subject.source(model.instruction)
