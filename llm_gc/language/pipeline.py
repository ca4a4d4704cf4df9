"""The frozen typed models of a pipeline document: Pipeline, Role, Limits, Stop."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field, model_validator

from llm_gc.errors import TemplateError
from llm_gc.language.base import AtLeastOne, Seed, Temperature, Template, Text, Whole
from llm_gc.language.fields import AnyStop, Format, Sees, Stop, View
from llm_gc.language.limits import Limits
from llm_gc.language.steps import AnyStep, Name, Strict
from llm_gc.protocol import ModelConfig, Path

Render = Callable[[Path, Any], Any]
"""Renders the template at a path over inputs alone; what is not text stands for itself."""

LOAD_OPTIONS = ("num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread", "draft_num_predict")
"""The options at which a change makes the server load the model again."""


class Role(Strict):
    """Who speaks: a model and its system prompt, how it samples, and what it hears."""

    model: Template | None = Field(
        None, min_length=1, description="The model, as the server names it.", examples=["llama3.2:3b"]
    )
    prompt: Text | None = Field(
        None,
        description="The system prompt: a template, or the name of a `.j2`, `.md` or `.txt` file under `prompts/`.",
        examples=["m1/reviewer.j2"],
    )
    description: str | None = Field(
        None,
        description="What the role is for, for readers and for those who choose.",
        examples=["Looks for risks and says how to lower them."],
    )
    label: str | None = Field(
        None, min_length=1, description="What the others call it; the role's name where absent.", examples=["Reviewer"]
    )
    temperature: Temperature | None = Field(None, description="The sampling temperature.", examples=[0.2])
    max_tokens: AtLeastOne | None = Field(None, description="The most tokens of one reply.", examples=[512])
    num_ctx: AtLeastOne | None = Field(
        None,
        description=(
            "The context window in tokens; where absent that of another role with the model, else 4,096 or 8,192, "
            "by what can be needed."
        ),
        examples=[8192],
    )
    seed: Seed | None = Field(None, description="A fixed seed for this role, sent as it is.", examples=[7])
    format: Format | None = Field(
        None,
        description="A structured reply: `json`, a JSON Schema or its file, or a map of properties, all required.",
        examples=[{"approved": {"type": "boolean"}}],
    )
    think: bool | Literal["low", "medium", "high", "max"] | None = Field(
        None,
        description="Whether a model that can think does so first; where absent it does not.",
        examples=[True, "low"],
    )
    sees: Sees = Field(
        default_factory=lambda: View.model_validate({}),
        description="What the role hears: `all` (where absent), `none`, `own`, `others`, a list of roles, or a map.",
        examples=["others", ["anna", "narrator"], {"from": "all", "last": 2}],
    )
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="Any other option of the model server, by its name there.",
        examples=[{"top_p": 0.9}],
    )
    human: bool = Field(False, description="Whether a person answers in this role.")
    backend: Literal["ollama", "openai", "embedded"] | None = Field(
        None,
        description=(
            "Who runs the role's model: Ollama (where absent), a server that speaks OpenAI's API, or llm-gc itself "
            "(`embedded`; also for a `.gguf` file where absent)."
        ),
    )
    host: str | None = Field(
        None,
        description="The model server for this role, where it has one of its own.",
        examples=["http://big.example.org:11434"],
    )
    api: Literal["chat", "generate"] = Field(
        "chat", description="How the model is asked: by messages, or by one text that it continues (`generate`)."
    )
    raw: bool = Field(
        False,
        description="With `api: generate`: `prompt` is the whole text, and the model's own template is left out.",
    )

    def casting(self, path: Path, render: Render) -> ModelConfig:
        """Return how the role is played, its templates rendered over the inputs."""
        options = dict(self.options)
        given = {key: getattr(self, key) for key in ("temperature", "num_ctx", "max_tokens", "seed")}
        settled = {
            key: number(render((*path, key), value), (*path, key)) for key, value in given.items() if value is not None
        }
        options |= {key: settled[key] for key in ("temperature", "num_ctx") if key in settled}
        model = "" if self.human else str(render((*path, "model"), self.model or "")).strip()
        if self.model is not None and not model and not self.human:
            raise TemplateError("this gives no name of a model", path=(*path, "model"))
        return ModelConfig(
            model,
            self.host,
            options,
            self.think,
            settled.get("max_tokens"),
            settled.get("seed"),
            self.human,
            self.backend,
            self.api,
            self.raw,
        )


class Pipeline(Strict):
    """A conversation between language models."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        description="A short name, for lists and file names.",
        examples=["m1"],
    )
    description: str | None = Field(
        None,
        description="What the conversation is for.",
        examples=["An implementer plans, a reviewer looks for risks, in turn."],
    )
    extends: str | None = Field(
        None,
        description="A pipeline's file to lay under this one: maps merge, lists and scalars replace, null deletes.",
        examples=["team.yaml"],
    )
    inputs: dict[Name, dict[str, Any]] = Field(
        default_factory=dict,
        description="What it is given: a JSON Schema each, and an option of `llm-gc run` each.",
        examples=[{"task": {"type": "string", "description": "What to do."}}],
    )
    defaults: Role | None = Field(
        None,
        description="Fields for every role that does not give them itself.",
        examples=[{"model": "llama3.2:3b", "num_ctx": 8192}],
    )
    roles: dict[Name, Role] = Field(
        min_length=1,
        description="Who speaks.",
        examples=[{"anna": {"model": "llama3.2:3b", "prompt": "You are brief."}}],
    )
    opening: Text | None = Field(None, description="What everybody reads first.", examples=["Task: {{ task }}"])
    turns: list[AnyStep] = Field(
        min_length=1,
        description="The steps of the conversation, in order.",
        examples=[["anna", {"repeat": ["ben", "anna"], "times": 3}]],
    )
    limits: Limits = Field(
        default_factory=lambda: Limits.model_validate({}),
        description="What it may cost at most.",
        examples=[{"max_turns": 12, "timeout": "60s"}],
    )
    stop: list[AnyStop] = Field(default_factory=list, description="What ends it when it is said.", examples=[["DONE"]])
    result: Template | None = Field(
        None,
        description="A template for what comes out of it; the content of the last message that was heard where absent.",
        examples=["{{ said.poet }}"],
    )
    seed: Whole | None = Field(
        None, description="What all sampling is derived from; drawn and recorded where absent.", examples=[42]
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_roles(cls, value: Any) -> Any:
        """Return every role the fields of ``defaults`` that it has not; a null in a role undoes that default."""
        if not isinstance(value, dict):
            return value
        defaults, roles = value.get("defaults"), value.get("roles")
        if not isinstance(defaults, dict) or not isinstance(roles, dict):
            return value
        filled = {name: _with_defaults(role, defaults) for name, role in roles.items()}
        return {**value, "roles": filled}

    def castings(self, render: Render) -> dict[str, ModelConfig]:
        """Return how each role is played. A role that leaves a load option open takes its model's largest declared one.

        Load options are one set per model for a whole run, since the server loads the model again at each change.

        Raises:
            TemplateError: where a template over the inputs fails.

        """
        cast = {name: self._stopped(role.casting(("roles", name), render)) for name, role in self.roles.items()}
        declared: dict[tuple[str | None, str], dict[str, Any]] = {}
        for casting in cast.values():
            mine = declared.setdefault((casting.host, casting.model), {})
            for key in LOAD_OPTIONS:
                if key in casting.options:
                    mine[key] = max(mine.get(key, casting.options[key]), casting.options[key])
        return {name: _filled(casting, declared[casting.host, casting.model]) for name, casting in cast.items()}

    def _stopped(self, casting: ModelConfig) -> ModelConfig:
        """Return the stop texts of a raw model: it would otherwise write the turns of the others too."""
        if casting.api == "chat" or casting.raw or "stop" in casting.options:
            return casting
        stops = [f"\n{role.label or name}:" for name, role in self.roles.items()]
        return replace(casting, options={**casting.options, "stop": stops})


def _with_defaults(role: Any, defaults: Mapping[str, Any]) -> Any:
    if not isinstance(role, dict):
        return role
    return {key: value for key, value in {**defaults, **role}.items() if value is not None or key not in defaults}


def number(value: Any, path: Path) -> Any:
    """Return a rendered setting as the number that it must be; text that reads as one is one.

    Raises:
        TemplateError: where it is none, or less than there can be.

    """
    is_whole = path[-1] != "temperature"
    if isinstance(value, str) and re.fullmatch(r"\s*[-+]?[0-9]{1,18}(\.[0-9]{1,18})?\s*", value):
        value = float(value) if "." in value else int(value)
    if is_whole and isinstance(value, float) and value.is_integer():
        value = int(value)
    wanted = "a whole number" if is_whole else "a number"
    if isinstance(value, bool) or not isinstance(value, int if is_whole else (int, float)):
        given = "nothing" if value is None else repr(value)
        raise TemplateError(f"this gives {given}, and {wanted} was expected", path=path)
    least = 1 if path[-1] in ("num_ctx", "max_tokens") else 0
    if value < least:
        raise TemplateError(f"this gives {value}, and at least {least} was expected", path=path)
    return value


def _filled(casting: ModelConfig, declared: Mapping[str, Any]) -> ModelConfig:
    options = {**declared, **casting.options}
    return replace(casting, options=options)


__all__ = ["LOAD_OPTIONS", "Limits", "Pipeline", "Render", "Role", "Stop", "number"]
