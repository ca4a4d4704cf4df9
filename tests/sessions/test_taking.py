"""A session taken up again: by one at a time, and with nothing lost on the way."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llm_gc.errors import SessionError, UsageError
from llm_gc.sessions import (
    LockedSession,
    find_session,
    load_session,
    lock_session,
    read_session,
    reserve,
    session_reader,
)
from llm_gc.sessions.on_disk import lock
from tests.commands import environ
from tests.sessions.test_journal import ID, NOW, dying, failing, full, keep, names, three_turns, whole
from tests.sessions.test_journal import _Killed as Killed
from tests.transcript.test_transcript import HEADER


def lines() -> list[dict[str, Any]]:
    """Return the lines of a journal to continue: shorter than those that the files below hold."""
    return [{"start": replace(HEADER, id=ID)}]


def interrupted(folder: Path, *, closed: bool, torn: bytes = b"") -> Path:
    """Leave an interrupted session of three turns: a transcript where it was ``closed``, else its journal."""
    journal = reserve(folder, "m1", NOW)
    journal.append({"start": replace(HEADER, id=ID)})
    keep(journal, three_turns())
    if closed:
        return journal.finish(whole())
    journal.close()
    with journal.path.open("ab") as file:
        file.write(torn)
    return journal.path


def turns(path: Path) -> int:
    """Count the turns of a session."""
    return len(load_session(path).turns)


both = pytest.mark.parametrize("closed", [True, False], ids=["transcript", "journal"])


@both
def test_it_becomes_a_journal_again(tmp_path: Path, closed: bool) -> None:
    """With the lines that are given, and what is appended behind them; there is no other file then."""
    interrupted(tmp_path, closed=closed)
    with lock_session(ID, tmp_path) as taken:
        assert len(taken.read().transcript.turns) == 3
        journal = taken.reopen(lines())
    keep(journal, three_turns())
    journal.close()
    assert names(tmp_path) == [f"{ID}.jsonl"]
    assert (journal.id, turns(journal.path)) == (ID, 3)
    assert len(journal.path.read_bytes().splitlines()) == 4


@both
def test_it_ends_as_a_transcript(tmp_path: Path, closed: bool) -> None:
    """In the end there is one file again, of the same name."""
    interrupted(tmp_path, closed=closed)
    with lock_session("last", tmp_path) as taken:
        journal = taken.reopen(lines())
    assert journal.finish(whole()) == tmp_path / f"{ID}.json"
    assert names(tmp_path) == [f"{ID}.json"]


@both
def test_one_at_a_time(tmp_path: Path, closed: bool) -> None:
    """From the first look to the last turn; whoever comes second is told, and nothing is changed."""
    path = interrupted(tmp_path, closed=closed)
    told = "is being written by another llm-gc; wait until that has ended"
    with lock_session(ID, tmp_path) as taken:
        with pytest.raises(UsageError, match=f"{path.name} {told}"):
            lock_session(ID, tmp_path)
        journal = taken.reopen(lines())
    with pytest.raises(UsageError, match=f"{ID}.jsonl {told}"):
        lock_session(str(path), tmp_path)
    journal.close()
    with lock_session(ID, tmp_path) as again:
        assert again.path == journal.path


def test_a_running_conversation_is_not_taken(tmp_path: Path) -> None:
    """Its journal is locked from the moment it is there."""
    journal = reserve(tmp_path, "m1", NOW)
    with pytest.raises(UsageError, match="is being written by another llm-gc"):
        lock_session(ID, tmp_path)
    journal.close()
    lock_session(ID, tmp_path).close()


HOLDER = """
import sys
from pathlib import Path
from llm_gc.sessions import lock_session
taken = lock_session(sys.argv[1], Path())
print("held", flush=True)
sys.stdin.read()
"""


def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    """Another process is notified of, and once it is killed nothing of it is in the way."""
    path = interrupted(tmp_path, closed=False)
    words = [sys.executable, "-c", HOLDER, str(path)]
    process = subprocess.Popen(words, env=environ(), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    with pytest.raises(UsageError, match="is being written"):
        lock_session(ID, tmp_path)
    process.kill()
    process.communicate()
    lock_session(ID, tmp_path).close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process that is a copy of this one is needed")
@both
def test_killed_while_it_becomes_a_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: bool) -> None:
    """Between any two calls to the system there is a file that holds every turn, and it can be taken up again."""
    with dying(monkeypatch, 1000) as calls:
        interrupted(tmp_path / "counted", closed=closed)
        before = len(calls)
        _reopened(lock_session(ID, tmp_path / "counted"))
    assert "unlink" in calls[before:] or not closed
    for number in range(1, len(calls) - before):  # the first call opens the file
        folder = tmp_path / str(number)
        interrupted(folder, closed=closed)
        _killed_at(monkeypatch, number, folder)
        assert set(names(folder)) <= {f"{ID}.json", f"{ID}.jsonl", f"{ID}.jsonl.part"}
        with lock_session(ID, folder) as taken:
            assert len(taken.read().transcript.turns) == 3


def _killed_at(monkeypatch: pytest.MonkeyPatch, number: int, folder: Path) -> None:
    """End a child process, with its locks, before its nth system call."""
    child = os.fork()
    if child == 0:
        try:
            with dying(monkeypatch, number):
                _reopened(lock_session(ID, folder))
        except Killed:
            os._exit(9)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def _reopened(taken: LockedSession) -> None:
    """Put a whole journal in the place of what was taken."""
    from llm_gc.transcript.encode import MessageEncoder

    encoder = MessageEncoder()
    made = [{"turn": encoder.turn(turn), "texts": dict(encoder.texts)} for turn in three_turns().log]
    taken.reopen([*lines(), *made]).close()


@both
def test_a_full_disk_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: bool) -> None:
    """The error says so, the file is as it was, and nothing lies beside it."""
    path = interrupted(tmp_path, closed=closed)
    before = path.read_bytes()
    with (
        lock_session(ID, tmp_path) as taken,
        full(monkeypatch, 20),
        pytest.raises(SessionError, match="the disk is full"),
    ):
        taken.reopen(lines())
    assert names(tmp_path) == [path.name]
    assert path.read_bytes() == before


def test_a_transcript_that_stays_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would hide its journal, so nothing continues beside it."""
    interrupted(tmp_path, closed=True)
    with lock_session(ID, tmp_path) as taken, failing(monkeypatch, "unlink", errno.EACCES, ".json"):  # noqa: SIM117
        with pytest.raises(SessionError, match=r"cannot be replaced by its journal .*\.jsonl; remove one of them"):
            taken.reopen(lines())


def test_a_torn_line_is_noticed(tmp_path: Path) -> None:
    """What has no end is dropped, and whoever reads it can say so."""
    whole_ = interrupted(tmp_path / "whole", closed=False)
    torn = interrupted(tmp_path / "torn", closed=False, torn=b'{"turn": {"tu')
    closed = interrupted(tmp_path / "closed", closed=True)
    found = [read_session(path) for path in (whole_, torn, closed)]
    assert [(one.is_closed, one.is_torn) for one in found] == [(False, False), (False, True), (True, False)]
    assert [len(one.transcript.turns) for one in found] == [3, 3, 3]


@pytest.mark.parametrize("size", [0, 1, 9, 60])
def test_a_journal_that_was_left_at_once(tmp_path: Path, size: int) -> None:
    """Before its first line is whole there is nothing to continue, and that is what is said."""
    path = tmp_path / f"{ID}.jsonl"
    path.write_bytes(b'{"start": {"id": "x", "pipeline": {"name": "and so on, and so on"'[:size])
    with pytest.raises(SessionError, match="not a transcript that can be read: nothing was written to it yet"):
        read_session(path)


def test_a_session_that_ends_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal that becomes a transcript between being found and being opened is found again."""
    path = interrupted(tmp_path, closed=False)
    real = find_session

    def find(text: str, folder: Path) -> Path:
        found = real(text, folder)
        if path.exists():
            path.rename(path.with_suffix(".json"))
        return found

    monkeypatch.setattr(session_reader, "find_session", find)
    with lock_session(ID, tmp_path) as taken:
        assert taken.path == path.with_suffix(".json")


def test_a_file_that_is_another_by_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock of a file that was replaced holds nobody off, so it does not count."""
    path = interrupted(tmp_path, closed=False)

    def replaced(descriptor: int) -> bool:
        (tmp_path / "new").write_bytes(path.read_bytes())
        (tmp_path / "new").replace(path)
        return lock(descriptor)

    monkeypatch.setattr(session_reader, "lock", replaced)
    with pytest.raises(SessionError, match="changes its name each time"):
        lock_session(ID, tmp_path)


def test_a_file_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, with the reason."""
    interrupted(tmp_path, closed=True)
    with (
        failing(monkeypatch, "open", errno.EACCES, ".json"),
        pytest.raises(SessionError, match=r"\.json cannot be opened: permission denied"),
    ):
        lock_session(ID, tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="locks elsewhere are others")
def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There everybody is let in: nothing could be known."""
    import fcntl

    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    interrupted(tmp_path, closed=True)
    monkeypatch.setattr(fcntl, "flock", none)
    with lock_session(ID, tmp_path), lock_session(ID, tmp_path) as second:
        assert json.loads(second.path.read_bytes())["id"] == ID


@pytest.mark.parametrize(
    "end", [b"\0\0\0\0", b"{}", b"null", b'{"turn": {}}', b'{"turn": 3, "texts": {}}', b"[" * 9999, b"\x80"]
)
@pytest.mark.parametrize("torn", [b"", b'{"turn": {"tu'])
def test_a_garbled_line_is_noticed(tmp_path: Path, end: bytes, torn: bytes) -> None:
    """One at the end is dropped like a torn one; one with a turn behind it is not to be passed over."""
    path = interrupted(tmp_path, closed=False, torn=end + b"\n" + torn)
    found = read_session(path)
    assert (found.is_closed, found.is_torn, found.is_garbled) == (False, bool(torn), True)
    assert len(found.transcript.turns) == 3
    data = path.read_bytes().removesuffix(torn)
    path.write_bytes(data + data.splitlines(keepends=True)[1])
    with pytest.raises(SessionError, match="is not a transcript that can be read"):
        read_session(path)


def test_two_garbled_lines_are_too_many(tmp_path: Path) -> None:
    """Whoever has written these has not only been interrupted."""
    path = interrupted(tmp_path, closed=False, torn=b"x\ny\n")
    with pytest.raises(SessionError, match="line 5, column 1 is no JSON"):
        read_session(path)


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_numbers_that_are_none(tmp_path: Path, number: str) -> None:
    """JSON has none of them, and nobody could continue one."""
    path = interrupted(tmp_path, closed=True)
    text = path.read_text()
    path.write_text(re.sub(r'"seconds": [0-9.]+', f'"seconds": {number}', text))
    with pytest.raises(SessionError, match="is not a transcript that can be read"):
        read_session(path)


@pytest.mark.skipif(sys.platform == "win32", reason="there are none")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Neither to be read nor to be taken."""
    os.mkfifo(tmp_path / f"{ID}.json")
    for name in (ID, str(tmp_path / f"{ID}.json")):
        with pytest.raises((SessionError, UsageError), match=r"named pipe|there is no session"):
            lock_session(name, tmp_path)
    with pytest.raises(SessionError, match="cannot be read: it is a named pipe"):
        read_session(tmp_path / f"{ID}.json")
