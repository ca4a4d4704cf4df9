"""set: variables, for the templates and expressions to come."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from llm_gc.language.base import ExpressionOrData, Name, Step
from llm_gc.protocol import Flow, Scope


class Set(Step):
    """Evaluate the expressions in order; each sees the variables before it. What is not text stands for itself."""

    kind: ClassVar[str] = "set"

    set: dict[Name, ExpressionOrData] = Field(
        min_length=1,
        description="Names, each with the expression that gives its value.",
        examples=[{"score": "last.data.score", "notes": []}],
    )

    def run(self, scope: Scope) -> Flow:
        """Set them."""
        for name, expression in self.set.items():
            value: Any = scope.evaluate(f"set.{name}", expression)
            scope.set(name, value)
        yield from ()
