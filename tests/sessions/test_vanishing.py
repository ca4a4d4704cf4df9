"""A folder of sessions that is gone in the middle of a run: it continues, and no turn of it is lost."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llm_gc import project
from llm_gc.backends.rehearsal import Rehearsal
from llm_gc.core import Turn
from llm_gc.runtime.observers import NullObserver
from llm_gc.runtime.run import Run
from llm_gc.sessions import find_session, load_session, lock_session
from llm_gc.transcript.encode import dumps
from llm_gc.transcript.records import Transcript

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="what is open cannot be removed there")

PIPELINE = (
    "name: p\nroles: {anna: {model: m}, ben: {model: m}}\nopening: Go.\nturns: [{repeat: [anna, ben], times: 3}]\n"
)

Deed = Callable[[Path], object]


def removed(folder: Path) -> None:
    """Remove the folder."""
    shutil.rmtree(folder)


def moved(folder: Path) -> None:
    """Move the folder away."""
    folder.rename(folder.with_name("elsewhere"))


def a_file_in_its_place(folder: Path) -> None:
    """Put a file in the place of the folder."""
    moved(folder)
    folder.write_text("mine")


def a_link_to_nothing(folder: Path) -> None:
    """Put a link to nothing in the place of the folder."""
    moved(folder)
    folder.symlink_to("nothing")


def emptied(folder: Path) -> None:
    """Remove all that is in the folder."""
    for path in folder.iterdir():
        path.unlink()


def replaced(folder: Path) -> None:
    """Put another file in the place of the journal."""
    (path,) = folder.iterdir()
    path.unlink()
    path.write_text("mine")


class After(NullObserver):
    """Does something when so many turns are over, and keeps what it is told."""

    def __init__(self, turns: int, deed: Deed, folder: Path) -> None:
        """Begin to count."""
        self.left, self.deed, self.folder = turns, deed, folder
        self.told: list[str] = []
        self.path: Path | None = None

    def settled(self, turn: Turn) -> None:
        """Count."""
        self.left -= 1
        if self.left == 0:
            self.deed(self.folder)

    def trouble(self, message: str) -> None:
        """Keep it."""
        self.told.append(message)

    def ended(self, transcript: Transcript, outcome: object, path: Path | None) -> None:
        """Keep where it is."""
        self.path = path


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for passing files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def run(tmp_path: Path, turns: int, deed: Deed) -> tuple[Transcript, After]:
    """Run a conversation of six turns, and do something after some of them."""
    file = tmp_path / "p.yaml"
    file.write_text(PIPELINE)
    folder = tmp_path / "sessions"
    after = After(turns, deed, folder)
    transcript = asyncio.run(Run(project.load(str(file)), {}, Rehearsal(), (after,), folder, seed=7).go())
    return transcript, after


def bare(transcript: Transcript) -> str:
    """Return all of a transcript but its times and its id."""
    return dumps(replace(transcript, id="", started_at="", ended_at=""))


@pytest.mark.parametrize("turns", range(1, 7))
@pytest.mark.parametrize("deed", [removed, moved, a_file_in_its_place, a_link_to_nothing, replaced])
def test_it_goes_on_elsewhere(tmp_path: Path, temporary: Path, turns: int, deed: Deed) -> None:
    """In a folder of its own, whichever turn was the last before; where that is, is told once."""
    transcript, after = run(tmp_path, turns, deed)
    assert after.path is not None
    assert after.path.parent.parent == temporary
    assert [path.name for path in after.path.parent.iterdir()] == [after.path.name]
    (told,) = after.told
    place = tmp_path / "sessions" / f"{transcript.id}.jsonl"
    assert told.startswith(f"{place} is gone; the conversation continues, and all of it is kept in {after.path.parent}")
    assert dumps(load_session(after.path)) == dumps(transcript)
    assert after.path.stat().st_mode & 0o777 == 0o600
    assert after.path.parent.stat().st_mode & 0o777 == 0o700
    (tmp_path / "again").mkdir()
    expected, _ = run(tmp_path / "again", 0, removed)
    assert bare(transcript) == bare(expected).replace(f"{tmp_path}/again", str(tmp_path))


def test_a_journal_that_was_removed(tmp_path: Path, temporary: Path) -> None:
    """Where its folder is still there, it is written again in the same place."""
    transcript, after = run(tmp_path, 2, emptied)
    assert after.path == tmp_path / "sessions" / f"{transcript.id}.json"
    assert len(after.told) == 1
    assert list(temporary.iterdir()) == []
    assert dumps(load_session(after.path)) == dumps(transcript)


def test_what_is_elsewhere_can_be_resumed(tmp_path: Path, temporary: Path) -> None:
    """The journal there holds every turn, also those from before, and is locked."""
    found: list[int] = []

    def look(_: Path) -> None:
        (path,) = temporary.rglob("*.jsonl")
        found.append(len(load_session(path).turns))
        with pytest.raises(Exception, match="is being written by another llm-gc"):
            lock_session(str(path), tmp_path)

    def both(folder: Path) -> None:
        removed(folder)
        after.left, after.deed = 1, look

    file = tmp_path / "p.yaml"
    file.write_text(PIPELINE)
    after = After(3, both, tmp_path / "sessions")
    asyncio.run(Run(project.load(str(file)), {}, Rehearsal(), (after,), tmp_path / "sessions", seed=7).go())
    assert found == [4]


def test_no_other_place(tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It continues in memory, as where a disk is full, and that is told."""

    def gone(folder: Path) -> None:
        removed(folder)
        removed(temporary)

    transcript, after = run(tmp_path, 2, gone)
    assert len(transcript.turns) == 6
    assert after.path is None
    assert "the conversation continues, and is kept in memory" in after.told[0]


def test_a_place_that_cannot_be_looked_at(tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not taken to be gone: the file is open, and takes what is written."""

    def unreadable(folder: Path) -> None:
        real = os.stat

        def stat(path: Any, **more: Any) -> os.stat_result:
            if str(path).endswith(".jsonl"):
                raise PermissionError(13, "Permission denied")
            return real(path, **more)

        monkeypatch.setattr(os, "stat", stat)

    transcript, after = run(tmp_path, 2, unreadable)
    monkeypatch.undo()
    assert after.told == []
    assert find_session(transcript.id, tmp_path / "sessions").suffix == ".json"


def test_a_disk_that_is_full_elsewhere(tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No half a journal is left there, and the next turn tries again."""
    left: list[Path] = []

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def gone(folder: Path) -> None:
        removed(folder)
        monkeypatch.setattr(os, "fsync", full)
        after.left, after.deed = 1, better

    def better(_: Path) -> None:
        monkeypatch.undo()
        monkeypatch.setattr(tempfile, "tempdir", str(temporary))
        left.extend(temporary.rglob("*.jsonl"))

    file = tmp_path / "p.yaml"
    file.write_text(PIPELINE)
    after = After(2, gone, tmp_path / "sessions")
    transcript = asyncio.run(
        Run(project.load(str(file)), {}, Rehearsal(), (after,), tmp_path / "sessions", seed=7).go()
    )
    assert left == []
    assert after.path is not None
    assert dumps(load_session(after.path)) == dumps(transcript)
    assert "the disk is full" in after.told[0]
    assert "all of it is kept in" in after.told[1]
