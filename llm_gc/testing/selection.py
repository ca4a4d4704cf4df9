"""Which test files and which of their cases are run: paths, pipelines, and the expression of ``-k``."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from llm_gc.errors import UsageError
from llm_gc.files import locations, opening
from llm_gc.files.locations import TEST_SUFFIX

Chosen = Callable[[str], bool]


def read(text: str) -> Chosen:
    """Return what tells by a case's name whether it is meant. Words are looked for as they are, in any case.

    Raises:
        ValueError: where it is no such expression.

    """
    words = re.findall(r"\(|\)|[^\s()]+", text)
    if not words:
        raise ValueError("there is no word in it")
    reader = _ExpressionReader(words)
    chosen = reader.either()
    if reader.rest:
        raise ValueError(f"{reader.rest[0]!r} is not allowed there")
    return lambda name: chosen(name.lower())


class _ExpressionReader:
    """Reads an expression from its words, by recursive descent."""

    def __init__(self, words: list[str]) -> None:
        self.rest = words

    def either(self) -> Chosen:
        sides = [self.both()]
        while self._takes("or"):
            sides.append(self.both())
        return lambda name: any(side(name) for side in sides)

    def both(self) -> Chosen:
        sides = [self.one()]
        while self._takes("and"):
            sides.append(self.one())
        return lambda name: all(side(name) for side in sides)

    def one(self) -> Chosen:
        if self._takes("not"):
            inner = self.one()
            return lambda name: not inner(name)
        if self._takes("("):
            inner = self.either()
            if not self._takes(")"):
                raise ValueError("a ')' is missing")
            return inner
        if not self.rest or self.rest[0] in ("and", "or", ")"):
            raise ValueError(
                f"a word is missing before {self.rest[0]!r}" if self.rest else "a word is missing at its end"
            )
        word = self.rest.pop(0).lower()
        return lambda name: word in name

    def _takes(self, word: str) -> bool:
        if self.rest[:1] != [word]:
            return False
        del self.rest[0]
        return True


SKIPPED = ("node_modules", "__pycache__", "build", "dist")
"""Folders in which nothing of an author's is; nor does it in those whose name begins with a dot."""


def find(names: tuple[str, ...]) -> list[Path]:
    """Return the test files that are meant by names, each once, in the order of the names.

    A pipeline's name stands for the test file beside it, be it one of those that ship.

    Raises:
        UsageError: where there is none.

    """
    found: dict[Path, Path] = {}
    for name in names:
        paths = list(_in_folder(Path(name))) if opening.is_folder(Path(name)) else [_named(name)]
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
    locations.check_folder(folder)
    for at, folders, names in os.walk(folder, onerror=_unreadable):
        folders[:] = sorted(one for one in folders if not one.startswith(".") and one not in SKIPPED)
        yield from (Path(at) / name for name in sorted(names) if name.endswith(TEST_SUFFIX))


def _unreadable(error: OSError) -> None:
    raise UsageError(f"{error.filename} {locations.why_unread(error)}") from error


def _named(name: str) -> Path:
    """Return a test file that was named; only then may a link lead out of its folder."""
    path = _file(name)
    real = path.resolve()
    return path if real.is_relative_to(opening.tests_root(path.parent.resolve())) else real


def _file(name: str) -> Path:
    if name.endswith(TEST_SUFFIX):
        if not Path(name).is_file():
            raise UsageError(f"there is no test file {name}")
        return Path(name)
    pipeline = locations.find(name)
    path = pipeline.with_name(pipeline.name.removesuffix(".yaml") + TEST_SUFFIX)
    if not path.is_file():
        raise UsageError(f"there is no test file for {name}; write one as {locations.relative(path)}")
    return path
