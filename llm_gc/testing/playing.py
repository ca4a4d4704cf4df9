"""Plays the cases of a test file, and says what became of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

from llm_gc.conversation import Conversation, Visit
from llm_gc.drivers.scripted import Script
from llm_gc.drivers.scripted import play as play_script
from llm_gc.errors import TemplateError
from llm_gc.testing.comparing import compare
from llm_gc.testing.matching import Mismatch
from llm_gc.testing.reading import Suite


@dataclass(frozen=True)
class Verdict:
    """What became of a case. ``seconds`` are those that it took to play."""

    suite: Suite
    index: int
    mismatches: tuple[Mismatch, ...]
    seconds: float

    @property
    def name(self) -> str:
        """The case's name."""
        return self.suite.cases.cases[self.index].name

    @property
    def passed(self) -> bool:
        """Whether all was as expected."""
        return not self.mismatches

    @property
    def line(self) -> int:
        """The line in which the case begins."""
        return self.suite.source.place(("cases", self.index)).line


def play(suite: Suite, index: int, visit: Callable[[Visit], object] | None = None) -> Verdict:
    """Play one case; ``visit`` is told which steps, branches and stops are come to."""
    case, at, start = suite.cases.cases[index], ("cases", index), perf_counter()
    loaded = suite.load(case)
    try:
        conversation = Conversation(loaded.pipeline, suite.inputs(case), loaded.files, visit)
        played = play_script(conversation, Script(case.replies))
        mismatches = list(compare(case, played, at))
        if played.error is not None and mismatches:
            raise played.error
    except TemplateError as error:
        where = loaded.locate(error)
        mismatches = [Mismatch((*at, "name"), "a template fails", (str(where),))]
    return Verdict(suite, index, tuple(mismatches), perf_counter() - start)
