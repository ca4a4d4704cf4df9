"""What stays the same for a whole conversation: the pipeline, its inputs, who plays whom, and the limits in numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

from llm_gc.core.copies import NARRATOR
from llm_gc.core.trace import TraceEvent
from llm_gc.errors import TemplateError
from llm_gc.language.control_tokens import MASK, broken, masked_tokens, starts
from llm_gc.language.limits import Repetition, Retries
from llm_gc.language.pipeline import Limits, Pipeline, Render
from llm_gc.language.steps.say import SpeakingStep
from llm_gc.language.steps.scene import Scene
from llm_gc.language.texts import models
from llm_gc.protocol import Message, ModelConfig, Path, Speaker
from llm_gc.templates import Lookup, Templates, is_file
from llm_gc.values.frozen import FrozenDict, as_text, freeze
from llm_gc.values.units import seconds


class Repeats(NamedTuple):
    """How many equal messages in a row are too many: of one speaker, or ``across`` all of them."""

    times: int
    across: bool = False


class Tries(NamedTuple):
    """How often a request is sent again, and for how many seconds a server that has gone away is waited for."""

    number: int
    restart: float


RESTART = 15.0
"""The seconds of ``Tries.restart`` where nobody gives them, and requests are sent again at all."""


@dataclass(frozen=True, slots=True)
class ResolvedLimits:
    """Limits with their templates rendered: counts, and seconds. ``max_tokens`` is None where nobody wrote it."""

    max_turns: int | None
    max_tokens: int | None
    max_total_tokens: int | None
    max_time: float | None
    timeout: float
    first_token: float | None
    gap: float | None
    reply_time: float | None
    load_timeout: float
    retries: Tries
    repairs: int
    on_error: Literal["continue", "stop"]
    on_overflow: Literal["stop", "drop_oldest"]
    repetition: Repeats | None


_COSTS = ("max_turns", "max_total_tokens", "max_time", "repetition")
_DURATIONS = ("max_time", "timeout", "first_token", "gap", "reply_time", "load_timeout")
_LEAST = {"repairs": 0, "max_turns": 0, "repetition": 2}


def resolve_limits(
    limits: Limits, path: Path, render: Render, around: ResolvedLimits | None = None, *, keep_costs: bool = False
) -> ResolvedLimits:
    """Return the limits in numbers.

    A scene takes over what is ``around`` it where it says nothing: how a reply is waited for and what is done about a
    failure. What it may cost it does not take over, since what is around it counts that too; with ``keep_costs`` it
    does: the limits are then laid over those of the same pipeline.

    Raises:
        TemplateError: where a template fails, or gives no number that fits.

    """
    values: dict[str, Any] = {}
    for bound in fields(ResolvedLimits):
        key = bound.name
        if around is not None and key not in limits.model_fields_set:
            values[key] = None if key in _COSTS and not keep_costs else getattr(around, key)
            continue
        is_default = key == "max_tokens" and key not in limits.model_fields_set
        value = None if is_default else getattr(limits, key)
        if isinstance(value, Repetition):
            times = render((*path, key, "times"), value.times)
            values[key] = Repeats(whole_number(times, (*path, key, "times"), 2), value.across)
            continue
        if key == "retries":
            values[key] = _tries(value, (*path, key), render)
            continue
        value = render((*path, key), value)
        if value is not None and key in _DURATIONS:
            value = _seconds(value, (*path, key))
        elif value is not None and not key.startswith("on_"):
            value = whole_number(value, (*path, key), _LEAST.get(key, 1))
        values[key] = Repeats(int(value)) if key == "repetition" and value is not None else value
    return ResolvedLimits(**values)


def _tries(value: Any, path: Path, render: Render) -> Tries:
    if not isinstance(value, Retries):
        times = whole_number(render(path, value), path)
        return Tries(times, RESTART if times else 0.0)
    times = whole_number(render((*path, "times"), value.times), (*path, "times"))
    return Tries(times, _seconds(render((*path, "restart"), value.restart), (*path, "restart")))


def _seconds(value: Any, path: Path) -> float:
    try:
        return seconds(value)
    except ValueError as error:
        raise TemplateError(str(error), path=path) from error


def whole_number(value: Any, path: Path, least: int = 0) -> int:
    """Return a rendered value as a whole number; text that reads as one is one.

    Raises:
        TemplateError: where it is none, or below ``least``.

    """
    if isinstance(value, str) and re.fullmatch(r"\s*[-+]?[0-9]{1,18}\s*", value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TemplateError(f"this gives {value!r}, and a whole number was expected", path=path)
    if value < least:
        raise TemplateError(f"this gives {value}, and at least {least} was expected", path=path)
    return value


Draw = Callable[[str, int], int]
"""Draws at a place (the front of an ask's id) a number below a count."""


@dataclass(frozen=True)
class Files:
    """What a pipeline names besides itself: the texts of its prompt files, and the pipelines of its scenes."""

    prompts: Mapping[str, str] = field(default_factory=dict)
    scenes: Mapping[str, tuple[Pipeline, Files]] = field(default_factory=dict)


class RunContext:
    """The constants of one conversation, worked out before its first step."""

    def __init__(
        self,
        pipeline: Pipeline,
        inputs: Mapping[str, Any],
        files: Files,
        visit: Callable[[TraceEvent], object] | None = None,
        draw: Draw | None = None,
    ) -> None:
        """Work them out. ``visit`` is told what is reached, and changes nothing; ``draw`` draws in place of the seed.

        Raises:
            TemplateError: where a template over the inputs fails.

        """
        self.pipeline = pipeline
        self.files = files
        self.visit, self.draw = visit, draw
        self.templates = Templates.over(files.prompts)
        self.inputs: FrozenDict = freeze(inputs)
        self.castings: Mapping[str, ModelConfig] = pipeline.castings(self.render_input)
        self.bounds = resolve_limits(pipeline.limits, ("limits",), self.render_input)
        self.seed = pipeline.seed or 0
        self.roles = FrozenDict(
            (name, freeze({"name": name, "label": role.label or name, "description": role.description or "",
                           "model": self.castings[name].model}))
            for name, role in pipeline.roles.items()
        )  # fmt: skip
        self._systems: dict[str, str] = {}
        self._settled: dict[str, tuple[frozenset[str], Any]] = {}
        self._labels = {
            name: re.compile(_label_at_start(about["label"]), re.IGNORECASE) for name, about in self.roles.items()
        }

    def system(self, role: str, lookup: Lookup) -> str:
        """Render a role's system prompt; once, where it depends on nothing that changes."""
        if role in self._systems:
            return self._systems[role]
        path, prompt = ("roles", role, "prompt"), self.pipeline.roles[role].prompt or ""
        text = self.sent(path, prompt, lookup)
        if self.templates.template(prompt).names <= {"role", "roles", *self.inputs}:
            self._systems[role] = text
        return text

    def sent(self, path: Path, template: Any, lookup: Lookup) -> str:
        """Render a text that a model is sent, so that no value in it can act on the model server's tokenizer.

        Control tokens are broken, also one that is put together of two values; those alone are left which are
        wholly in the author's own text. To know these, the text is rendered once more with the author's tokens masked.

        Raises:
            TemplateError: with the path.

        """
        text = as_text(self.render(path, template, lookup))
        return broken(text, self.authored(template, lookup, text))

    def authored(self, template: Any, lookup: Lookup, text: str) -> frozenset[int]:
        """Return the numbers of the control tokens in ``text``, which a template gave, that are the author's own."""
        found = starts(text)
        if not found or not isinstance(template, str):
            return frozenset()
        source = template if is_file(template) else masked_tokens(template)
        try:
            masked = as_text(self._masked.template(source)(lookup))
        except TemplateError:
            return frozenset()
        if len(masked) != len(text):  # what is rendered depends on the author's tokens: nobody can tell whose they are
            return frozenset()
        return frozenset(number for number, at in enumerate(found) if masked[at] == MASK)

    @cached_property
    def _masked(self) -> Templates:
        """The templates, their files with the control tokens in them masked."""
        return Templates({name: masked_tokens(source) for name, source in self.files.prompts.items()})

    def render_input(self, path: Path, value: Any) -> Any:
        """Render a template over the inputs alone."""
        return self.render(path, value, self.inputs.__getitem__)

    def render(self, path: Path, value: Any, lookup: Lookup) -> Any:
        """Render the template at ``path``; what is not text stands for itself.

        Raises:
            TemplateError: with the path.

        """
        if not isinstance(value, str):
            return value
        try:
            return self.templates.template(value)(lookup)
        except TemplateError as error:
            raise error.at(path) from error

    def settled(self, template: str, names: Container[str]) -> Any:
        """Return what a template gives that reads nothing but the inputs, rendered once; None for any other.

        ``names`` are those that the conversation has set, which come before the inputs.
        """
        if template not in self._settled:
            try:
                used = self.templates.template(template).names
                value = self.render_input((), template) if all(name in self.inputs for name in used) else None
            except TemplateError:
                used, value = frozenset(), None  # whoever renders it says so, and where
            self._settled[template] = (used, value)
        used, value = self._settled[template]
        return None if any(name in names for name in used) else value

    def evaluate(self, path: Path, expression: str, lookup: Lookup) -> Any:
        """Evaluate the expression at ``path``.

        Raises:
            TemplateError: with the path.

        """
        try:
            return self.templates.expression(expression)(lookup)
        except TemplateError as error:
            raise error.at(path) from error

    def relabelled(self, message: Message, before: Speaker, after: Speaker) -> Message:
        """Return a message with the label of who its speaker is now; one that its step has labelled keeps that."""
        if before.role not in self.roles:
            return message
        label = self._label(after)
        if message.label == label or message.label not in (self._label(before), self.roles[before.role]["label"]):
            return message
        return replace(message, label=label)

    def _label(self, speaker: Speaker) -> str:
        """Return what the others call a speaker after a block; the copies of a role are numbered from the second on."""
        label: str = self.roles[speaker.role]["label"]
        return f"{label} {speaker.copy + 1}" if speaker.copy else label

    @cached_property
    def participants(self) -> frozenset[str]:
        """The labels that are known before anybody speaks: those of the roles, the narrator, scenes and steps."""
        labels = [NARRATOR.capitalize(), *(about["label"] for about in self.roles.values())]
        for _, model in models(self.pipeline.turns):
            if isinstance(model, (SpeakingStep, Scene)) and model.speaker and model.speaker not in self.roles:
                labels += [model.speaker] if "{" not in model.speaker else []
            elif isinstance(model, Scene):
                labels.append(model.as_ or "scene")
        return frozenset(labels)

    def without_label(self, role: str, content: str) -> str:
        """Return a reply without its speaker's own label at its front."""
        return self._labels[role].sub("", content, count=1)


def _label_at_start(label: str) -> str:
    """A label as models write it at the front: with a colon, perhaps in bold, perhaps as a heading."""
    return rf"\A\s*(?:#+\s*)?(?P<bold>\*\*|__)?{re.escape(label)}(?: [0-9]+)?(?:(?P=bold):|:(?P=bold)|:)[ \t]*"
