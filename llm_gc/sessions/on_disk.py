"""The files of a session: what their bytes are, who holds them, and what a killed process left beside them."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from llm_gc.files.opening import NotAFile, open_file, read_file
from llm_gc.values.frozen import parse

if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    FAR = 2**40
    """A lock there is on bytes: on one that no journal is long enough to have, so that everybody may read."""

    def lock(descriptor: int, *, wait: bool = False) -> bool:
        """Take the lock of an open file; return whether it could be had. A file has one lock for all processes."""
        here = os.lseek(descriptor, 0, os.SEEK_CUR)
        os.lseek(descriptor, FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(descriptor, here, os.SEEK_SET)
        return True

else:
    import fcntl

    def lock(descriptor: int, *, wait: bool = False) -> bool:
        """Take the lock of an open file; return whether it could be had. It goes when the file is closed.

        Where a file system knows no locks, there is nothing to hold and nobody to be told.
        """
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True


def is_gone(descriptor: int, path: Path) -> bool:
    """Check whether an open file has lost its name, or another one has it; where that is not known it has not."""
    try:
        return not os.path.samestat(os.fstat(descriptor), path.stat(follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False


def is_same(descriptor: int, path: Path) -> bool:
    """Return whether an open file is still the one of that name."""
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(descriptor), path.stat())
    return False


CHUNK = 32 * 1024
"""Bytes read at once; most transcripts are whole in fewer."""

_START = b'{"start":'


def is_journal(data: bytes) -> bool:
    """Return whether a file is a journal by how it begins; an empty one was left before the first turn."""
    return _START.startswith(data[: len(_START)])


def has_begun(path: Path) -> bool:
    """Check whether a session has its first line: its process may have been gone before it was whole.

    What is no file, or is gone, has not begun; what cannot be read has, for whoever reads it to say why not.
    """
    try:
        with os.fdopen(open_file(path), "rb", buffering=0) as file:
            data = file.read(CHUNK) or b""
            if not is_journal(data):
                return True
            while data and b"\n" not in data:
                data = file.read(CHUNK) or b""
            return bool(data)
    except (FileNotFoundError, NotAFile):
        return False
    except OSError:
        return True


def read_json(data: bytes) -> Any:
    """Parse JSON, without the numbers that Python reads and JSON does not have.

    Raises:
        ValueError: where it is none.
        RecursionError: where it is nested too deeply.

    """
    return parse(data.decode("utf-8"))


SUFFIXES = (".json", ".jsonl")
PART = ".part"


def clear(folder: Path, names: Collection[str]) -> None:
    """Take away what is left over among these names of files in a folder; what cannot be taken away stays."""
    known = frozenset(names)
    for name in known:
        if name.endswith((".json.part", ".jsonl.part")):
            _clear_part(folder, name, known)
    for name in known:
        if name.endswith(".jsonl") and name.removesuffix("l") in known:
            clear_journal(folder / name)


def clear_journal(journal: Path) -> None:
    """Take away a journal beside which its transcript is, if nothing is in it that the transcript has not."""
    transcript = journal.with_suffix(".json")
    with contextlib.suppress(OSError, ValueError), contextlib.ExitStack() as stack:
        if _hold(stack, transcript) and _hold(stack, journal) and _holds_all(transcript, journal):
            journal.unlink()


def _clear_part(folder: Path, name: str, known: Collection[str]) -> None:
    """Take away a part, unless its session is being written, or is not there: it may then be all that there is."""
    stem = name.removesuffix(PART).rpartition(".")[0]
    beside = [folder / f"{stem}{suffix}" for suffix in SUFFIXES if f"{stem}{suffix}" in known]
    with contextlib.suppress(OSError, ValueError), contextlib.ExitStack() as stack:
        if beside and all(_hold(stack, path) for path in beside):
            (folder / name).unlink()


def _hold(stack: contextlib.ExitStack, path: Path) -> bool:
    """Open a file and take its lock for as long as the stack lasts; return whether it could be had."""
    descriptor = open_file(path, getattr(os, "O_NOFOLLOW", 0))
    stack.callback(os.close, descriptor)
    return lock(descriptor) and is_same(descriptor, path)


def _holds_all(transcript: Path, journal: Path) -> bool:
    """Check whether a transcript is whole, of the same conversation, and has every turn of a journal."""
    *lines, _torn = read_file(journal).split(b"\n")
    if not lines:
        return isinstance(read_json(read_file(transcript)), dict)  # it was killed before its first line
    try:
        whole, (first, *turns) = read_json(read_file(transcript)), map(read_json, lines)
        known = set(map(_id, whole["turns"]))
        return bool(whole["id"] == first["start"]["id"] and known.issuperset(_id(line["turn"]) for line in turns))
    except (KeyError, TypeError, RecursionError):
        return False


def _id(turn: Any) -> str:
    return str(turn["id"])
