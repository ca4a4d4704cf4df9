"""The pytest plugin: ``pytest pipelines/`` collects ``*.test.yaml``, one item for each case.

Every run of pytest in this environment imports it, so nothing else is imported here before a test file is found.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from llm_gc.testing.reading import Suite

SUFFIX = ".test.yaml"


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take a test file."""
    return CaseFile.from_parent(parent, path=file_path) if file_path.name.endswith(SUFFIX) else None


class CaseFile(pytest.File):
    """A test file."""

    def collect(self) -> Iterator[pytest.Item]:
        """Give an item for each of its cases.

        Raises:
            pytest.Collector.CollectError: where it cannot be played, with everything that is wrong in it.

        """
        from llm_gc.errors import LlmGcError
        from llm_gc.testing.reading import read

        try:
            suite = read(self.path)
        except LlmGcError as error:
            raise self.CollectError(str(error)) from None
        for index, case in enumerate(suite.cases.cases):
            yield CaseItem.from_parent(self, name=case.name, suite=suite, index=index)


class CaseItem(pytest.Item):
    """A case."""

    def __init__(self, *, suite: Suite, index: int, **more: Any) -> None:
        """Keep which one it is."""
        super().__init__(**more)
        self._suite, self._index = suite, index
        self._line = suite.source.place(("cases", index)).line

    def runtest(self) -> None:
        """Play it.

        Raises:
            Unexpected: where something is not as the case expects it.

        """
        from llm_gc.testing.playing import play
        from llm_gc.testing.report import failure

        verdict = play(self._suite, self._index)
        if not verdict.passed:
            _, *lines = failure(verdict)
            raise Unexpected("\n".join(lines))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show what is not as expected in our own words, and anything else as pytest does."""
        return str(excinfo.value) if isinstance(excinfo.value, Unexpected) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Give where it stands, the line counted from 0, and what it is called.

        With the file before it, for pytest would take the dots in a bare name for those between modules.
        """
        return self.path, self._line - 1, f"{self.path.name}: {self.name}"


class Unexpected(Exception):
    """A case did not come out as expected; the text says all."""
