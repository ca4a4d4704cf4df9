"""Finds test files: those that are named, those of pipelines that are named, and all those in folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from llm_gc import files, reader
from llm_gc.errors import UsageError
from llm_gc.files import TEST_SUFFIX

SKIPPED = ("node_modules", "__pycache__", "build", "dist")
"""Folders in which nothing of an author's stands; nor does it in those whose name begins with a dot."""


def find(names: tuple[str, ...]) -> list[Path]:
    """Give the test files that are meant by names, each once, in the order of the names.

    A pipeline's name stands for the test file beside it, be it one of those that ship.

    Raises:
        UsageError: where there is none.

    """
    found: dict[Path, Path] = {}
    for name in names:
        paths = list(_in_folder(Path(name))) if reader.is_folder(Path(name)) else [_named(name)]
        if not paths:
            raise UsageError(f"there is no test file in {name}; one is called NAME{TEST_SUFFIX}")
        for path in paths:
            found.setdefault(path.resolve(), path)
    return list(found.values())


def _in_folder(folder: Path) -> Iterator[Path]:
    """Find the test files in a folder and all folders in it.

    Raises:
        UsageError: where one of them cannot be read: there may be tests in it that nobody would miss.

    """
    files.check_folder(folder)
    for at, folders, names in os.walk(folder, onerror=_unreadable):
        folders[:] = sorted(one for one in folders if not one.startswith(".") and one not in SKIPPED)
        yield from (Path(at) / name for name in sorted(names) if name.endswith(TEST_SUFFIX))


def _unreadable(error: OSError) -> None:
    raise UsageError(f"{error.filename} {files.why_unread(error)}") from error


def _named(name: str) -> Path:
    """Give a test file that was named; a link to one may lead anywhere, and one that was found in a folder may not."""
    path = _file(name)
    real = path.resolve()
    return path if real.is_relative_to(reader.tests_root(path.parent.resolve())) else real


def _file(name: str) -> Path:
    if name.endswith(TEST_SUFFIX):
        if not Path(name).is_file():
            raise UsageError(f"there is no test file {name}")
        return Path(name)
    pipeline = files.find(name)
    path = pipeline.with_name(pipeline.name.removesuffix(".yaml") + TEST_SUFFIX)
    if not path.is_file():
        raise UsageError(f"there is no test file for {name}; write one as {files.relative(path)}")
    return path
