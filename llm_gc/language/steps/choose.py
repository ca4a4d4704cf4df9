"""choose: one of several roles speaks; a role, chance or a template says which."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import Field

from llm_gc.language.base import Dynamic, Name, Template
from llm_gc.language.steps.say import SpeakingStep
from llm_gc.protocol import Flow, Scope

RANDOM = "random"

Names = Annotated[list[Name], Field(min_length=1)]
Followers = Annotated[dict[Name, list[Name]], Field(min_length=1)]


class Choose(SpeakingStep):
    """One of the roles speaks. Where there is nobody to choose, or a template chooses none, nobody does.

    A choice by a role is no turn: it is recorded, and nobody hears it.
    """

    kind: ClassVar[str] = "choose"

    choose: Names | Dynamic | Followers = Field(
        description="Who may speak: a list, a template for one, or a map from the newest speaker to who may follow.",
        examples=[["anna", "ben"], {"anna": ["ben"], "ben": ["anna"]}],
    )
    by: Template = Field(
        min_length=1,
        description="Who chooses: a role, `random`, or a template that gives a name.",
        examples=["moderator", RANDOM],
    )
    allow_repeat: bool | None = Field(
        None,
        description="Whether the role that spoke last may be chosen; where absent only a map can say so, by naming it.",
    )
    else_: Name | None = Field(
        None,
        alias="else",
        description="Who speaks when the choice fails or strays; the first allowed where absent.",
        examples=["anna"],
    )

    def run(self, scope: Scope) -> Flow:
        """Choose, and let the chosen one speak."""
        allowed = self._allowed(scope)
        if not allowed:
            return
        chosen = yield from self._chosen(scope, allowed)
        if chosen is not None:
            yield from scope.speak(self.speech(chosen))

    def _allowed(self, scope: Scope) -> list[str]:
        previous, choice = scope.previous(), self.choose
        if isinstance(choice, dict):
            names: Sequence[Any] = choice.get(previous, list(choice)) if previous else list(choice)
        else:
            names = scope.listed("choose", choice) if isinstance(choice, str) else choice
        known = scope.roles()
        allowed = [name for name in dict.fromkeys(map(str, names)) if name in known]
        repeat = isinstance(choice, dict) if self.allow_repeat is None else self.allow_repeat
        return [name for name in allowed if repeat or name != previous]

    def _chosen(self, scope: Scope, allowed: list[str]) -> Generator[Any, Any, str | None]:
        fallback = self.else_ if self.else_ is not None else allowed[0]
        if self.by == RANDOM:
            return allowed[scope.draw(len(allowed))]
        if self.by in scope.roles():
            return (yield from scope.pick(self.by, allowed, fallback))
        name = scope.render("by", self.by)
        if name is None or not str(name).strip():
            return None
        return str(name).strip() if str(name).strip() in allowed else fallback
