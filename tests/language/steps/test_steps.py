"""Step kinds by themselves: generators, walked with ``next`` and ``send``, against a scope that only takes notes."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Any, cast

import pytest
from pydantic import ValidationError

from llm_gc.language.base import read_step
from llm_gc.language.steps import KINDS, Step
from llm_gc.language.steps.repeat import Repeat
from llm_gc.language.steps.say import Say
from llm_gc.protocol import Flow, Path, Scope, StepProtocol, TurnSpec


class Notes:
    """A scope that yields what it is told to do, and answers expressions from a list."""

    path: Path = ("turns", 0)

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str]] = []

    def run(self, key: str, steps: Sequence[StepProtocol]) -> Flow:
        yield f"run {key}"  # type: ignore[misc]  # what a flow yields is the scope's business

    def speak(self, words: TurnSpec) -> Flow:
        yield words  # type: ignore[misc]

    def rounds(self, times: int | None) -> Iterator[Notes]:
        yield from [self] * (times if times is not None else 5)

    def evaluate(self, key: str, expression: str) -> Any:
        self.asked.append((key, expression))
        return self.answers.pop(0)

    def render(self, key: str, template: Any) -> Any:
        return template

    def number(self, key: str, template: Any) -> int:
        return int(template)


def run(step: Step, notes: Notes) -> list[Any]:
    """Return all that a step yields in such a scope."""
    return walk(step.run(cast(Scope, notes)))


def walk(flow: Flow) -> list[Any]:
    """Return all that a flow yields, sending it nothing."""
    steps: list[Any] = []
    generator: Generator[Any, Any, None] = flow
    try:
        steps.append(next(generator))
        while True:
            steps.append(generator.send(None))
    except StopIteration:
        return steps


def test_say_speaks_once_with_all_that_it_says() -> None:
    """Its keys reach the scope as they are."""
    step = read_step({"say": "anna", "instruction": "Hm.", "max_tokens": 5, "as": "a", "temperature": 0.5})
    (words,) = run(step, Notes())
    assert words == TurnSpec("anna", "Hm.", max_tokens=5, temperature=0.5, name="a")


def test_a_bare_name_is_short_for_say() -> None:
    """``anna`` and ``{say: anna}`` are the same step."""
    assert read_step("anna") == read_step({"say": "anna"}) == Say(say="anna")


def test_repeat_goes_round_so_many_times() -> None:
    """``times`` counts the rounds, zero being none."""
    assert run(read_step({"repeat": ["anna"], "times": 3}), Notes()) == ["run repeat"] * 3
    assert run(read_step({"repeat": ["anna"], "times": 0}), Notes()) == []


def test_repeat_ends_when_until_holds() -> None:
    """It is asked after each round, and what is true ends the loop."""
    notes = Notes(False, "", 1)
    assert run(read_step({"repeat": ["anna"], "until": "done"}), notes) == ["run repeat"] * 3
    assert notes.asked == [("until", "done")] * 3


def test_steps_are_told_apart_by_their_key() -> None:
    """Whatever else is in the map."""
    assert type(read_step({"times": 2, "repeat": ["anna"]})) is Repeat


@pytest.mark.parametrize("value", [3, None, [], {}, {"sya": "anna"}, {"say": "anna", "repeat": ["ben"]}])
def test_what_is_no_step_is_refused(value: Any) -> None:
    """A step is a name or a map with exactly one kind."""
    with pytest.raises((ValueError, ValidationError)):
        read_step(value)


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_every_kind_is_documented(kind: type) -> None:
    """The class and each of its fields say what they are: editors, --help and the manual show that text."""
    assert kind.__doc__
    assert all(field.description for field in kind.model_fields.values())  # type: ignore[attr-defined]
