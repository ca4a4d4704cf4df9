"""scene: a conversation of its own inside this one."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from llm_gc.language.base import AnyStep, Name, Step, Template, Text
from llm_gc.language.fields import AnyStop
from llm_gc.language.limits import Limits
from llm_gc.protocol import Flow, SceneSpec, Scope


class Scene(Step):
    """Play steps, or another pipeline, with fresh messages; outside only the result is heard."""

    kind: ClassVar[str] = "scene"

    scene: Annotated[list[AnyStep], Field(min_length=1)] | Annotated[str, Field(min_length=1)] = Field(
        description="Its steps, or the file of another pipeline.", examples=[["anna", "ben"], "team.yaml"]
    )
    with_: dict[Name, Any] | None = Field(
        None,
        alias="with",
        description="The inputs of the other pipeline; texts are templates.",
        examples=[{"task": "{{ last.content }}", "rounds": 2}],
        json_schema_extra={"x-llm-gc": "template"},
    )
    opening: Text | None = Field(
        None, description="What everybody in it reads first; rendered outside.", examples=["Discuss: {{ question }}"]
    )
    speaker: Template | None = Field(
        None,
        description="The label its result is heard under, or the role that it counts as; rendered outside.",
        examples=["The team"],
    )
    result: Template | None = Field(
        None,
        description="What is heard outside, rendered inside; where absent, what was heard last in it. Data stay data.",
        examples=["{{ said.writer }}"],
    )
    stop: list[AnyStop] | None = Field(
        None, min_length=1, description="What ends it when it is said.", examples=[["DONE"]]
    )
    limits: Limits | None = Field(
        None, description="What it may cost at most; what is around it counts it too.", examples=[{"max_turns": 6}]
    )
    as_: Name | None = Field(
        None, alias="as", description="A name for the message that is heard outside.", examples=["verdict"]
    )

    def run(self, scope: Scope) -> Flow:
        """Play it."""
        steps, file = (None, self.scene) if isinstance(self.scene, str) else (self.scene, None)
        inputs = {name: scope.render(f"with.{name}", value) for name, value in (self.with_ or {}).items()}
        given: dict[str, Any] = {"stop": self.stop, "limits": self.limits, "result": self.result}
        yield from scope.play(SceneSpec(steps, file, inputs, self.opening, self.speaker, name=self.as_, **given))
