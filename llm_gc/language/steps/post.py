"""post: the narrator says something to everybody."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from llm_gc.language.base import Step, Text
from llm_gc.protocol import Flow, Scope


class Post(Step):
    """Put a message of the narrator's into the conversation; no model is asked, and it is no turn."""

    kind: ClassVar[str] = "post"

    post: Text = Field(description="What everybody hears.", examples=["The median is {{ median }}."])

    def run(self, scope: Scope) -> Flow:
        """Say it; nothing is said where the text is empty."""
        scope.post("post", self.post)
        yield from ()
