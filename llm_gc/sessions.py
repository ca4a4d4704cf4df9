"""The only writer of sessions/: a journal while the conversation runs, the transcript when it has ended.

``<UTC timestamp>-<name>.jsonl`` gets its first line before the first turn and one more for each turn, each flushed to
the disk before the next request is sent. At the end the whole transcript is written beside it and takes its place in
one atomic step, so that whatever happens, there is either a journal with every finished turn or a transcript.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from llm_gc.errors import SessionError
from llm_gc.records import Transcript
from llm_gc.transcript import dumps, load

MODE = 0o600
MAX_SAME_SECOND = 1000


class Journal:
    """The journal of one conversation, and the place of its transcript."""

    def __init__(self, journal: Path, descriptor: int) -> None:
        """Hold an open journal; ``reserve`` makes one."""
        self.id = journal.stem
        self.path = journal
        self.transcript = journal.with_suffix(".json")
        self._descriptor: int | None = descriptor

    def append(self, line: Mapping[str, Any]) -> None:
        """Write one line, and come back when it is on the disk.

        Raises:
            SessionError: where it cannot be written; what was written of it is taken back.

        """
        if self._descriptor is None:
            raise SessionError(f"the journal {self.path} is closed")
        data = (dumps(line) + "\n").encode("utf-8")
        end = os.fstat(self._descriptor).st_size
        try:
            _write(self._descriptor, data)
            os.fsync(self._descriptor)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, end)
            raise _problem(error, self.path) from error

    def finish(self, transcript: Transcript) -> Path:
        """Put the transcript in the journal's place.

        Raises:
            SessionError: where it cannot be written; the journal is then still there.

        """
        part = self.transcript.with_suffix(".json.part")
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, MODE)
            try:
                _write(descriptor, (dumps(transcript, indent=1) + "\n").encode("utf-8"))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(part, self.transcript)
            _sync_folder(self.transcript.parent)
            self._close()
            self.path.unlink()
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink()
            raise _problem(error, self.transcript) from error
        return self.transcript

    def discard(self) -> None:
        """Leave nothing behind: the conversation never began."""
        self._close()
        with contextlib.suppress(OSError):
            self.path.unlink()

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def reserve(folder: Path, name: str, now: datetime) -> Journal:
    """Make the journal of a new conversation, under an id that nobody else has.

    Raises:
        SessionError: where nothing can be written there.

    """
    stem = f"{now:%Y%m%dT%H%M%SZ}-{name}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(1, MAX_SAME_SECOND):
            journal = folder / (f"{stem}.jsonl" if number == 1 else f"{stem}-{number}.jsonl")
            with contextlib.suppress(FileExistsError):
                descriptor = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, MODE)
                if not journal.with_suffix(".json").exists():
                    return Journal(journal, descriptor)
                os.close(descriptor)
                journal.unlink()
    except OSError as error:
        raise _problem(error, folder) from error
    raise SessionError(f"{folder} holds {MAX_SAME_SECOND} sessions of this second; wait for the next")


def load_session(path: str | Path) -> Transcript:
    """Read a transcript.

    Raises:
        SessionError: where it cannot be read, or is none.

    """
    try:
        return load(json.loads(Path(path).read_bytes()))
    except OSError as error:
        raise SessionError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        first = str(error).splitlines()[0]
        raise SessionError(f"{path} is not a transcript that can be read: {first}") from error


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_folder(folder: Path) -> None:
    """Make the new name itself durable; not every system can open a folder."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _problem(error: OSError, path: Path) -> SessionError:
    full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
    what = "the disk is full" if full else (error.strerror or str(error)).lower()
    return SessionError(f"the transcript cannot be written to {path}: {what}; free it, or give --sessions DIR")
