"""A session read from the disk: a transcript, or the journal of a conversation that was interrupted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llm_gc.conversation import Outcome
from llm_gc.errors import UnreadableSession
from llm_gc.loading import load, load_journal
from llm_gc.records import Transcript
from llm_gc.sessions.listing import is_journal
from llm_gc.transcript import assemble

LOST = "the program was gone before the conversation ended; the journal holds the finished turns"


@dataclass(frozen=True)
class Session:
    """A session as it was found: whether it is a transcript yet, and whether a journal's last line was torn."""

    transcript: Transcript
    is_closed: bool
    is_torn: bool = False


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
        data = path.read_bytes()
        if is_journal(data):
            return Session(_from_journal(path, data), is_closed=False, is_torn=not data.endswith(b"\n"))
        return Session(load(_parsed(data)), is_closed=True)
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
        return json.loads(data)
    except json.JSONDecodeError as error:
        place = f"line {line + error.lineno - 1}, column {error.colno}"
        raise ValueError(f"{place} is no JSON; it may have been cut or changed") from error


def _from_journal(path: Path, data: bytes) -> Transcript:
    *lines, _torn = data.split(b"\n")  # a line is whole when its end is there
    header, turns, texts = load_journal([_parsed(line, number) for number, line in enumerate(lines, 1)])
    said = (turn.content for turn in reversed(turns) if turn.heard and not turn.is_pick)
    written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return assemble(header, turns, texts, Outcome("interrupted", LOST, next(said, "")), stamp(written))


def stamp(moment: datetime) -> str:
    """Give a moment as transcripts have it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
