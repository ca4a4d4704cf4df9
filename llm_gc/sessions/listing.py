"""A line on each session of a folder, newest first: read from the head of its file, however long the file is.

What a listing needs of a transcript stands before its turns, and a transcript is written with one entry of its top
level on a line, so that reading can end there. A journal is short while it is one, and is read line by line. Nothing is
kept of a session that has been given.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from llm_gc._version import FORMAT
from llm_gc.sessions.finding import session_files
from llm_gc.sessions.locking import lock

CHUNK = 32 * 1024
"""Bytes read at once; most transcripts are whole in fewer."""

_START = b'{"start":'
_TURNS = b'\n "turns": ['
_NAME = re.compile(rb'\n  "name": ("(?:[^"\\]|\\.)*")')


@dataclass(frozen=True, slots=True)
class Listed:
    """One session. ``problem`` says why nothing else is known of it, where that is so."""

    id: str
    path: Path
    status: str = "unreadable"
    reason: str = ""
    pipeline: str = ""
    started_at: str = ""
    turns: int = 0
    failed: int = 0
    prompt: int = 0
    completion: int = 0
    seconds: float = 0.0
    problem: str = ""

    @property
    def tokens(self) -> int:
        """The tokens of all requests and replies."""
        return self.prompt + self.completion


def is_journal(data: bytes) -> bool:
    """Tell a journal by how it begins, whatever it is called; one without a line was left before the first turn."""
    return _START.startswith(data[: len(_START)])


def listed(folder: Path) -> Iterator[Listed]:
    """Give what there is to say of each session in a folder, newest first; one that cannot be read is given as such.

    Raises:
        UsageError: where nobody can look into the folder.

    """
    for path in session_files(folder):
        try:
            yield _read(path)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            yield Listed(path.stem, path, problem=_why(error))


def _read(path: Path) -> Listed:
    with path.open("rb", buffering=0) as file:
        head = file.read(CHUNK) or b""
        if not is_journal(head):
            return _transcript(path, _whole_head(file, head))
        session = _journal(path)
        is_free = lock(file.fileno())  # for no longer than this look takes: the file is closed at once
        return session if is_free else replace(session, status="running", reason="")


def _whole_head(file: BinaryIO, head: bytes) -> bytes:
    """Read on until the turns begin, or to the end of a file that somebody has written anew in another shape."""
    while _TURNS not in head and (more := file.read(max(CHUNK, len(head)))):
        head += more
    return head


def _transcript(path: Path, head: bytes) -> Listed:
    """Take the few entries that are needed; the pipeline, by far the longest of the head, is not even parsed."""
    start, end = head.find(b'\n "status": '), head.find(_TURNS)
    name = _NAME.search(head)
    if not head.startswith(b'{\n "format": %d,\n' % FORMAT) or name is None or not 0 <= start < end:
        data = json.loads(head if end < 0 else path.read_bytes())
        return _from_data(path, _checked(data), data["pipeline"]["name"])
    data = json.loads(b"{" + head[start:end].rstrip(b",") + b"}")
    return _from_data(path, data, json.loads(name[1]))


def _from_data(path: Path, data: Mapping[str, Any], pipeline: str) -> Listed:
    totals = data["totals"]
    ended = data["status"], data["ended_by"]["reason"]
    cost = totals["turns"], totals["failed"], *_tokens(totals), totals["seconds"]
    return Listed(path.stem, path, *ended, pipeline, data["started_at"], *cost)


def _journal(path: Path) -> Listed:
    """Add up what the lines of a journal say; the last one counts when its end is there."""
    with path.open("rb") as file:
        lines = (json.loads(line) for line in file if line.endswith(b"\n"))
        first = next(lines, None)
        if first is None:
            raise ValueError("nothing was written to it yet")
        start = _checked(first["start"])
        turns = failed = prompt = completion = 0
        seconds = 0.0
        for line in lines:
            turn = line["turn"]
            turns += not turn["is_pick"]
            failed += turn["error"] is not None and not turn["is_pick"]
            for one in (turn, *(attempt for attempt in turn["attempts"] if attempt["id"] != turn["id"])):
                asked, answered = _tokens(one)
                prompt, completion, seconds = prompt + asked, completion + answered, seconds + one["seconds"]
    about = start["pipeline"]["name"], start["started_at"]
    return Listed(path.stem, path, "interrupted", "interrupted", *about, turns, failed, prompt, completion, seconds)


def _tokens(record: Mapping[str, Any]) -> tuple[int, int]:
    tokens = record["tokens"]
    return tokens.get("prompt") or 0, tokens.get("completion") or 0


def _checked(data: Any) -> Any:
    if not isinstance(data, dict) or "format" not in data:
        raise ValueError("this is no transcript of llm-gc")
    if data["format"] != FORMAT:
        raise ValueError(f"it has format {data['format']!r}, and this llm-gc reads format {FORMAT}")
    return data


def _why(error: Exception) -> str:
    match error:
        case OSError():
            return (error.strerror or str(error)).lower()
        case json.JSONDecodeError() | UnicodeDecodeError():
            return "it is no JSON that can be read"
        case RecursionError():
            return "it is nested too deeply"
        case KeyError():
            return f"it lacks {error}"
    return str(error) if isinstance(error, ValueError) else "this is no transcript of llm-gc"
