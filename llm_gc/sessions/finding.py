"""Which file a session is: by its path, by its id or the beginning of one, or ``last`` for the newest."""

from __future__ import annotations

import os
from itertools import takewhile
from pathlib import Path

from llm_gc.errors import UsageError
from llm_gc.reader import is_file, is_folder
from llm_gc.sessions.leftovers import SUFFIXES, clear, clear_journal
from llm_gc.sessions.parsing import has_begun

LAST = "last"
"""Stands for the session that began last."""

SECOND = len("20260101T000000Z")

SHOWN = 3
"""So many sessions are named where several are meant."""


def find_session(text: str, folder: Path) -> Path:
    """Give the file of a session: a path, or, among those in ``folder``, an id, how one begins, or ``last``.

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
        return beside  # it has ended since, or goes on again
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
    """Give the file of each session in ``folder``, the newest first; of a transcript and its journal the transcript.

    What a killed process has left beside one is taken away. Else no file is opened: an id begins with the second in
    which the conversation did. Those of one second stand by their names. A folder that is not there holds none.

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
    """Give the one that began last; among those of one second, the one that was written last.

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
