"""What can be checked, and where it is: the kinds of documents, and the files and folders that are named."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llm_gc import source
from llm_gc.errors import Finding, PipelineError, UsageError
from llm_gc.files import locations, opening
from llm_gc.project import STDIN_NAME, Library, PipelineReading, called, real_path

STDIN = "-"


_PASSED_OVER = frozenset(("__pycache__", "node_modules", "sessions"))
"""Folders in which nobody keeps pipelines; those whose names begin with a dot are others."""

_HEAD = 64 * 1024
"""So many bytes of a file tell what it is."""

_TURNS = re.compile(rb"""^(?:turns|extends)[ \t]*:|^\{.*["']?(?:turns|extends)["']?[ \t]*:""", re.MULTILINE)
_ROLES, _NAME = (re.compile(rb"^" + key + rb"[ \t]*:", re.MULTILINE) for key in (b"roles", b"name"))
_SCHEMA = re.compile(rb"^#[ \t]*yaml-language-server:.*pipeline\.schema\.json", re.MULTILINE)


@dataclass(frozen=True)
class CheckedDocument:
    """A file to check: its path, and what it is called in messages.

    With a ``root`` it was found in a folder that was named, and is read beneath that alone.
    """

    path: Path
    file: str
    root: Path | None = None

    @property
    def real(self) -> Path:
        """The path in the folder that it really is in."""
        return self.path.parent.resolve() / self.path.name


@dataclass(frozen=True)
class DocumentKind:
    """A kind of document: how a file of it is told from others by its name and its first bytes, and how it is checked.

    ``check`` is given the document and its bytes.
    """

    name: str
    is_one: Callable[[Path, bytes], bool]
    check: Callable[[Library, CheckedDocument, bytes], Sequence[Finding]]


def _is_pipeline(path: Path, head: bytes) -> bool:
    return bool(_SCHEMA.search(head) or _TURNS.search(head) or (_ROLES.search(head) and _NAME.search(head)))


def _check_pipeline(library: Library, document: CheckedDocument, content: bytes) -> Sequence[Finding]:
    try:
        read = library.put(locations.source_of(content, document.file), real_path(document.path), document.root)
    except PipelineError as error:
        return error.findings
    return PipelineReading(library).examine(read).findings


def _is_test(path: Path, _head: bytes) -> bool:
    return path.name.endswith(locations.TEST_SUFFIX)


def _check_test(library: Library, document: CheckedDocument, content: bytes) -> Sequence[Finding]:
    from llm_gc.testing import reading  # only who has tests pays for its import

    read = library.take(locations.source_of(content, document.file), real_path(document.path), document.root)
    return read.faults or reading.check(read, document.path)


KINDS = [DocumentKind("test", _is_test, _check_test), DocumentKind("pipeline", _is_pipeline, _check_pipeline)]
"""The registry; the last kind is that of a file that was named and is of no other."""


@dataclass
class FoundDocuments:
    """The files to check, each with what it is called, and those that were passed over since they are of no kind."""

    documents: list[CheckedDocument] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def find(names: Sequence[str]) -> FoundDocuments:
    """Find the documents that are named, or lie in a folder that is; each of them once, in order of the names.

    ``wrong`` are the names that lead nowhere, and why.
    """
    found, seen = FoundDocuments(), set[Path]()
    for name in names:
        if name == STDIN:
            found.documents.append(CheckedDocument(Path(STDIN), STDIN_NAME))
            continue
        try:
            if Path(name).is_dir():
                inside = _in_folder(Path(name), found)
            else:
                path = locations.find(name)
                inside = [CheckedDocument(path, called(name, path))]
        except (OSError, UsageError) as error:
            found.wrong.append(str(error))
            continue
        for document in inside:
            real = real_path(document.path)
            if real not in seen:
                seen.add(real)
                found.documents.append(document)
    return found


def _in_folder(folder: Path, found: FoundDocuments) -> list[CheckedDocument]:
    """Return the documents in a folder and all folders in it, in order of their names; note the other YAML files."""
    locations.check_folder(folder)
    inside, root = [], opening.project_root(folder.resolve())
    for path in _yaml_files(folder, found.wrong):
        document = CheckedDocument(path, str(path), root)
        try:
            head = read(document, _HEAD)
        except UsageError as error:
            found.wrong.append(str(error))
            continue
        if any(kind.is_one(path, head) for kind in KINDS):
            inside.append(document)
        else:
            found.passed_over.append(str(path))
    if not inside:
        found.wrong.append(f"there is no pipeline and no test in the folder {folder}")
    return inside


def read(document: CheckedDocument, most: int = source.MAX_BYTES) -> bytes:
    """Read a document, or one byte more than ``most`` of it.

    Raises:
        UsageError: where it cannot be read.

    """
    path = document.path if document.root is None else document.real
    return locations.read_bytes(path, document.file, document.root, most)


def _yaml_files(folder: Path, wrong: list[str]) -> Iterator[Path]:
    """Yield the YAML files in a folder and all folders in it; say what is ``wrong`` with those nobody can look into."""

    def unreadable(error: OSError) -> None:
        wrong.append(f"{error.filename} {locations.why_unread(error)}")

    for root, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(one for one in folders if not one.startswith(".") and one not in _PASSED_OVER)
        yield from (Path(root, name) for name in sorted(names) if name.endswith((".yaml", ".yml")))


def check(library: Library, document: CheckedDocument, content: bytes) -> Sequence[Finding]:
    """Check one document, as what it is.

    Raises:
        UsageError: where it is too large to be read.

    """
    kind = next((one for one in KINDS if one.is_one(document.path, content[:_HEAD])), KINDS[-1])
    return kind.check(library, document, content)
