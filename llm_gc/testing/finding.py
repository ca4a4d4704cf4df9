"""Finds test files: those that are named, those of pipelines that are named, and all those in folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from llm_gc import files
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
        paths = list(_in_folder(Path(name))) if Path(name).is_dir() else [_file(name)]
        if not paths:
            raise UsageError(f"there is no test file in {name}; one is called NAME{TEST_SUFFIX}")
        for path in paths:
            found.setdefault(path.resolve(), path)
    return list(found.values())


def _in_folder(folder: Path) -> Iterator[Path]:
    for at, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith(".") and one not in SKIPPED)
        yield from (Path(at) / name for name in sorted(names) if name.endswith(TEST_SUFFIX))


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
