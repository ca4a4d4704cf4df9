"""end: the conversation ends here, or the scene it is in."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from llm_gc.language.base import Step, Template
from llm_gc.protocol import Flow, Scope
from llm_gc.values.frozen import as_text


class End(Step):
    """End the conversation (inside a scene: the scene), with this reason."""

    kind: ClassVar[str] = "end"

    end: Template = Field(description="Why it ends.", examples=["The estimates agree."])
    failed: bool = Field(
        default=False,
        description="Whether the conversation has then failed: `run` ends with exit code 1.",
        examples=[True],
    )

    def run(self, scope: Scope) -> Flow:
        """End it."""
        scope.end(as_text(scope.render("end", self.end)), failed=self.failed)
        yield from ()
