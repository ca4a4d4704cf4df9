"""What a pipeline asks of its servers: each role's model and settings, with the place where it asks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from llm_gc.errors import TemplateError
from llm_gc.language.limits import most_tokens
from llm_gc.language.pipeline import Pipeline
from llm_gc.language.steps.choose import Choose
from llm_gc.language.steps.say import Say, SpeakingStep
from llm_gc.language.texts import models
from llm_gc.project import Loaded
from llm_gc.protocol import ModelConfig
from llm_gc.runtime.resolution import needs_of, stages


@dataclass(frozen=True)
class Want:
    """A role and how it is to be played.

    ``reply`` are the tokens that a reply of its may have; ``is_formed`` says whether it is ever asked for a structured
    reply.
    """

    role: str
    casting: ModelConfig
    reply: int = 0
    is_formed: bool = False
    loaded: Loaded | None = field(default=None, compare=False, repr=False)

    def place(self, *path: str) -> str:
        """Return the file, line and column of something about the role."""
        if self.loaded is None:
            return ""
        found = self.loaded.locate(TemplateError("", path=("roles", self.role, *path)))
        return f"{found.file}:{found.line}:{found.column}"


def wants_of(loaded: Loaded, inputs: Mapping[str, Any]) -> list[Want]:
    """Return what all roles want that a model plays, those of the scenes' pipelines too.

    Raises:
        TemplateError: where a template over the inputs fails.

    """
    return [
        Want(
            name,
            replace(casting, needs=known.get(name)),
            most_tokens(casting.max_tokens, stage.bounds.max_tokens),
            _is_formed(where.pipeline, name),
            where,
        )
        for where, stage in stages(loaded, inputs)
        for known in [needs_of(where)]
        for name, casting in stage.castings.items()
        if not casting.human
    ]


def _is_formed(pipeline: Pipeline, role: str) -> bool:
    if pipeline.roles[role].format is not None:
        return True
    steps = (step for _, step in models(pipeline.turns) if isinstance(step, SpeakingStep) and step.format is not None)
    return any(role in _speakers(step, pipeline) for step in steps)


def _speakers(step: SpeakingStep, pipeline: Pipeline) -> Collection[str]:
    match step:
        case Say():
            return [step.say]
        case Choose(choose=list() as listed):
            return listed
        case Choose(choose=dict() as table):
            return {*table, *(name for names in table.values() for name in names)}
    return pipeline.roles
