"""The frozen typed models of a pipeline document: Pipeline, Role, Limits, Stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field, model_validator

from llm_gc.protocol import Casting, Path
from llm_gc.steps import AnyStep, Name, Strict
from llm_gc.steps.base import AtLeastOne, Seed, Temperature, Template, Whole
from llm_gc.steps.fields import AnyStop, Format, Sees, Stop, View
from llm_gc.steps.limits import Limits

Render = Callable[[Path, Any], Any]
"""Renders the template at a path over inputs alone; what is not text stands for itself."""

LOAD_OPTIONS = ("num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread", "draft_num_predict")
"""The options at which a change makes the server load the model anew."""


class Role(Strict):
    """Who speaks: a model and its system prompt, how it samples, and what it hears."""

    model: Template | None = Field(
        None, min_length=1, description="The model, as the server names it.", examples=["llama3.2:3b"]
    )
    prompt: Template | None = Field(
        None,
        description="The system prompt: a template, or the name of a `.j2` file under `prompts/`.",
        examples=["m1/reviewer.j2"],
    )
    description: str | None = Field(None, description="What the role is for, for readers and for those who choose.")
    label: str | None = Field(None, min_length=1, description="What the others call it; the role's name where absent.")
    temperature: Temperature | None = Field(None, description="The sampling temperature.", examples=[0.2])
    max_tokens: AtLeastOne | None = Field(None, description="The most tokens of one reply.", examples=[512])
    num_ctx: AtLeastOne | None = Field(None, description="The context window in tokens.", examples=[8192])
    seed: Seed | None = Field(None, description="A fixed seed for this role, sent as it is.", examples=[7])
    format: Format | None = Field(
        None,
        description="A structured reply: `json`, a JSON Schema, or a map of properties, all of them required.",
        examples=[{"approved": {"type": "boolean"}}],
    )
    think: bool | Literal["low", "medium", "high", "max"] | None = Field(
        None, description="Whether a model that can think does so first; where absent it does not."
    )
    sees: Sees = Field(
        default_factory=lambda: View.model_validate({}),
        description="What the role hears: `all`, `none`, `own`, `others`, a list of roles, or a map.",
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="Any other option of the model server.", examples=[{"top_p": 0.9}]
    )
    human: bool = Field(False, description="Whether a person answers in this role.")
    host: str | None = Field(None, description="The model server for this role, where it has one of its own.")

    def casting(self, path: Path, render: Render) -> Casting:
        """Give how the role is played, its templates rendered over the inputs."""
        options = dict(self.options)
        for key in ("temperature", "num_ctx"):
            value = getattr(self, key)
            if value is not None:
                options[key] = render((*path, key), value)
        fixed = {key: render((*path, key), getattr(self, key)) for key in ("max_tokens", "seed")}
        model = str(render((*path, "model"), self.model or ""))
        return Casting(model, self.host, options, self.think, **fixed, human=self.human)


class Pipeline(Strict):
    """A conversation between language models."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        description="A short name, for lists and file names.",
        examples=["m1"],
    )
    description: str | None = Field(None, description="What the conversation is for.")
    inputs: dict[Name, dict[str, Any]] = Field(
        default_factory=dict,
        description="What it is given: a JSON Schema each, and an option of `llm-gc run` each.",
        examples=[{"task": {"type": "string", "description": "What to do."}}],
    )
    defaults: Role | None = Field(None, description="Fields for every role that does not give them itself.")
    roles: dict[Name, Role] = Field(min_length=1, description="Who speaks.")
    opening: Template | None = Field(None, description="What everybody reads first.", examples=["Task: {{ task }}"])
    turns: list[AnyStep] = Field(min_length=1, description="The steps of the conversation, in order.")
    limits: Limits = Field(default_factory=lambda: Limits.model_validate({}), description="What it may cost at most.")
    stop: list[AnyStop] = Field(default_factory=list, description="What ends it when it is said.", examples=[["DONE"]])
    result: Template | None = Field(
        None, description="A template for what comes out of it; the last message's content where absent."
    )
    seed: Whole | None = Field(
        None, description="What all sampling is derived from; drawn and recorded where absent."
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_roles(cls, value: Any) -> Any:
        """Give every role the fields of ``defaults`` that it has not."""
        if not isinstance(value, dict):
            return value
        defaults, roles = value.get("defaults"), value.get("roles")
        if not isinstance(defaults, dict) or not isinstance(roles, dict):
            return value
        filled = {k: {**defaults, **v} if isinstance(v, dict) else v for k, v in roles.items()}
        return {**value, "roles": filled}

    def castings(self, render: Render) -> dict[str, Casting]:
        """Give how each role is played. A role that leaves a load option open takes its model's largest declared one.

        Load options are one set per model for a whole run, since the server loads the model anew at each change.

        Raises:
            TemplateError: where a template over the inputs fails.

        """
        cast = {name: role.casting(("roles", name), render) for name, role in self.roles.items()}
        declared: dict[tuple[str | None, str], dict[str, Any]] = {}
        for casting in cast.values():
            mine = declared.setdefault((casting.host, casting.model), {})
            for key in LOAD_OPTIONS:
                if key in casting.options:
                    mine[key] = max(mine.get(key, casting.options[key]), casting.options[key])
        return {name: _filled(casting, declared[casting.host, casting.model]) for name, casting in cast.items()}


def _filled(casting: Casting, declared: Mapping[str, Any]) -> Casting:
    options = {**declared, **casting.options}
    return replace(casting, options=options)


__all__ = ["LOAD_OPTIONS", "Limits", "Pipeline", "Render", "Role", "Stop"]
