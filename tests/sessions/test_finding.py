"""Which session is meant: by path, by id, by how an id begins, or the newest."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from llm_gc.errors import UsageError
from llm_gc.sessions import find_session, session_files

OLD, NEW, OTHER = "20260101T000000Z-m1", "20260102T000000Z-m1", "20260102T000001Z-debate"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three sessions, of which one was interrupted, and what else may lie about."""
    for name in (f"{OLD}.json", f"{NEW}.jsonl", f"{OTHER}.json", "notes.txt", f"{OTHER}.json.part"):
        (tmp_path / name).write_text("{}")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "file"),
    [
        (OLD, f"{OLD}.json"),
        (f"{OLD}.json", f"{OLD}.json"),
        (NEW, f"{NEW}.jsonl"),
        ("20260101", f"{OLD}.json"),
        ("20260102T000000", f"{NEW}.jsonl"),
        ("last", f"{OTHER}.json"),
    ],
)
def test_a_session_by_name(folder: Path, text: str, file: str) -> None:
    """An id, its file's name, how it begins, or ``last``."""
    assert find_session(text, folder) == folder / file


def test_a_session_by_path(folder: Path) -> None:
    """A path is taken as it is, wherever it leads."""
    path = folder / f"{OLD}.json"
    assert find_session(str(path), folder / "elsewhere") == path


def test_a_path_that_has_changed_its_ending(folder: Path) -> None:
    """A journal has become a transcript since, or continues again: it is the same session."""
    assert find_session(str(folder / f"{OLD}.jsonl"), folder) == folder / f"{OLD}.json"
    assert find_session(str(folder / f"{NEW}.json"), folder) == folder / f"{NEW}.jsonl"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("2026", f"'2026' could be 3 sessions in .*: {OTHER}, {NEW}, {OLD}; give more of the id"),
        ("2027", "there is no session '2027' in .*; give a file, an id or how it begins, or 'last' for the newest"),
        ("nowhere/x.json", "there is no session 'nowhere/x.json'"),
    ],
)
def test_no_session(folder: Path, text: str, word: str) -> None:
    """What is not there, or is not one alone, is said, with what to give instead."""
    with pytest.raises(UsageError, match=word):
        find_session(text, folder)


def test_a_whole_id_is_not_the_beginning_of_another(folder: Path) -> None:
    """The second session of a second begins with the id of the first."""
    (folder / f"{OLD}-2.json").write_text("{}")
    assert find_session(OLD, folder) == folder / f"{OLD}.json"
    with pytest.raises(UsageError, match="could be 2 sessions"):
        find_session(OLD[:-1], folder)


def test_many_are_not_all_named(folder: Path) -> None:
    """Three names are enough to see what is meant."""
    (folder / f"{OLD}-2.json").write_text("{}")
    with pytest.raises(UsageError, match=re.escape(f"{NEW}, {OLD}-2, …; give more")):
        find_session("2026", folder)


def test_folders_that_hold_nothing(tmp_path: Path) -> None:
    """An empty folder, none at all, one given as a session, and what is no folder."""
    for folder in (tmp_path, tmp_path / "none"):
        assert session_files(folder) == []
        with pytest.raises(UsageError, match="holds none; give another folder with --sessions DIR"):
            find_session("last", folder)
    with pytest.raises(UsageError, match="is a folder; give one session in it"):
        find_session(str(tmp_path), tmp_path)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(UsageError, match="cannot be read"):
        session_files(file)


def test_the_newest_first(folder: Path) -> None:
    """By the second in which they began, and within one by their numbers; a transcript hides its journal."""
    for number in (2, 9, 10):
        (folder / f"{OLD}-{number}.json").write_text("{}")
    (folder / f"{OTHER}.jsonl").write_text("{}")
    assert [path.name for path in session_files(folder)] == [
        f"{OTHER}.json", f"{NEW}.jsonl", f"{OLD}-10.json", f"{OLD}-9.json", f"{OLD}-2.json", f"{OLD}.json"
    ]  # fmt: skip


def test_the_last_of_one_second(tmp_path: Path) -> None:
    """Where two began in the same second, ``last`` is the one that was written last, whatever they are called."""
    for name, written in (("a", 20), ("b", 10)):
        path = tmp_path / f"20260101T000000Z-{name}.json"
        path.write_text("{}")
        os.utime(path, (written, written))
    assert find_session("last", tmp_path).name == "20260101T000000Z-a.json"


def test_the_last_that_has_begun(tmp_path: Path) -> None:
    """One whose process was gone before its first line, a pipe and a link to nothing are passed over."""
    (tmp_path / f"{OTHER}.jsonl").touch()
    with pytest.raises(UsageError, match="nothing was asked in any of the 1 in"):
        find_session("last", tmp_path)
    (tmp_path / f"{NEW}.jsonl").write_text('{"start": {')
    os.mkfifo(tmp_path / f"{NEW}-2.json")
    (tmp_path / f"{NEW}-3.json").symlink_to("gone")
    (tmp_path / f"{OLD}-2.jsonl").touch()
    (tmp_path / f"{OLD}.jsonl").write_text('{"start": {}}\n')
    assert find_session("last", tmp_path).name == f"{OLD}.jsonl"
    assert find_session(NEW, tmp_path).name == f"{NEW}.jsonl"


def test_a_name_that_no_file_can_have(folder: Path) -> None:
    """It is no session."""
    for name in ("x" * 300, "a\0b", "x/" * 3000):
        with pytest.raises(UsageError, match="there is no session"):
            find_session(name, folder)
