"""similar-labels: two roles bear labels that look alike, or a role one that looks like the narrator's.

Bad:   roles: {pro: {label: Bot}, con: {label: BOT}}      roles: {teller: {label: Narrator}}
Good:  roles: {pro: {label: For}, con: {label: Against}}  roles: {teller: {label: Storyteller}}

Whoever hears them cannot tell who says what. Capitals, accents, and letters of other scripts that look the same make
no difference. A number behind another role's label is what a copy of that role is called after a `parallel`.
"""

from collections.abc import Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import Severity
from llm_gc.language.labels import Labels
from llm_gc.language.steps.say import SpeakingStep
from llm_gc.language.steps.scene import Scene
from llm_gc.protocol import Path

SEVERITY: Severity = "warning"
AFTER = ("taken-name",)

NARRATOR = "Narrator"
HINT = "Give it a 'label' of its own."


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report each label that looks like another one."""
    owners: dict[str, str] = {}
    for name, role in subject.pipeline.roles.items():
        path: Path = ("roles", name, "label") if role.label else ("roles", name)
        label = role.label or name
        like = Labels([NARRATOR, *owners]).like(label)
        if like is not None:
            message = f"{label!r} looks like {_whose(like, owners)}: a role that hears them cannot distinguish them"
            yield Problem(path, message, HINT, key=not role.label)
        owners.setdefault(label, name)
    for path, model in subject.models:
        speaker = model.speaker if isinstance(model, (SpeakingStep, Scene)) else None
        if speaker and speaker not in subject.pipeline.roles and Labels([NARRATOR]).like(speaker):
            message = f"{speaker!r} looks like the narrator's label: a role that hears it takes it for a 'post'"
            yield Problem((*path, "speaker"), message, "Give it another label.")


def _whose(label: str, owners: dict[str, str]) -> str:
    if label not in owners:
        return "the narrator's label"
    return f"{label!r}, the label of {owners[label]!r}"
