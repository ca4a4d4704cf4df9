"""parallel: steps side by side, none of which hears another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from llm_gc.language.base import AnyStep, Count, Items, Name, Step
from llm_gc.protocol import Flow, Scope


class Parallel(Step):
    """Run each listed step as a branch of its own; a chain is one ``do``.

    ``times``, or ``for`` and ``in``, multiply the list, item by item. Each branch has its own seeds. A role that spoke
    in several is numbered after the block, and hears its copies as others.
    """

    kind: ClassVar[str] = "parallel"

    parallel: list[AnyStep] = Field(min_length=1, description="The branches.", examples=[["anna", "ben"]])
    times: Count | None = Field(None, description="How often the list is run, side by side.", examples=[5])
    for_: Name | None = Field(
        None, alias="for", description="What an item of `in` is called in its branches.", examples=["question"]
    )
    in_: Items | None = Field(
        None,
        alias="in",
        description="A list, or an expression that gives one: the branches once for each item.",
        examples=["questions", ["red", "blue"]],
    )
    as_: Name | None = Field(
        None,
        alias="as",
        description="A name for the list of the branches' last messages, in declared order.",
        examples=["answers"],
    )

    def run(self, scope: Scope) -> Flow:
        """Run the branches, and return what they said a name."""
        items: Sequence[Any] | None = None
        if self.in_ is not None:
            items = scope.items("in", self.in_)
        elif self.times is not None:
            items = range(min(scope.number("times", self.times), 2**31))  # none of them is made before it is needed
        said = yield from scope.together("parallel", self.parallel, items, self.for_)
        if self.as_ is not None:
            scope.set(self.as_, said)
