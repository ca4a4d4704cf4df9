"""What can be checked, and where it is: the kinds of documents, and the files and folders that are named."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llm_gc import files
from llm_gc.errors import Finding, PipelineError, UsageError
from llm_gc.project import Library, Reading, called

STDIN = "-"
STDIN_NAME = "<stdin>"

_PASSED_OVER = frozenset(("__pycache__", "node_modules", "sessions"))
"""Folders in which nobody keeps pipelines; those whose names begin with a dot are others."""

_HEAD = 64 * 1024
"""So many bytes of a file tell what it is."""

_TURNS = re.compile(rb"""^(?:turns|extends)[ \t]*:|^\{.*["']?(?:turns|extends)["']?[ \t]*:""", re.MULTILINE)
_ROLES, _NAME = (re.compile(rb"^" + key + rb"[ \t]*:", re.MULTILINE) for key in (b"roles", b"name"))
_SCHEMA = re.compile(rb"^#[ \t]*yaml-language-server:.*pipeline\.schema\.json", re.MULTILINE)


@dataclass(frozen=True)
class Kind:
    """A kind of document: how a file of it is told from others by its name and its first bytes, and how it is checked.

    ``check`` is given the bytes, the path, and what the file is called in messages.
    """

    name: str
    is_one: Callable[[Path, bytes], bool]
    check: Callable[[Library, bytes, Path, str], Sequence[Finding]]


def _is_pipeline(path: Path, head: bytes) -> bool:
    return bool(_SCHEMA.search(head) or _TURNS.search(head) or (_ROLES.search(head) and _NAME.search(head)))


def _check_pipeline(library: Library, content: bytes, path: Path, file: str) -> Sequence[Finding]:
    try:
        source = library.put(files.source_of(content, file), path.resolve())
    except PipelineError as error:
        return error.findings
    return Reading(library).examine(source).findings


def _is_test(path: Path, _head: bytes) -> bool:
    return path.name.endswith(files.TEST_SUFFIX)


def _check_test(library: Library, content: bytes, path: Path, file: str) -> Sequence[Finding]:
    from llm_gc.testing import reading  # only who has tests pays for its import

    source = library.take(files.source_of(content, file), path.resolve())
    return source.faults or reading.check(source, path)


KINDS = [Kind("test", _is_test, _check_test), Kind("pipeline", _is_pipeline, _check_pipeline)]
"""The registry; the last kind is that of a file that was named and is of no other."""


@dataclass
class Found:
    """The files to check, each with what it is called, and those that were passed over since they are of no kind."""

    documents: list[tuple[Path, str]] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def find(names: Sequence[str]) -> Found:
    """Find the documents that are named, or lie in a folder that is; each of them once, in order of the names.

    ``wrong`` are the names that lead nowhere, and why.
    """
    found, seen = Found(), set[Path]()
    for name in names:
        if name == STDIN:
            found.documents.append((Path(STDIN), STDIN_NAME))
            continue
        try:
            if Path(name).is_dir():
                inside = _in_folder(Path(name), found)
            else:
                path = files.find(name)
                inside = [(path, called(name, path))]
        except (OSError, UsageError) as error:
            found.wrong.append(str(error))
            continue
        for path, file in inside:
            if path.resolve() not in seen:
                seen.add(path.resolve())
                found.documents.append((path, file))
    return found


def _in_folder(folder: Path, found: Found) -> list[tuple[Path, str]]:
    """Give the documents in a folder and all folders in it, in order of their names; note the other YAML files."""
    inside = []
    for path in _yaml_files(folder):
        try:
            with path.open("rb") as opened:
                head = opened.read(_HEAD)
        except OSError as error:
            found.wrong.append(f"{path} cannot be read: {error.strerror}")
            continue
        if any(kind.is_one(path, head) for kind in KINDS):
            inside.append((path, str(path)))
        else:
            found.passed_over.append(str(path))
    if not inside:
        found.wrong.append(f"there is no pipeline and no test in the folder {folder}")
    return inside


def _yaml_files(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith(".") and one not in _PASSED_OVER)
        yield from (Path(root, name) for name in sorted(names) if name.endswith((".yaml", ".yml")))


def check(library: Library, content: bytes, path: Path, file: str) -> Sequence[Finding]:
    """Check one document, as what it is.

    Raises:
        UsageError: where it is too large to be read.

    """
    kind = next((one for one in KINDS if one.is_one(path, content[:_HEAD])), KINDS[-1])
    return kind.check(library, content, path, file)
