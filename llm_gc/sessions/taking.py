"""An interrupted session taken up again: nobody else can go on with it meanwhile, and nothing of it is ever lost.

A transcript becomes a journal again by way of a whole new file that takes its place in one step; so does a journal
whose last line is torn. Whatever happens in between, one of the two is there, and both say the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from llm_gc.errors import SessionError, UnreadableSession, UsageError
from llm_gc.reader import NotAFile, open_file
from llm_gc.sessions.finding import find_session
from llm_gc.sessions.journal import FLAGS, Journal, as_lines, problem, remove, sync_folder, write_file
from llm_gc.sessions.locking import is_same, lock
from llm_gc.sessions.reading import Session, read_session

TRIES = 5
"""So often a file may change its name while it is opened."""


class Taken:
    """A session to which nobody else writes until this is closed."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """Hold an open file and its lock; ``take`` gives one."""
        self.path = path
        self._descriptor: int | None = descriptor

    def __enter__(self) -> Taken:
        """Hold it."""
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        """Let go of it."""
        self.close()

    def read(self) -> Session:
        """Read it.

        Raises:
            UnreadableSession: where it cannot be read.

        """
        return read_session(self.path)

    def reopen(self, lines: Iterable[Mapping[str, Any]]) -> Journal:
        """Put a journal of these lines in the file's place, to go on with.

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
        """Let go of the file, and leave it as it is."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def take(text: str, folder: Path) -> Taken:
    """Find a session as ``find_session`` does, and hold it.

    Raises:
        UsageError: where there is none, or somebody else goes on with it, or still runs it.
        UnreadableSession: where it cannot be opened.

    """
    for _ in range(TRIES):
        path = find_session(text, folder)
        try:
            return Taken(path, _locked(path, open_file(path)))
        except FileNotFoundError:  # it has ended meanwhile, or goes on
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
