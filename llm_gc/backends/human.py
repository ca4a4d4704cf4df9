"""A person in a role: asked on a terminal, or answering from a list that was written beforehand.

People take no time: nothing that they do counts for ``max_time``, and no deadline runs for them. What a person answers
is held against the reply's format at once, so that nothing ever has to be repaired.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol, TypeVar

from llm_gc.backends.base import Asked, Facts, Notify, ignore
from llm_gc.backends.form import Blank, blanks, read_at_once
from llm_gc.conversation import Files
from llm_gc.conversation.structured import parse
from llm_gc.errors import Unanswered
from llm_gc.pipeline import Pipeline
from llm_gc.protocol import Ask, Casting, Failure, Reply

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
        """Give what the person writes.

        Raises:
            Unanswered: where there is no answer any more.

        """

    def refuse(self, ask: Ask, why: str) -> None:
        """Say that the answer will not do; it is asked for again.

        Raises:
            Unanswered: where asking again would be no use.

        """


class Human:
    """The backend that is a person."""

    def __init__(self, asker: Asker) -> None:
        """Get the answers from ``asker``."""
        self._asker = asker

    async def preflight(self, castings: Sequence[Casting], load_timeout: float, notify: Notify = ignore) -> Facts:
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
        """Have every blank filled in; give the data that comes of it."""
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
        """Give ``answers`` in order."""
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
    """Give the roles that are people, those of the pipelines of scenes too."""
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
    """Give what is written in a blank, as one value or, where it may be left out, none."""
    if text or (blank.required and not blank.spare):
        return (blank.read(_some(text)),)
    return blank.spare
