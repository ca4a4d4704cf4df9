"""A person as a role: asked on a terminal or answering from a list; structured replies are a form."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from llm_gc.backends.interface import Asked, Facts, Notify, ignore
from llm_gc.core import Files
from llm_gc.core.structured import parse
from llm_gc.errors import Unanswered
from llm_gc.language.pipeline import Pipeline
from llm_gc.protocol import Ask, Failure, ModelConfig, Reply

_TYPES = {"string": "", "boolean": "yes or no", "integer": "a whole number", "number": "a number"}
_SAID = {"yes": True, "y": True, "true": True, "no": False, "n": False, "false": False}
_PLAIN = {"type", "properties", "required", "additionalProperties", "title", "description", "default", "$schema"}
_MOST_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Blank:
    """One thing to fill in: a property of a structured reply or, without a name, all that is answered.

    ``schema`` is none where any text will do.
    """

    name: str = ""
    schema: Any = None
    required: bool = True

    @property
    def choices(self) -> tuple[Any, ...]:
        """What can be chosen from; nothing where it is no choice."""
        about = self._about
        return (about["const"],) if "const" in about else tuple(about.get("enum", ()))

    @property
    def hint(self) -> str:
        """How to fill it in, in a few words; empty where any text will do."""
        if self.choices:
            return "number or name"
        return "" if self.schema is None else _TYPES.get(str(self._about.get("type")), "JSON")

    @property
    def about(self) -> str:
        """What the author of the format says of it."""
        return str(self._about.get("description", ""))

    @property
    def spare(self) -> tuple[Any, ...]:
        """What stands in for it when it is left empty: its default, or nothing."""
        return (self._about["default"],) if self.name and "default" in self._about else ()

    def read(self, text: str) -> Any:
        """Read what is written there.

        Raises:
            ValueError: saying why it will not do.

        """
        if self.schema is None:
            return text
        value = self._value(text)
        _, wrong = parse(json.dumps(value), self.schema)
        if wrong is not None:
            raise ValueError(wrong.removeprefix("at $: "))
        return value

    @property
    def _about(self) -> Mapping[str, Any]:
        return self.schema if isinstance(self.schema, Mapping) else {}

    def _value(self, text: str) -> Any:
        if self.choices:
            return _chosen(text, self.choices)
        type_ = str(self._about.get("type"))
        if type_ == "string":
            return text
        if type_ == "boolean" and text.casefold() in _SAID:
            return _SAID[text.casefold()]
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            expected = _TYPES.get(type_)
            why = f"{text!r} is not {expected}" if expected else f"it is not valid JSON: {error}"
            raise ValueError(why) from error


def blanks(schema: Any) -> tuple[Blank, ...]:
    """Return what is to be filled in: each property of an object by itself, anything else as a whole."""
    if not isinstance(schema, Mapping) or not schema.get("properties") or not set(schema) <= _PLAIN:
        return (Blank(schema=schema),)
    if '"$ref"' in json.dumps(schema):  # what it leads to is outside the property
        return (Blank(schema=schema),)
    required = schema.get("required", ())
    return tuple(Blank(name, about, name in required) for name, about in schema["properties"].items())


def read_at_once(text: str, schema: Any) -> str:
    """Read a whole reply from one text: its JSON or, where the form has but one blank, what is in that.

    Raises:
        ValueError: saying why it will not do.

    """
    _, wrong = parse(text, schema)
    if wrong is None:
        return text
    only, *more = blanks(schema)
    if more or not only.name:
        raise ValueError(wrong)
    return json.dumps({only.name: only.read(text)}, ensure_ascii=False)


def word(choice: Any) -> str:
    """Return a choice as it is read and written."""
    return choice if isinstance(choice, str) else json.dumps(choice, ensure_ascii=False)


def _chosen(text: str, choices: tuple[Any, ...]) -> Any:
    """Return the choice of that name, else the one of that number, counted from 1."""
    words = [word(choice) for choice in choices]
    if text in words:
        return choices[words.index(text)]
    folded = [each.casefold() for each in words]
    if folded.count(text.casefold()) == 1:
        return choices[folded.index(text.casefold())]
    if text.isdecimal() and len(text) <= _MOST_DIGITS and 1 <= int(text) <= len(choices):
        return choices[int(text) - 1]
    raise ValueError(f"{text!r} is none of {', '.join(words)}")


T = TypeVar("T")

NAME = "human"
"""Stands where the model's name would."""

SKIP = "/skip"
"""An answer of only this is none: the turn fails."""


class Asker(Protocol):
    """Whoever gets answers from a person."""

    @property
    def at_once(self) -> bool:
        """Whether a form is filled in with one answer, and not blank by blank."""

    async def answer(self, ask: Ask, blank: Blank) -> str:
        """Return what the person writes.

        Raises:
            Unanswered: where there is no answer any more.

        """

    def refuse(self, ask: Ask, why: str) -> None:
        """Report that the answer will not do; it is asked for again.

        Raises:
            Unanswered: where asking again would be no use.

        """


class Human:
    """The backend that is a person."""

    def __init__(self, asker: Asker) -> None:
        """Get the answers from ``asker``."""
        self._asker = asker

    async def preflight(self, castings: Sequence[ModelConfig], load_timeout: float, notify: Notify = ignore) -> Facts:
        """There is nothing to find out."""
        return Facts(NAME)

    async def reply(self, ask: Ask, notify: Notify = ignore) -> Reply:
        """Ask the person, until the answer will do."""
        notify(Asked(NAME))
        try:
            content = await (self._text(ask) if ask.format is None else self._form(ask))
        except _Skipped:
            return Reply(failure=Failure("empty", f"{ask.label} gave no answer to this."), model=NAME)
        return Reply(content, done_reason="stop", model=NAME)

    async def aclose(self) -> None:
        """There is nothing to let go of."""

    async def _text(self, ask: Ask) -> str:
        return await self._ask(ask, Blank(), _some)

    async def _form(self, ask: Ask) -> str:
        if self._asker.at_once:
            return await self._ask(ask, Blank(schema=ask.format), lambda text: read_at_once(_some(text), ask.format))
        while True:
            content = json.dumps(await self._data(ask), ensure_ascii=False)
            _, wrong = parse(content, ask.format)
            if wrong is None:
                return content
            self._asker.refuse(ask, wrong)

    async def _data(self, ask: Ask) -> object:
        """Ask for every blank, and return the data that results."""
        filled: dict[str, object] = {}
        for blank in blanks(ask.format):
            values = await self._ask(ask, blank, partial(_values, blank=blank))
            if not blank.name:
                return values[0]
            filled.update((blank.name, value) for value in values)
        return filled

    async def _ask(self, ask: Ask, blank: Blank, read: Callable[[str], T]) -> T:
        while True:
            text = (await self._asker.answer(ask, blank)).strip()
            if text == SKIP:
                raise _Skipped
            try:
                return read(text)
            except ValueError as error:
                self._asker.refuse(ask, str(error))


class Answers:
    """The asker that reads from a list; ``source`` says in messages which one that is."""

    at_once = True

    def __init__(self, answers: Sequence[str], source: str = "the answers") -> None:
        """Return ``answers`` in order."""
        self._answers, self._source = [answers] if isinstance(answers, str) else list(answers), source
        self.used = 0

    @property
    def left(self) -> str:
        """What is to be said of answers that nobody asked for; empty where there are none."""
        count = len(self._answers) - self.used
        return f"{count} of {len(self._answers)} answers in {self._source} were not needed" if count else ""

    async def answer(self, ask: Ask, blank: Blank) -> str:
        if self.used == len(self._answers):
            raise Unanswered(f"no answer is left for {ask.label}: all {self.used} in {self._source} were used")
        self.used += 1
        return self._answers[self.used - 1]

    def refuse(self, ask: Ask, why: str) -> None:
        raise Unanswered(f"answer {self.used} in {self._source} will not do for {ask.label}: {why}")


def people(pipeline: Pipeline, files: Files) -> Iterator[str]:
    """Yield the roles that are people, those of the pipelines of scenes too."""
    yield from (name for name, role in pipeline.roles.items() if role.human)
    for scene, inner in files.scenes.values():
        yield from people(scene, inner)


class _Skipped(Exception):  # it is no error: a turn is left by it
    """The person says nothing this time."""


def _some(text: str) -> str:
    if not text:
        raise ValueError(f"an answer is needed; {SKIP} gives none")
    return text


def _values(text: str, blank: Blank) -> tuple[object, ...]:
    """Return what is written in a blank, as one value or, where it may be left out, none."""
    if text or (blank.required and not blank.spare):
        return (blank.read(_some(text)),)
    return blank.spare
