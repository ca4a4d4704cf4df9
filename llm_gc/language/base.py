"""What every step kind has in common: its place among the kinds, and ``when``."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

from llm_gc.protocol import Flow, PromptFile, Scope

NAME = r"^[a-z][a-z0-9_]*$"
DYNAMIC = r"\{[{%]|\.j2$"

Name = Annotated[str, Field(pattern=NAME)]
Template = Annotated[str, Field(json_schema_extra={"x-llm-gc": "template"})]


_FILE = re.compile(r"\A[^\s{}]+\.(?:j2|md|txt)")


def read_text(value: str) -> str:
    """Return a text, or the name of the prompt file that it is."""
    return PromptFile(value) if _FILE.fullmatch(value) else value


Text = Annotated[Template, AfterValidator(read_text)]
"""A template that people read: one word that ends in .j2, .md or .txt is the name of a file under ``prompts/``."""

Dynamic = Annotated[str, Field(pattern=DYNAMIC, json_schema_extra={"x-llm-gc": "template"})]
"""A template in the place of a value that is no text: it must have braces, so that a misspelt value is no template."""


def read_whole(value: Any) -> Any:
    """To JSON Schema 3.0 is a whole number: what it accepts, the models accept."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, Field(ge=0), BeforeValidator(read_whole)]
Positive = Annotated[int, Field(ge=1), BeforeValidator(read_whole)]
Count = Whole | Dynamic
AtLeastOne = Positive | Dynamic
Seed = Annotated[int, Field(ge=0, le=2**31 - 1), BeforeValidator(read_whole)] | Dynamic
Temperature = Annotated[float, Field(ge=0)] | Dynamic
Expression = Annotated[str, Field(min_length=1, json_schema_extra={"x-llm-gc": "expression"})]
Items = Expression | list[Any]
"""A list, or an expression that gives one."""

ExpressionOrData = Annotated[Any, Field(json_schema_extra={"x-llm-gc": "expression"})]
"""An expression; a value that is not text stands for itself."""

KINDS: dict[str, type[Step]] = {}
"""The registry, filled by ``llm_gc.language.steps``: the key that makes a step what it is, and its class."""


class Strict(BaseModel):
    """A frozen model that refuses unknown keys and converts nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_null(cls, value: Any) -> Any:
        if isinstance(value, dict) and None in value.values():
            raise ValueError("a key has no value")
        return value


class Step(Strict):
    """A step of a conversation; ``kind`` is the key that it is known by."""

    kind: ClassVar[str]

    when: Expression | None = Field(
        None, description="A Jinja expression; the step is passed over where it is false.", examples=["turn > 2"]
    )

    def run(self, scope: Scope) -> Flow:
        """Do what the step does, in ``scope``.

        A conversation may be begun in the middle. A step that holds steps is then run from its beginning all the same,
        and continues among them: so all that it calls before are ``number("times")`` for ``rounds`` and ``items("in")``
        for ``each``, which give what they gave. Whatever else looks at the conversation, or changes it, is refused.
        """
        raise TypeError(f"{type(self).__name__} has no run")

    def otherwise(self, scope: Scope) -> Flow:
        """Do what is to be done where ``when`` is false: nothing, for most kinds."""
        yield from ()


def read_step(value: Any) -> Step:
    """Read a step as the kind that its key names, before anything else in it is read."""
    if isinstance(value, Step):
        return value
    if isinstance(value, str):
        value = {"say": value}
    if not isinstance(value, dict):
        raise ValueError("a step is the name of a role, or a map")
    kinds = list(KINDS.keys() & value.keys())
    if len(kinds) != 1:
        raise ValueError(f"a step has exactly one of the keys {', '.join(KINDS)}")
    return KINDS[kinds[0]].model_validate(value)


AnyStep = Annotated[Step, PlainValidator(read_step), WithJsonSchema({"x-llm-gc": "step"})]
