"""The sessions of a folder: found by path, id, prefix or ``last``, and listed, newest first, a line for each."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any, BinaryIO

from llm_gc._version import FORMAT
from llm_gc.errors import UsageError
from llm_gc.files.opening import NotAFile, is_file, is_folder, open_file, read_file
from llm_gc.sessions.on_disk import CHUNK, SUFFIXES, clear, clear_journal, has_begun, is_journal, lock, read_json

LAST = "last"
"""Stands for the session that began last."""

SECOND = len("20260101T000000Z")

SHOWN = 3
"""So many sessions are named where several are meant."""


def find_session(text: str, folder: Path) -> Path:
    """Return the file of a session: a path, or, among those in ``folder``, an id, how one begins, or ``last``.

    Raises:
        UsageError: where there is none, or more than one.

    """
    given = Path(text)
    other = {".json": ".jsonl", ".jsonl": ".json"}.get(given.suffix)
    beside = given.with_suffix(other) if other else given
    if other and is_file(given) and is_file(beside):
        clear_journal(given.with_suffix(".jsonl"))
    if is_file(given):
        return given
    if is_file(beside):
        return beside  # it has ended since, or continues again
    if is_folder(given):
        raise UsageError(f"{text} is a folder; give one session in it")
    files = {_id(path): path for path in session_files(folder)}
    if not files:
        raise UsageError(f"there is no session {text!r}: {folder} holds none; give another folder with --sessions DIR")
    if text == LAST:
        return _last(folder, list(files.values()))
    if (exact := files.get(_id(given) if given.name == text else text)) is not None:
        return exact
    found = [id_ for id_ in files if id_.startswith(text)]
    if len(found) == 1:
        return files[found[0]]
    if found:
        names = ", ".join(found[:SHOWN]) + (", …" if len(found) > SHOWN else "")
        raise UsageError(f"{text!r} could be {len(found)} sessions in {folder}: {names}; give more of the id")
    raise UsageError(
        f"there is no session {text!r} in {folder}; give a file, an id or how it begins, or {LAST!r} for the newest"
    )


def session_files(folder: Path) -> list[Path]:
    """Return the file of each session in ``folder``, the newest first; of a transcript and its journal the transcript.

    What a killed process has left beside one is taken away. Else no file is opened: an id begins with the second in
    which the conversation did. Those of one second are by their names. A folder that is not there holds none.

    Raises:
        UsageError: where the folder cannot be read.

    """
    try:
        with os.scandir(folder) as entries:
            there = [entry.name for entry in entries]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"{folder} cannot be read: {(error.strerror or str(error)).lower()}") from error
    clear(folder, there)
    found: dict[str, Path] = {}
    for name in sorted(name for name in there if name.endswith(SUFFIXES)):  # .json comes before .jsonl
        found.setdefault(_id(Path(name)), folder / name)
    return [found[id_] for id_ in sorted(found, key=_order, reverse=True)]


def _last(folder: Path, files: list[Path]) -> Path:
    """Return the one that began last; among those of one second, the one that was written last.

    Raises:
        UsageError: where none of them has begun.

    """
    begun = (path for path in files if has_begun(path))
    newest = next(begun, None)
    if newest is None:
        raise UsageError(f"there is no session {LAST!r}: nothing was asked in any of the {len(files)} in {folder}")
    second = newest.name[:SECOND]
    same = [newest, *takewhile(lambda path: path.name.startswith(second), begun)]
    return max(same, key=_written)


def _written(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _id(path: Path) -> str:
    return path.stem if path.suffix in SUFFIXES else path.name


def _order(id_: str) -> tuple[str, int, str]:
    """Put the second one of a second, which is called ``…-2``, behind the first, and the tenth behind the ninth."""
    head, _, number = id_.rpartition("-")
    return (head, int(number), "") if head and number.isdecimal() else (id_, 1, "")


MOST = 2**63
"""No figure is as large as this."""

NOT_BEGUN = "not begun"
"""The status of a session whose process was gone before it had written anything."""

_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What is raised by a file that is no transcript."""

_TURNS = b'\n "turns": ['
_NAME = re.compile(rb'\n  "name": ("(?:[^"\\]|\\.)*")')


@dataclass(frozen=True, slots=True)
class ListedSession:
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


def listed(folder: Path) -> Iterator[ListedSession]:
    """Yield what there is to say of each session in a folder, newest first; one that cannot be read is given as such.

    Raises:
        UsageError: where nobody can look into the folder.

    """
    for path in session_files(folder):
        try:
            yield _read(path)
        except (OSError, *_UNREADABLE) as error:
            yield ListedSession(path.stem, path, problem=_why(error))


def _read(path: Path) -> ListedSession:
    with os.fdopen(open_file(path), "rb") as file:
        head = file.read(CHUNK)
        if not is_journal(head):
            return _transcript(path, _whole_head(file, head))
        file.seek(0)
        session = _journal(path, file)
        is_free = lock(file.fileno())  # for no longer than this look takes: the file is closed at once
        return session if is_free else replace(session, status="running", reason="")


def _whole_head(file: BinaryIO, head: bytes) -> bytes:
    """Read on until the turns begin, or to the end of a file that somebody has written again in another shape."""
    while _TURNS not in head and (more := file.read(max(CHUNK, len(head)))):
        head += more
    return head


def _transcript(path: Path, head: bytes) -> ListedSession:
    """Take the few entries that are needed; the pipeline, by far the longest of the head, is not even parsed."""
    start, end = head.find(b'\n "status": '), head.find(_TURNS)
    name = _NAME.search(head)
    if not head.startswith(b'{\n "format": %d,\n' % FORMAT) or name is None or not 0 <= start < end:
        data = _checked(read_json(head if end < 0 else read_file(path)))
        return _from_data(path, data, data["pipeline"]["name"])
    data = read_json(b"{" + head[start:end].rstrip(b",") + b"}")
    return _from_data(path, data, read_json(name[1]))


def _from_data(path: Path, data: Mapping[str, Any], pipeline: Any) -> ListedSession:
    totals = data["totals"]
    about = data["status"], data["ended_by"]["reason"], pipeline, data["started_at"]
    return _typed(path, about, (totals["turns"], totals["failed"], *_tokens(totals)), totals["seconds"])


def _journal(path: Path, lines: Iterable[bytes]) -> ListedSession:
    """Add up what the lines of a journal say; the last one counts when its end is there, and it can be read."""
    whole = (line for line in lines if line.endswith(b"\n"))
    first = next(whole, None)
    if first is None:
        return ListedSession(path.stem, path, NOT_BEGUN)
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


def _typed(path: Path, about: Sequence[Any], counts: Sequence[Any], seconds: Any) -> ListedSession:
    """Return a session of these texts and figures.

    Raises:
        ValueError: where one of them is something else, with which nobody could continue.

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
    return ListedSession(path.stem, path, status, reason, pipeline, started_at, *cost)


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
