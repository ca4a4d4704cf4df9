"""repeat: its steps again and again, until they say so or the count is reached."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from llm_gc.protocol import Flow, Scope
from llm_gc.steps.base import AnyStep, Expression, Step, Template


class Repeat(Step):
    """Run the steps up to ``times`` times, or until ``until`` holds after a round."""

    kind: ClassVar[str] = "repeat"

    repeat: list[AnyStep] = Field(min_length=1, description="The steps of one round.", examples=[["anna", "ben"]])
    times: int | Template | None = Field(
        None,
        description="How many rounds at most; without it the loop also ends after a round in which nobody spoke.",
        examples=[3, "{{ rounds }}"],
    )
    until: Expression | None = Field(
        None, description="An expression, looked at after each round; true ends the loop.", examples=["'yes' in last.content"]
    )

    def run(self, scope: Scope) -> Flow:
        """Go round."""
        times = None if self.times is None else scope.number("times", self.times)
        for round_ in scope.rounds(times):
            yield from round_.run("repeat", self.repeat)
            if self.until is not None and round_.evaluate("until", self.until):
                return
