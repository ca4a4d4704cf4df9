"""A line on each session of a folder, newest first: read from the head of its file, however long the file is.

What a listing needs of a transcript stands before its turns, and a transcript is written with one entry of its top
level on a line, so that reading can end there. A journal is short while it is one, and is read line by line. Nothing is
kept of a session that has been given.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from llm_gc._version import FORMAT
from llm_gc.reader import NotAFile, open_file, read_file
from llm_gc.sessions.finding import session_files
from llm_gc.sessions.locking import lock
from llm_gc.sessions.parsing import CHUNK, is_journal, read_json

MOST = 2**63
"""No figure is as large as this."""

NOT_BEGUN = "not begun"
"""The status of a session whose process was gone before it had written anything."""

_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What is raised by a file that is no transcript."""

_TURNS = b'\n "turns": ['
_NAME = re.compile(rb'\n  "name": ("(?:[^"\\]|\\.)*")')


@dataclass(frozen=True, slots=True)
class Listed:
    """One session. ``problem`` says why nothing else is known of it, where that is so.

    One that is ``not begun`` has no line: its process was gone before anything was asked.
    """

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


def listed(folder: Path) -> Iterator[Listed]:
    """Give what there is to say of each session in a folder, newest first; one that cannot be read is given as such.

    Raises:
        UsageError: where nobody can look into the folder.

    """
    for path in session_files(folder):
        try:
            yield _read(path)
        except (OSError, *_UNREADABLE) as error:
            yield Listed(path.stem, path, problem=_why(error))


def _read(path: Path) -> Listed:
    with os.fdopen(open_file(path), "rb") as file:
        head = file.read(CHUNK)
        if not is_journal(head):
            return _transcript(path, _whole_head(file, head))
        file.seek(0)
        session = _journal(path, file)
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
        data = _checked(read_json(head if end < 0 else read_file(path)))
        return _from_data(path, data, data["pipeline"]["name"])
    data = read_json(b"{" + head[start:end].rstrip(b",") + b"}")
    return _from_data(path, data, read_json(name[1]))


def _from_data(path: Path, data: Mapping[str, Any], pipeline: Any) -> Listed:
    totals = data["totals"]
    about = data["status"], data["ended_by"]["reason"], pipeline, data["started_at"]
    return _typed(path, about, (totals["turns"], totals["failed"], *_tokens(totals)), totals["seconds"])


def _journal(path: Path, lines: Iterable[bytes]) -> Listed:
    """Add up what the lines of a journal say; the last one counts when its end is there, and it can be read."""
    whole = (line for line in lines if line.endswith(b"\n"))
    first = next(whole, None)
    if first is None:
        return Listed(path.stem, path, NOT_BEGUN)
    start = _checked(read_json(first)["start"])
    counts, seconds = [0, 0, 0, 0], 0.0
    for line in whole:
        try:
            cost, took = _cost(read_json(line)["turn"])
        except _UNREADABLE:
            if next(whole, None) is not None:
                raise
            break
        counts, seconds = [have + more for have, more in zip(counts, cost, strict=True)], seconds + took
    about = "interrupted", "interrupted", start["pipeline"]["name"], start["started_at"]
    return _typed(path, about, counts, seconds)


def _cost(turn: Mapping[str, Any]) -> tuple[list[int], float]:
    """Return what a turn adds to turns, failed turns and the tokens of requests and replies, and its seconds."""
    is_pick, is_failed = turn["is_pick"], turn["error"] is not None
    records = [turn, *(attempt for attempt in turn["attempts"] if attempt["id"] != turn["id"])]
    asked, said = (sum(tokens) for tokens in zip(*map(_tokens, records), strict=True))
    return [not is_pick, is_failed and not is_pick, asked, said], sum(record["seconds"] for record in records)


def _tokens(record: Mapping[str, Any]) -> tuple[int, int]:
    tokens = record["tokens"]
    return tokens.get("prompt") or 0, tokens.get("completion") or 0


def _typed(path: Path, about: Sequence[Any], counts: Sequence[Any], seconds: Any) -> Listed:
    """Return a session of these texts and figures.

    Raises:
        ValueError: where one of them is something else, with which nobody could go on.

    """
    if not all(isinstance(text, str) for text in about):
        raise ValueError("this is no transcript of llm-gc")
    if not all(isinstance(figure, int) for figure in counts) or not isinstance(seconds, (int, float)):
        raise ValueError("its totals are no figures")
    if not all(0 <= figure < MOST for figure in (*counts, seconds)):
        raise ValueError("its totals are beyond what is possible")
    status, reason, pipeline, started_at = about
    turns, failed, prompt, completion = counts
    cost = (turns, failed, prompt, completion, float(seconds))
    return Listed(path.stem, path, status, reason, pipeline, started_at, *cost)


def _checked(data: Any) -> Any:
    if not isinstance(data, dict) or "format" not in data:
        raise ValueError("this is no transcript of llm-gc")
    if data["format"] != FORMAT:
        raise ValueError(f"it has format {data['format']!r}, and this llm-gc reads format {FORMAT}")
    return data


def _why(error: Exception) -> str:
    match error:
        case NotAFile():
            return f"it is {error}, and no file"
        case OSError():
            return (error.strerror or str(error)).lower()
        case json.JSONDecodeError() | UnicodeDecodeError():
            return "it is no JSON that can be read"
        case RecursionError():
            return "it is nested too deeply"
        case KeyError():
            return f"it lacks {error}"
    return str(error) if isinstance(error, ValueError) else "this is no transcript of llm-gc"
