"""repeat: its steps again and again, until they say so, the count is reached or the list is done."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import ClassVar

from pydantic import Field

from llm_gc.language.base import AnyStep, Count, Expression, Items, Name, Step
from llm_gc.protocol import Flow, Scope


class Repeat(Step):
    """Run the steps up to ``times`` times, once for each item of a list, or until ``until`` holds after a round.

    Without ``times`` and ``for`` the loop also ends after a round in which nobody took a turn.
    """

    kind: ClassVar[str] = "repeat"

    repeat: list[AnyStep] = Field(min_length=1, description="The steps of one round.", examples=[["anna", "ben"]])
    times: Count | None = Field(
        None,
        description="How many rounds at most; without it the loop also ends after a round in which nobody spoke.",
        examples=[3, "{{ rounds }}"],
    )
    until: Expression | None = Field(
        None,
        description="An expression, looked at after each round; true ends the loop.",
        examples=["'yes' in last.content"],
    )
    for_: Name | None = Field(
        None, alias="for", description="What an item of `in` is called in its round.", examples=["question"]
    )
    in_: Items | None = Field(
        None,
        alias="in",
        description="A list, or an expression that gives one: a round for each item.",
        examples=["last.data.questions", ["red", "blue"]],
    )

    def run(self, scope: Scope) -> Flow:
        """Run the steps again and again."""
        with closing(self._rounds(scope)) as rounds:
            for round_ in rounds:
                yield from round_.run("repeat", self.repeat)
                if self.until is not None and round_.evaluate("until", self.until):
                    return

    def _rounds(self, scope: Scope) -> Generator[Scope]:
        if self.for_ is not None:
            return scope.each(self.for_, scope.items("in", self.in_))
        return scope.rounds(None if self.times is None else scope.number("times", self.times))
