"""Plays the cases of test files, and collects their verdicts and coverage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from llm_gc.core import Conversation, TraceEvent
from llm_gc.errors import LlmGcError, TemplateError
from llm_gc.files import locations
from llm_gc.testing.comparing import Mismatch, compare
from llm_gc.testing.coverage import Coverage
from llm_gc.testing.reading import CaseSuite, read
from llm_gc.testing.scripted import Script
from llm_gc.testing.scripted import play as play_script


@dataclass(frozen=True)
class Verdict:
    """What became of a case. ``seconds`` are those that it took to play."""

    suite: CaseSuite
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


def play(suite: CaseSuite, index: int, visit: Callable[[TraceEvent], object] | None = None) -> Verdict:
    """Play one case; ``visit`` is told which steps, branches and stops are reached."""
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


@dataclass
class TestedFile:
    """A test file and what became of it; ``broken`` is why it could not be played at all."""

    path: Path
    verdicts: list[Verdict] = field(default_factory=list)
    left_out: int = 0
    broken: LlmGcError | None = None

    @property
    def file(self) -> str:
        """What it is called."""
        return locations.relative(self.path)

    @property
    def passed(self) -> int:
        """How many cases came out as expected."""
        return sum(verdict.passed for verdict in self.verdicts)

    @property
    def failed(self) -> list[Verdict]:
        """The cases that did not."""
        return [verdict for verdict in self.verdicts if not verdict.passed]

    @property
    def seconds(self) -> float:
        """The time that its cases took."""
        return sum(verdict.seconds for verdict in self.verdicts)


@dataclass
class CaseRun:
    """Several test files; ``covered`` has what their cases came to, by pipeline."""

    paths: Sequence[Path]
    chosen: Callable[[str], bool] = lambda _: True
    tested: list[TestedFile] = field(default_factory=list)
    covered: dict[Path, Coverage] = field(default_factory=dict)

    def go(self) -> Iterator[TestedFile]:
        """Play them, file by file."""
        for path in self.paths:
            tested = TestedFile(path)
            try:
                self._play(read(path), tested)
            except LlmGcError as error:
                tested.broken = error
            self.tested.append(tested)
            yield tested

    def _play(self, suite: CaseSuite, tested: TestedFile) -> None:
        coverage = self.covered.setdefault(Path(suite.pipeline).resolve(), Coverage(suite.bare()))
        for index, case in enumerate(suite.cases.cases):
            if self.chosen(f"{tested.file} {case.name}"):
                tested.verdicts.append(play(suite, index, coverage.visited.add))
            else:
                tested.left_out += 1
