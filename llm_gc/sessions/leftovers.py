"""What a process that was killed may leave beside a session, and the next command that sees it takes away.

A journal beside its transcript: the transcript had taken its place, or the journal that of the transcript, and the last
step was not done any more. A ``.part``: it was not whole yet. Nothing is taken away as long as somebody holds the lock
of the session, and no journal that has a turn which the transcript has not.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from llm_gc.reader import open_file, read_file
from llm_gc.sessions.locking import is_same, lock
from llm_gc.sessions.parsing import read_json

SUFFIXES = (".json", ".jsonl")
PART = ".part"


def clear(folder: Path, names: Collection[str]) -> None:
    """Take away what is left over among these names of files in a folder; what cannot be taken away stays."""
    known = frozenset(names)
    for name in known:
        if name.endswith((".json.part", ".jsonl.part")):
            _clear_part(folder, name, known)
    for name in known:
        if name.endswith(".jsonl") and name.removesuffix("l") in known:
            clear_journal(folder / name)


def clear_journal(journal: Path) -> None:
    """Take away a journal beside which its transcript is, if nothing is in it that the transcript has not."""
    transcript = journal.with_suffix(".json")
    with contextlib.suppress(OSError, ValueError), contextlib.ExitStack() as stack:
        if _hold(stack, transcript) and _hold(stack, journal) and _holds_all(transcript, journal):
            journal.unlink()


def _clear_part(folder: Path, name: str, known: Collection[str]) -> None:
    """Take away a part, unless its session is being written, or is not there: it may then be all that there is."""
    stem = name.removesuffix(PART).rpartition(".")[0]
    beside = [folder / f"{stem}{suffix}" for suffix in SUFFIXES if f"{stem}{suffix}" in known]
    with contextlib.suppress(OSError, ValueError), contextlib.ExitStack() as stack:
        if beside and all(_hold(stack, path) for path in beside):
            (folder / name).unlink()


def _hold(stack: contextlib.ExitStack, path: Path) -> bool:
    """Open a file and take its lock for as long as the stack lasts; return whether it could be had."""
    descriptor = open_file(path, getattr(os, "O_NOFOLLOW", 0))
    stack.callback(os.close, descriptor)
    return lock(descriptor) and is_same(descriptor, path)


def _holds_all(transcript: Path, journal: Path) -> bool:
    """Check whether a transcript is whole, of the same conversation, and has every turn of a journal."""
    *lines, _torn = read_file(journal).split(b"\n")
    if not lines:
        return isinstance(read_json(read_file(transcript)), dict)  # it was killed before its first line
    try:
        whole, (first, *turns) = read_json(read_file(transcript)), map(read_json, lines)
        known = set(map(_id, whole["turns"]))
        return bool(whole["id"] == first["start"]["id"] and known.issuperset(_id(line["turn"]) for line in turns))
    except (KeyError, TypeError, RecursionError):
        return False


def _id(turn: Any) -> str:
    return str(turn["id"])
