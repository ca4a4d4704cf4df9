"""The only writer of sessions/: a journal while the conversation runs, the transcript when it has ended.

``<UTC timestamp>-<name>.jsonl`` gets its first line before the first turn and one more for each turn, each flushed to
the disk before the next request is sent. At the end the whole transcript is written beside it and takes its place in
one atomic step, so that whatever happens, there is either a journal with every finished turn or a transcript.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from llm_gc.errors import SessionError
from llm_gc.records import Transcript
from llm_gc.sessions.locking import lock
from llm_gc.transcript import dumps

MODE = 0o600
FLAGS = os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0)  # Windows would write two bytes for each end of a line
MAX_SAME_SECOND = 1000


class Journal:
    """The journal of one conversation, and the place of its transcript."""

    def __init__(self, journal: Path, descriptor: int, end: int = 0) -> None:
        """Hold an open journal of ``end`` bytes, and its lock; ``reserve`` makes one."""
        self.id = journal.stem
        self.path = journal
        self.transcript = journal.with_suffix(".json")
        self._descriptor: int | None = descriptor
        self._end = end

    def append(self, *lines: Mapping[str, Any]) -> None:
        """Write lines, mostly one, and come back when they are on the disk.

        Raises:
            SessionError: where they cannot be written; what was written of them is taken back.

        """
        if self._descriptor is None:
            raise SessionError(f"the journal {self.path} is closed")
        data = as_lines(lines)
        try:
            self._take_back()  # in case that the disk would not even let go of the last half line
            _write(self._descriptor, data)
            os.fsync(self._descriptor)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._take_back()
            raise problem(error, self.path) from error
        self._end += len(data)

    def finish(self, transcript: Transcript) -> Path:
        """Put the transcript in the journal's place.

        Raises:
            SessionError: where it cannot be written; the journal is then still there.

        """
        data = (dumps(transcript, indent=1) + "\n").encode("utf-8")
        part = self.transcript.with_suffix(".json.part")
        try:
            write_file(part, data)
            part.replace(self.transcript)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink()
            raise problem(error, self.transcript) from error
        sync_folder(self.transcript.parent)
        self.discard()
        return self.transcript

    def discard(self) -> None:
        """Leave no journal behind: the transcript has its place, or the conversation never began."""
        if not remove(self.path):  # where nobody may remove a file that is open
            self.close()
            remove(self.path)
        self.close()

    def close(self) -> None:
        """Let go of the file, and leave it as it is."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _take_back(self) -> None:
        """Cut off what stands behind the last whole line."""
        if self._descriptor is not None and os.fstat(self._descriptor).st_size > self._end:
            os.ftruncate(self._descriptor, self._end)


def reserve(folder: Path, name: str, now: datetime) -> Journal:
    """Make the journal of a new conversation, under an id that nobody else has.

    Raises:
        SessionError: where nothing can be written there.

    """
    stem = f"{now:%Y%m%dT%H%M%SZ}-{name}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(1, MAX_SAME_SECOND + 1):
            journal = folder / (f"{stem}.jsonl" if number == 1 else f"{stem}-{number}.jsonl")
            with contextlib.suppress(FileExistsError):
                descriptor = os.open(journal, FLAGS | os.O_EXCL | os.O_APPEND, MODE)
                lock(descriptor, wait=True)  # somebody may be looking whether it is free
                if not journal.with_suffix(".json").exists():
                    sync_folder(folder)
                    return Journal(journal, descriptor)
                os.close(descriptor)
                journal.unlink()
    except OSError as error:
        raise problem(error, folder) from error
    raise SessionError(f"{folder} holds {MAX_SAME_SECOND} sessions of this second; wait for the next")


def as_lines(lines: Iterable[Mapping[str, Any]]) -> bytes:
    """Give lines as a journal holds them."""
    return "".join(dumps(line) + "\n" for line in lines).encode("utf-8")


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def write_file(path: Path, data: bytes) -> None:
    """Write a whole file, and come back when it is on the disk."""
    descriptor = os.open(path, FLAGS | os.O_TRUNC, MODE)
    try:
        _write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make a new name itself durable; not every system can open a folder."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove(path: Path) -> bool:
    """Remove a file; tell whether it is gone."""
    with contextlib.suppress(FileNotFoundError):
        try:
            path.unlink()
        except OSError:
            return False
    return True


def problem(error: OSError, path: Path) -> SessionError:
    """Say what is wrong with the place, and what to do about it."""
    cannot = f"the transcript cannot be written to {path}"
    elsewhere = "give another folder with --sessions DIR"
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return SessionError(f"{cannot}: the disk is full; free some of it, or {elsewhere}")
    if isinstance(error, FileExistsError):
        return SessionError(f"{cannot}: that is no folder; {elsewhere}")
    return SessionError(f"{cannot}: {(error.strerror or str(error)).lower()}; {elsewhere}")
