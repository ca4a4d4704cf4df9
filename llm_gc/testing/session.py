"""One go at test files: each is read, its cases played, and what they came to of the pipelines counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llm_gc import files
from llm_gc.errors import LlmGcError
from llm_gc.testing.coverage import Coverage
from llm_gc.testing.playing import Verdict, play
from llm_gc.testing.reading import Suite, read


@dataclass
class Tested:
    """A test file and what became of it; ``broken`` is why it could not be played at all."""

    path: Path
    verdicts: list[Verdict] = field(default_factory=list)
    left_out: int = 0
    broken: LlmGcError | None = None

    @property
    def file(self) -> str:
        """What it is called."""
        return files.relative(self.path)

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
class Session:
    """Several test files; ``covered`` has what their cases came to, by pipeline."""

    paths: Sequence[Path]
    chosen: Callable[[str], bool] = lambda _: True
    tested: list[Tested] = field(default_factory=list)
    covered: dict[Path, Coverage] = field(default_factory=dict)

    def go(self) -> Iterator[Tested]:
        """Play them, file by file."""
        for path in self.paths:
            tested = Tested(path)
            try:
                self._play(read(path), tested)
            except LlmGcError as error:
                tested.broken = error
            self.tested.append(tested)
            yield tested

    def _play(self, suite: Suite, tested: Tested) -> None:
        coverage = self.covered.setdefault(Path(suite.pipeline).resolve(), Coverage(suite.bare()))
        for index, case in enumerate(suite.cases.cases):
            if self.chosen(f"{tested.file} {case.name}"):
                tested.verdicts.append(play(suite, index, coverage.visited.add))
            else:
                tested.left_out += 1
