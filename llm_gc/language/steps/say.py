"""say: a role speaks once."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from llm_gc.language.base import Name, Positive, Step, Temperature, Template, Text
from llm_gc.language.fields import Format, Sees
from llm_gc.protocol import Flow, Scope, TurnSpec


class SpeakingStep(Step):
    """The keys of every step in which somebody speaks."""

    instruction: Text | None = Field(
        None,
        description="What the role is told for this turn; it stays in its own later requests, no other role sees it.",
        examples=["Answer in one sentence."],
    )
    sees: Sees | None = Field(
        None,
        description="What the role hears for this turn, in place of its own `sees`.",
        examples=["none", {"from": "others", "last": 1}],
    )
    format: Format | None = Field(
        None,
        description="The structure of this reply, in place of the role's `format`.",
        examples=[{"score": {"type": "integer"}}],
    )
    max_tokens: Positive | None = Field(None, description="The most tokens of this reply.", examples=[200])
    temperature: Temperature | None = Field(None, description="The temperature for this turn.", examples=[0.2])
    as_: Name | None = Field(
        None, alias="as", description="A name for the message, for templates to come.", examples=["draft"]
    )
    result: Template | None = Field(
        None,
        description="What the others hear in place of its content; where it is empty, nobody hears it.",
        examples=["My answer: {{ last.data.answer }}"],
    )
    speaker: Template | None = Field(
        None, description="The label under which the others hear it, in place of the role's.", examples=["Expert"]
    )

    def speech(self, role: str) -> TurnSpec:
        """Return what the step says about the turn of ``role``."""
        given = (self.instruction, self.sees, self.format, self.max_tokens, self.temperature)
        return TurnSpec(role, *given, self.result, self.speaker, self.as_)


class Say(SpeakingStep):
    """The role speaks once. A role's bare name is short for ``say`` with nothing else."""

    kind: ClassVar[str] = "say"

    say: Name = Field(description="The role that speaks.", examples=["implementer"])

    def run(self, scope: Scope) -> Flow:
        """Run a turn of the role."""
        yield from scope.speak(self.speech(self.say))
