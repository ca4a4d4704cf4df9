"""What a killed process leaves beside a session is gone after the next look, and nothing else is."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from llm_gc.sessions import Journal, find_session, listed, load_session, reserve, session_files
from llm_gc.sessions.on_disk import lock
from llm_gc.transcript.encode import dumps, plain
from llm_gc.transcript.records import Header
from tests.shown import rich

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ID = "20260102T030405Z-m1"

Look = Callable[[Path], Any]

LOOKS: dict[str, Look] = {
    "ls": lambda folder: list(listed(folder)),
    "last": lambda folder: find_session("last", folder),
    "id": lambda folder: find_session(ID, folder),
    "replay": session_files,
}


def lines() -> list[Any]:
    """Return the lines of the journal of a conversation."""
    transcript = rich()
    about = {field: getattr(transcript, field) for field in Header.__dataclass_fields__}
    return [{"start": plain(about)}, *({"turn": plain(turn), "texts": {}} for turn in transcript.turns)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A journal and the transcript that was to take its place."""
    text = "".join(f"{json.dumps(line)}\n" for line in lines())
    (tmp_path / f"{ID}.jsonl").write_text(text)
    (tmp_path / f"{ID}.json").write_text(dumps(rich(), indent=1) + "\n")
    return tmp_path


def names(folder: Path) -> list[str]:
    """Return the names of what is in a folder."""
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("look", LOOKS.values(), ids=list(LOOKS))
def test_a_journal_beside_its_transcript(folder: Path, look: Look) -> None:
    """The transcript holds it all."""
    look(folder)
    assert names(folder) == [f"{ID}.json"]
    assert load_session(folder / f"{ID}.json") == rich()


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_one_that_is_named(folder: Path, suffix: str) -> None:
    """Whichever of the two is named, the transcript is meant."""
    assert find_session(str(folder / f"{ID}{suffix}"), folder / "elsewhere") == folder / f"{ID}.json"
    assert names(folder) == [f"{ID}.json"]


@pytest.mark.parametrize("cut", [0, 5, 1000])
def test_a_journal_without_a_whole_line(folder: Path, cut: int) -> None:
    """Nothing is in it."""
    (folder / f"{ID}.jsonl").write_bytes((folder / f"{ID}.jsonl").read_bytes()[:cut])
    session_files(folder)
    assert names(folder) == [f"{ID}.json"]


@pytest.mark.parametrize("part", [".json.part", ".jsonl.part"])
@pytest.mark.parametrize("beside", [".json", ".jsonl"])
@pytest.mark.parametrize("look", LOOKS.values(), ids=list(LOOKS))
def test_a_part(folder: Path, part: str, beside: str, look: Look) -> None:
    """It was not whole; what it would have replaced is there."""
    (folder / f"{ID}{'.jsonl' if beside == '.json' else '.json'}").unlink()
    (folder / f"{ID}{part}").write_text("{")
    look(folder)
    assert names(folder) == [f"{ID}{beside}"]


def more(folder: Path) -> None:
    """The journal has a turn that the transcript has not."""
    data = json.loads((folder / f"{ID}.json").read_text())
    data["turns"].pop()
    (folder / f"{ID}.json").write_text(json.dumps(data))


def cut(folder: Path) -> None:
    """The transcript is not whole."""
    (folder / f"{ID}.json").write_bytes((folder / f"{ID}.json").read_bytes()[:-9])


def other(folder: Path) -> None:
    """The transcript is another conversation's."""
    data = json.loads((folder / f"{ID}.json").read_text())
    (folder / f"{ID}.json").write_text(json.dumps({**data, "id": "another"}))


def foreign(folder: Path) -> None:
    """The transcript is none."""
    (folder / f"{ID}.json").write_text("[]")


def garbled(folder: Path) -> None:
    """The journal is none, and somebody may still make something of it."""
    with (folder / f"{ID}.jsonl").open("a") as file:
        file.write("{]\n")


def deep(folder: Path) -> None:
    """The journal is nested beyond every reason."""
    with (folder / f"{ID}.jsonl").open("a") as file:
        file.write("[" * 100_000 + "\n")


def linked(folder: Path) -> None:
    """The journal is a link to a file elsewhere."""
    shutil.move(folder / f"{ID}.jsonl", folder / "elsewhere")
    (folder / f"{ID}.jsonl").symlink_to("elsewhere")


def pipe(folder: Path) -> None:
    """The journal is a pipe, for which nobody waits."""
    (folder / f"{ID}.jsonl").unlink()
    os.mkfifo(folder / f"{ID}.jsonl")


@pytest.mark.skipif(sys.platform == "win32", reason="links take rights there")
@pytest.mark.parametrize("spoil", [more, cut, other, foreign, garbled, deep, linked, pipe])
def test_what_may_be_worth_something_stays(folder: Path, spoil: Callable[[Path], None]) -> None:
    """Whatever is not certain to be in the transcript."""
    spoil(folder)
    before = names(folder)
    for look in LOOKS.values():
        look(folder)
    assert names(folder) == before


@pytest.mark.parametrize("name", [f"{ID}.json", f"{ID}.jsonl"])
def test_what_somebody_writes_stays(folder: Path, name: str) -> None:
    """Whoever finishes a journal, or makes one of a transcript, holds the lock of the file from which it is made."""
    (folder / f"{ID}.json.part").touch()
    descriptor = os.open(folder / name, os.O_RDONLY)
    assert lock(descriptor)
    session_files(folder)
    assert names(folder) == [f"{ID}.json", f"{ID}.json.part", f"{ID}.jsonl"]
    os.close(descriptor)
    session_files(folder)
    assert names(folder) == [f"{ID}.json"]


def test_a_part_alone_stays(tmp_path: Path) -> None:
    """It may be all that there is."""
    for name in ("a.json.part", "notes.part", "x.part"):
        (tmp_path / name).touch()
    session_files(tmp_path)
    assert names(tmp_path) == ["a.json.part", "notes.part", "x.part"]


def test_killed_at_the_last_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it happens: between the transcript's new name and the end of the journal."""
    journal = reserve(tmp_path, "m1", NOW)
    journal.append(*lines())
    monkeypatch.setattr(Journal, "discard", lambda _: None)
    journal.finish(rich())
    journal.close()
    assert len(names(tmp_path)) == 2
    (session,) = listed(tmp_path)
    assert session.status == "completed"
    assert names(tmp_path) == [f"{ID}.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="links take rights there")
@pytest.mark.parametrize("part", [".json.part", ".jsonl.part"])
def test_a_link_in_the_place_of_a_part(tmp_path: Path, part: str) -> None:
    """It is replaced: what it leads to is not written over."""
    from llm_gc.sessions import lock_session

    (tmp_path / "precious").write_text("mine")
    journal = reserve(tmp_path, "m1", NOW)
    journal.append(*lines())
    if part == ".json.part":
        journal.path.with_suffix(part).symlink_to("precious")
        journal.finish(rich())
    else:
        journal.close()
        with lock_session("last", tmp_path) as taken:
            journal.path.with_suffix(part).symlink_to("precious")
            taken.reopen(lines()).close()
    assert (tmp_path / "precious").read_text() == "mine"
