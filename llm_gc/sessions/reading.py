"""A session read from the disk: a transcript, or the journal of a conversation that was interrupted."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from llm_gc.conversation import Outcome
from llm_gc.errors import SessionError
from llm_gc.records import Transcript
from llm_gc.transcript import assemble, load, load_journal

LOST = "the program was gone before the conversation ended; the journal holds the finished turns"


def load_session(path: str | Path) -> Transcript:
    """Read a transcript. A journal gives that of a conversation which was interrupted after its last finished turn.

    Raises:
        SessionError: where it cannot be read, or is none.

    """
    try:
        data = Path(path).read_bytes()
        return _from_journal(Path(path), data) if _is_journal(data) else load(json.loads(data))
    except OSError as error:
        raise SessionError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    except (ValueError, RecursionError) as error:
        raise SessionError(f"{path} is not a transcript that can be read: {error}") from error


def _is_journal(data: bytes) -> bool:
    """Tell by the first line, whatever the file is called; a journal without one was left before the first turn."""
    return not data or data.startswith(b'{"start":')


def _from_journal(path: Path, data: bytes) -> Transcript:
    *lines, _torn = data.split(b"\n")  # a line is whole when its end is there
    header, turns, texts = load_journal([json.loads(line) for line in lines])
    said = (turn.content for turn in reversed(turns) if turn.error is None and not turn.is_pick)
    written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return assemble(header, turns, texts, Outcome("interrupted", LOST, next(said, "")), stamp(written))


def stamp(moment: datetime) -> str:
    """Give a moment as transcripts have it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
