"""The only writer of sessions/: a journal while the conversation runs, the transcript when it has ended.

``<UTC timestamp>-<name>.jsonl`` gets its first line before the first turn and one more for each turn. The system has a
line before anything else is done about the turn, so that no end of this process can lose it; it is flushed to the disk
while the next request is under way, and is there before that turn's own line is written. At the end the whole
transcript is written beside it and takes its place in one atomic step, so that whatever happens, there is either a
journal with every finished turn or a transcript.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from llm_gc.errors import SessionError
from llm_gc.sessions.on_disk import is_gone, lock
from llm_gc.transcript.encode import dumps
from llm_gc.transcript.records import Transcript

MODE = 0o600
# a journal is read again where its folder is gone; Windows would write two bytes for each end of a line
FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
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
        self._unsure = b""
        self._flushing: Future[None] | None = None
        self._flusher = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")

    def append(self, *lines: Mapping[str, Any]) -> None:
        """Write lines, and come back when they are on the disk.

        Raises:
            SessionError: where they cannot be written; what was written of them is taken back.

        """
        self.write(*lines)
        error = self._settle()
        if error is not None:
            self._unsure = b""
            with contextlib.suppress(OSError):
                self._take_back()
            raise problem(error, self.path) from error

    def write(self, *lines: Mapping[str, Any]) -> None:
        """Write lines, and come back when the system has them: they outlive this process from then on.

        They go to the disk while whoever wrote them does something else; the next call waits for that, and writes them
        again where it failed.

        Raises:
            SessionError: where they cannot be written; what was written of them is taken back.

        """
        if self._descriptor is None:
            raise SessionError(f"the journal {self.path} is closed")
        self._settle()
        data = self._unsure + as_lines(lines)
        try:
            self._take_back()  # in case that the disk would not even let go of the last half line
            _write(self._descriptor, data)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._take_back()
            raise problem(error, self.path) from error
        self._unsure = data
        self._flushing = self._flusher.submit(os.fsync, self._descriptor)

    def _settle(self) -> OSError | None:
        """Wait for what goes to the disk; return the error where it did not get there."""
        flushing, self._flushing = self._flushing, None
        if flushing is None:
            return None
        try:
            flushing.result()
        except OSError as error:
            return error
        self._end += len(self._unsure)
        self._unsure = b""
        return None

    def keep_place(self) -> Path | None:
        """Go on in another place where the file is gone from its own; return its new path there, else ``None``.

        Whoever removes a folder removes what runs in it too: what is written to the file from then on is nowhere. All
        that was written is still there to be read as long as it is open.

        Raises:
            SessionError: where there is no other place.

        """
        if self._descriptor is None or not is_gone(self._descriptor, self.path):
            return None
        self._settle()
        try:
            path, descriptor = _placed_anew(self.path, _read_back(self._descriptor, self._end))
        except OSError as error:
            raise problem(error, self.path) from error
        os.close(self._descriptor)
        self._descriptor, self.path, self.transcript = descriptor, path, path.with_suffix(".json")
        return path

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
        """Close the file, and leave it as it is."""
        self._settle()
        self._flusher.shutdown()
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _take_back(self) -> None:
        """Cut off what is behind the last whole line."""
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


def _placed_anew(gone: Path, data: bytes) -> tuple[Path, int]:
    """Write a journal whose file is gone: in its folder where that is there, else in a new one for passing files."""
    flags = FLAGS | os.O_EXCL | os.O_APPEND
    path = gone
    try:
        descriptor = os.open(path, flags, MODE)
    except OSError:
        path = Path(tempfile.mkdtemp(prefix="llm-gc-sessions-")) / gone.name
        descriptor = os.open(path, flags, MODE)
    try:
        lock(descriptor, wait=True)
        _write(descriptor, data)
        os.fsync(descriptor)
    except OSError:
        os.close(descriptor)
        remove(path)
        raise
    sync_folder(path.parent)
    return path, descriptor


def _read_back(descriptor: int, size: int) -> bytes:
    """Read the first bytes of an open file, which may have no name any more."""
    pieces, at = [], 0
    while at < size and (piece := os.pread(descriptor, size - at, at)):
        pieces.append(piece)
        at += len(piece)
    return b"".join(pieces)


def as_lines(lines: Iterable[Mapping[str, Any]]) -> bytes:
    """Return lines as a journal holds them."""
    return "".join(dumps(line) + "\n" for line in lines).encode("utf-8")


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def write_file(path: Path, data: bytes) -> None:
    """Write a whole new file, and come back when it is on the disk; what was there, a link too, is removed first."""
    try:
        descriptor = os.open(path, FLAGS | os.O_EXCL, MODE)
    except FileExistsError:
        path.unlink()
        descriptor = os.open(path, FLAGS | os.O_EXCL, MODE)
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
    """Remove a file; return whether it is gone."""
    with contextlib.suppress(FileNotFoundError):
        try:
            path.unlink()
        except OSError:
            return False
    return True


def problem(error: OSError, path: Path) -> SessionError:
    """Return what is wrong with the place, and what to do about it."""
    cannot = f"the transcript cannot be written to {path}"
    elsewhere = "give another folder with --sessions DIR"
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return SessionError(f"{cannot}: the disk is full; free some of it, or {elsewhere}")
    if isinstance(error, FileExistsError):
        return SessionError(f"{cannot}: that is no folder; {elsewhere}")
    return SessionError(f"{cannot}: {(error.strerror or str(error)).lower()}; {elsewhere}")
