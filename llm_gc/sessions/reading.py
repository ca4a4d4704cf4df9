"""A session read from the disk: a transcript, or the journal of a conversation that was interrupted."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llm_gc.conversation import Outcome
from llm_gc.errors import UnreadableSession
from llm_gc.loading import load, load_journal
from llm_gc.reader import NotAFile, read_file
from llm_gc.records import Header, Transcript, TurnRecord
from llm_gc.sessions.parsing import is_journal, read_json
from llm_gc.transcript import assemble

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
    """Give a moment as transcripts have it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
