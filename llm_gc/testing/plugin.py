"""The pytest plugin: ``pytest pipelines/`` collects ``*.test.yaml``, one item for each case.

Every run of pytest in this environment imports it, so nothing else is imported here before a test file is found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from llm_gc.testing.reading import CaseSuite


SUFFIX = ".test.yaml"

HEAD = 4 * 1024 * 1024
"""So many bytes of a file are looked at: a longer one is not read as YAML either."""


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take a test file."""
    return PytestFile.from_parent(parent, path=file_path) if _is_ours(file_path) else None


def _is_ours(path: Path) -> bool:
    """Return whether a file is a test file of ours: it has cases, or a pipeline beside it."""
    if not path.name.endswith(SUFFIX):
        return False
    if path.with_name(path.name.removesuffix(SUFFIX) + ".yaml").is_file():
        return True
    from llm_gc.files.opening import read_file

    try:
        content = read_file(path, HEAD)
    except (OSError, ValueError):  # a named pipe, or what nobody may read
        return False
    return re.search(rb"^[^\w\n]*cases[^\w\n]*:", content, re.MULTILINE) is not None


class PytestFile(pytest.File):
    """A test file."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield an item for each of its cases.

        Raises:
            pytest.Collector.CollectError: where it cannot be played, with everything that is wrong in it.

        """
        from llm_gc.errors import LlmGcError
        from llm_gc.testing.reading import read
        from llm_gc.values.safe_text import one_line

        try:
            suite = read(self.path)
        except LlmGcError as error:
            raise self.CollectError("\n".join(map(one_line, error.lines))) from None
        for index, case in enumerate(suite.cases.cases):
            yield PytestItem.from_parent(self, name=one_line(case.name), suite=suite, index=index)


class PytestItem(pytest.Item):
    """A case."""

    def __init__(self, *, suite: CaseSuite, index: int, **more: Any) -> None:
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
        from llm_gc.testing.verdicts import failure
        from llm_gc.values.safe_text import one_line

        verdict = play(self._suite, self._index)
        if not verdict.passed:
            _, *lines = failure(verdict)
            raise Unexpected("\n".join(map(one_line, lines)))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show what is not as expected in our own words, and anything else as pytest does."""
        return str(excinfo.value) if isinstance(excinfo.value, Unexpected) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return where it is, the line counted from 0, and what it is called.

        With the file before it, for pytest would take the dots in a bare name for those between modules.
        """
        return self.path, self._line - 1, f"{self.path.name}: {self.name}"


class Unexpected(Exception):
    """A case did not come out as expected; the text says all."""
