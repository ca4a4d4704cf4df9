"""do: a group of steps, and what to do instead."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from llm_gc.language.base import AnyStep, Step
from llm_gc.protocol import Flow, Scope


class Do(Step):
    """Run the steps one after the other; where ``when`` is false, those under ``else``."""

    kind: ClassVar[str] = "do"

    do: list[AnyStep] = Field(min_length=1, description="The steps of the group.", examples=[["anna", "ben"]])
    else_: list[AnyStep] | None = Field(
        None,
        alias="else",
        min_length=1,
        description="The steps that are run where `when` is false.",
        examples=[["carl"]],
    )

    def run(self, scope: Scope) -> Flow:
        """Run the group."""
        yield from scope.run("do", self.do)

    def otherwise(self, scope: Scope) -> Flow:
        """Run the other group."""
        yield from scope.run("else", self.else_ or [])
