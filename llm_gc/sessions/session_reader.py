"""Sessions read from the disk, finished or interrupted; an interrupted one is locked to be resumed."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from llm_gc.core import Outcome
from llm_gc.errors import SessionError, UnreadableSession, UsageError
from llm_gc.files.opening import NotAFile, open_file, read_file
from llm_gc.sessions.journal import FLAGS, Journal, as_lines, problem, remove, sync_folder, write_file
from llm_gc.sessions.listing import find_session
from llm_gc.sessions.on_disk import is_journal, is_same, lock, read_json
from llm_gc.transcript.decode import load, load_journal
from llm_gc.transcript.encode import assemble
from llm_gc.transcript.records import Header, Transcript, TurnRecord

LOST = "the program was gone before the conversation ended; the journal holds the finished turns"


@dataclass(frozen=True)
class Session:
    """A session as it was found: whether it is a transcript yet, and whether the end of a journal was dropped.

    It ``is_torn`` where half a line is there, ``is_garbled`` where the last whole line is none of a journal.
    """

    transcript: Transcript
    is_closed: bool
    is_torn: bool = False
    is_garbled: bool = False


def load_session(path: str | Path) -> Transcript:
    """Read a transcript. A journal gives that of a conversation which was interrupted after its last finished turn.

    Raises:
        UnreadableSession: where it cannot be read, or is none.

    """
    return read_session(Path(path)).transcript


def read_session(path: Path) -> Session:
    """Read a transcript or a journal, and tell in which state it was found.

    Raises:
        UnreadableSession: where it cannot be read, or is none.

    """
    try:
        data = read_file(path)
        if is_journal(data):
            return _from_journal(path, data)
        return Session(load(_parsed(data)), is_closed=True)
    except NotAFile as error:
        raise UnreadableSession(f"{path} cannot be read: it is {error}") from error
    except OSError as error:
        raise UnreadableSession(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    except (ValueError, RecursionError) as error:
        raise UnreadableSession(f"{path} is not a transcript that can be read: {error}") from error


def _parsed(data: bytes, line: int = 1) -> Any:
    """Parse JSON that begins in a line of a file.

    Raises:
        ValueError: where it is none.

    """
    try:
        return read_json(data)
    except json.JSONDecodeError as error:
        place = f"line {line + error.lineno - 1}, column {error.colno}"
        raise ValueError(f"{place} is no JSON; it may have been cut or changed") from error


def _from_journal(path: Path, data: bytes) -> Session:
    *lines, torn = data.split(b"\n")  # a line is whole when its end is there
    if not lines:
        raise ValueError("nothing was written to it yet; the conversation was not begun")
    (header, turns, texts), is_garbled = _journal(lines)
    said = (turn.content for turn in reversed(turns) if turn.heard and not turn.is_pick)
    written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    transcript = assemble(header, turns, texts, Outcome("interrupted", LOST, next(said, "")), stamp(written))
    return Session(transcript, is_closed=False, is_torn=bool(torn), is_garbled=is_garbled)


def _journal(lines: Sequence[bytes]) -> tuple[tuple[Header, tuple[TurnRecord, ...], dict[str, str]], bool]:
    """Read the lines of a journal; return what is in them, and whether the last one had to be dropped.

    Raises:
        ValueError: where one of the others cannot be read.

    """
    try:
        return load_journal([_parsed(line, number) for number, line in enumerate(lines, 1)]), False
    except (ValueError, RecursionError):
        if len(lines) < 2:
            raise
        with contextlib.suppress(ValueError, RecursionError):  # a power cut may leave anything at the end
            return load_journal(map(_parsed, lines[:-1])), True
        raise


def stamp(moment: datetime) -> str:
    """Return a moment as transcripts have it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


TRIES = 5
"""So often a file may change its name while it is opened."""


class LockedSession:
    """A session to which nobody else writes until this is closed."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """Hold an open file and its lock; ``take`` gives one."""
        self.path = path
        self._descriptor: int | None = descriptor

    def __enter__(self) -> LockedSession:
        """Lock it."""
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        """Release it."""
        self.close()

    def read(self) -> Session:
        """Read it.

        Raises:
            UnreadableSession: where it cannot be read.

        """
        return read_session(self.path)

    def reopen(self, lines: Iterable[Mapping[str, Any]]) -> Journal:
        """Put a journal of these lines in the file's place, to continue.

        Raises:
            SessionError: where it cannot be written; the file is then as it was.
            UsageError: where somebody else was quicker.

        """
        path, data = self.path.with_suffix(".jsonl"), as_lines(lines)
        part = path.with_suffix(".jsonl.part")
        try:
            write_file(part, data)
            if os.name == "nt":  # nobody may put another file in the place of an open one there
                self.close()
            part.replace(path)
            sync_folder(path.parent)
            descriptor = _locked(path, os.open(path, FLAGS & ~os.O_CREAT | os.O_APPEND))
        except OSError as error:
            remove(part)
            raise problem(error, path) from error
        self.close()
        if self.path != path and not remove(self.path):
            os.close(descriptor)
            raise SessionError(f"{self.path} cannot be replaced by its journal {path.name}; remove one of them")
        sync_folder(path.parent)
        return Journal(path, descriptor, len(data))

    def close(self) -> None:
        """Close the file, and leave it as it is."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def lock_session(text: str, folder: Path) -> LockedSession:
    """Find a session as ``find_session`` does, and hold it.

    Raises:
        UsageError: where there is none, or somebody else continues it, or still runs it.
        UnreadableSession: where it cannot be opened.

    """
    for _ in range(TRIES):
        path = find_session(text, folder)
        try:
            return LockedSession(path, _locked(path, open_file(path)))
        except FileNotFoundError:  # it has ended meanwhile, or continues
            continue
        except NotAFile as error:
            raise UnreadableSession(f"{path} cannot be opened: it is {error}") from error
        except OSError as error:
            raise UnreadableSession(f"{path} cannot be opened: {(error.strerror or str(error)).lower()}") from error
    raise UnreadableSession(f"the session {text!r} changes its name each time that it is opened")


def _locked(path: Path, descriptor: int) -> int:
    """Lock an open file; it is then still the file of that name."""
    if not lock(descriptor):
        os.close(descriptor)
        raise UsageError(f"{path} is being written by another llm-gc; wait until that has ended, or stop it")
    if not is_same(descriptor, path):
        os.close(descriptor)
        raise FileNotFoundError(path)
    return descriptor
