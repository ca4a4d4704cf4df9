"""The sessions folder: whatever happens to the disk or the process, every finished turn is in one file or the other."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_gc.core import Conversation
from llm_gc.errors import SessionError
from llm_gc.sessions import Journal, load_session, reserve
from llm_gc.sessions import journal as journals
from llm_gc.sessions.session_reader import LOST
from llm_gc.transcript.encode import MessageEncoder, dumps, messages_of
from llm_gc.transcript.records import Transcript
from tests.talks import said, talk
from tests.transcript.test_transcript import HEADER, drive, transcript

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ID = "20260102T030405Z-m1"

posix = pytest.mark.skipif(os.name != "posix", reason="permissions and links are those of POSIX")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A journal with its first line."""
    made = reserve(tmp_path / "sessions", "m1", NOW)
    made.append({"start": HEADER})
    yield made
    made.close()


def three_turns() -> Conversation:
    """Return a conversation that was had."""
    conversation = talk(["anna", "ben", "anna"])
    drive(conversation, [said("one"), said("two \u2028 é"), said("three")])
    return conversation


def whole() -> Transcript:
    """Return its transcript."""
    return replace(transcript(three_turns()), id=ID)


def keep(journal: Journal, conversation: Conversation) -> None:
    """Write all its turns to a journal."""
    encoder, known = MessageEncoder(), 0
    for turn in conversation.log:
        record = encoder.turn(turn)
        journal.append({"turn": record, "texts": dict(list(encoder.texts.items())[known:])})
        known = len(encoder.texts)


def lines(path: Path) -> list[Any]:
    """Return the values of a journal's lines; each of them has its end."""
    data = path.read_bytes()
    assert data.endswith(b"\n")
    return [json.loads(line) for line in data.splitlines()]


def names(folder: Path) -> list[str]:
    """Return what is in a folder."""
    return sorted(path.name for path in folder.iterdir())


# --- What can happen to a disk and to a process


class _Killed(BaseException):
    """The process is gone: nothing is done any more."""


CALLS = ("open", "write", "fsync", "close", "replace", "unlink", "ftruncate")


@contextmanager
def dying(monkeypatch: pytest.MonkeyPatch, number: int) -> Iterator[list[str]]:
    """Simulate the end of the process before its nth system call: from then on, no call does anything."""
    calls: list[str] = []

    def counted(real: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            if len(calls) > number:
                raise _Killed
            return real(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, counted(getattr(os, name), name))
        yield calls


@contextmanager
def full(monkeypatch: pytest.MonkeyPatch, room: int) -> Iterator[None]:
    """Leave room for so many bytes on the disk."""
    real, left = os.write, room

    def write(descriptor: int, data: bytes) -> int:
        nonlocal left
        if not left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = real(descriptor, bytes(data)[:left])
        left -= written
        return written

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        yield


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, call: str, number: int, only: str = "") -> Iterator[None]:
    """Make a system call fail: each, or that for a file whose path ends so, or for an open one."""
    real = getattr(os, call)

    def fail(first: Any, *rest: Any, **more: Any) -> Any:
        if not only or isinstance(first, int) or str(first).endswith(only):
            raise OSError(number, os.strerror(number))
        return real(first, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        yield


# --- Ids and files


def test_a_journal_is_for_its_owner_alone(journal: Journal) -> None:
    """What was said may be private: nobody else can read the journal or the transcript."""
    assert stat.S_IMODE(journal.path.stat().st_mode) in (0o600, 0o666)  # Windows knows no other
    path = journal.finish(whole())
    assert stat.S_IMODE(path.stat().st_mode) in (0o600, 0o666)
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == journals.MODE == 0o600


def test_an_id_is_the_time_and_the_name(tmp_path: Path) -> None:
    """It is the name of both files, and each later one of the same second has a number."""
    made = [reserve(tmp_path, "m1", NOW) for _ in range(3)]
    assert [one.id for one in made] == [ID, f"{ID}-2", f"{ID}-3"]
    assert [one.path.name for one in made] == [f"{one.id}.jsonl" for one in made]
    assert made[0].transcript == tmp_path / f"{ID}.json"
    for one in made:
        one.close()


def test_an_id_is_not_given_again(tmp_path: Path) -> None:
    """Also when the conversation that had it is over and its journal gone."""
    first = reserve(tmp_path, "m1", NOW)
    first.finish(whole())
    second = reserve(tmp_path, "m1", NOW)
    assert second.id == f"{ID}-2"
    second.discard()
    assert names(tmp_path) == [f"{ID}.json"]


def test_a_dot_in_the_name_is_no_suffix(tmp_path: Path) -> None:
    """The name is kept whole in all of the files."""
    journal = reserve(tmp_path, "m1.v2", NOW)
    assert journal.id == "20260102T030405Z-m1.v2"
    assert journal.finish(whole()).name == "20260102T030405Z-m1.v2.json"
    assert names(tmp_path) == ["20260102T030405Z-m1.v2.json"]


def test_a_second_that_is_full_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is an end to looking for a free name."""
    monkeypatch.setattr(journals, "MAX_SAME_SECOND", 2)
    made = [reserve(tmp_path, "m1", NOW) for _ in range(2)]
    with pytest.raises(SessionError, match="holds 2 sessions of this second"):
        reserve(tmp_path, "m1", NOW)
    for one in made:
        one.close()


def test_threads_never_share_an_id(tmp_path: Path) -> None:
    """However many begin at once."""
    ids: list[str] = []

    def begin() -> None:
        for _ in range(20):
            journal = reserve(tmp_path, "m1", NOW)
            ids.append(journal.id)
            journal.finish(whole()) if len(ids) % 2 else journal.close()

    threads = [threading.Thread(target=begin) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == len(ids) == 120


def test_processes_never_share_an_id(tmp_path: Path) -> None:
    """However many begin at once, on any number of machines over one folder."""
    code = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from llm_gc.sessions import reserve
sys.stdin.read(1)
for _ in range(40):
    journal = reserve(Path(sys.argv[1]), "m1", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    print(journal.id)
    journal.close()
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    ids = [id_ for process in started for id_ in process.communicate("x")[0].split()]
    assert len(set(ids)) == len(ids) == 120
    assert names(tmp_path) == sorted(f"{id_}.jsonl" for id_ in ids)


@settings(derandomize=True, database=None, max_examples=100)
@given(st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z"))
def test_file_names_are_valid_everywhere(name: str) -> None:
    """Whatever a pipeline may be called: no character, end or device that another system does not know."""
    stem = f"{NOW:%Y%m%dT%H%M%SZ}-{name}"
    journal = Journal(Path(f"{stem}.jsonl"), -1)
    part = journal.transcript.with_suffix(".json.part")
    for path in (journal.path, journal.transcript, part):
        assert not set(path.name) & set('<>:"/\\|?*')
        assert path.name.isascii()
        assert path.name.isprintable()
        assert path.name[-1] not in ". "
        assert path.name.split(".")[0].upper() not in {"CON", "PRN", "AUX", "NUL", "COM1", "LPT1"}
        assert len(path.name) < 128
    assert journal.id == stem
    assert journal.transcript.name == f"{stem}.json"


# --- The journal


def test_each_line_is_one_value(journal: Journal) -> None:
    """The first line is the start, each further one a turn with the texts that are new; each has its end."""
    keep(journal, three_turns())
    start, *turns = lines(journal.path)
    assert start["start"]["seed"] == 42
    assert [line["turn"]["content"] for line in turns] == ["one", "two \u2028 é", "three"]
    assert [list(line["texts"].values()) for line in turns] == [["Begin."], [], []]


def test_each_line_is_on_the_disk_before_the_next(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every append ends with one fsync, after all of its bytes are written."""
    for _ in range(3):
        with dying(monkeypatch, 100) as calls:
            journal.append({"turn": "x" * 100})
        assert calls == ["write", "fsync"]


def test_a_line_is_with_the_system_at_once(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written can be read before it is flushed, and nothing more is written until it is."""
    flush, flushed = threading.Event(), list[str]()
    real = os.fsync

    def slow(descriptor: int) -> None:
        flush.wait(5)
        flushed.append("flushed")
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", slow)
        journal.write({"one": 1})
        assert (lines(journal.path)[1:], flushed) == ([{"one": 1}], [])
        flush.set()
        journal.write({"two": 2})
        assert flushed == ["flushed"]
        journal.close()
    assert lines(journal.path)[1:] == [{"one": 1}, {"two": 2}]
    assert len(flushed) == 2


def test_what_was_not_flushed_is_written_again(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk did not take a line after all, it comes once more with the next one, and is there once."""
    with failing(monkeypatch, "fsync", errno.ENOSPC):
        journal.write({"one": 1})
        journal.write({"two": 2})
    with full(monkeypatch, 5), pytest.raises(SessionError, match="the disk is full"):
        journal.write({"three": 3})
    journal.append({"four": 4})
    assert lines(journal.path)[1:] == [{"one": 1}, {"two": 2}, {"four": 4}]


def test_a_line_that_is_not_flushed_is_taken_back(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody waits for it, it is their error, and nothing of it is left."""
    with failing(monkeypatch, "fsync", errno.ENOSPC), pytest.raises(SessionError, match="the disk is full"):
        journal.append({"one": 1})
    journal.append({"two": 2})
    assert lines(journal.path)[1:] == [{"two": 2}]


def test_a_disk_that_takes_little_at_a_time(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that takes less than it was given is resumed."""
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data)[:7]))
    journal.append({"turn": "0123456789" * 5})
    assert lines(journal.path)[1:] == [{"turn": "0123456789" * 5}]


@pytest.mark.parametrize("room", [0, 1, 10, 59, 60])
def test_a_full_disk_leaves_no_half_line(journal: Journal, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    """What was written of a line is taken back, so that all lines are whole; the error says what to do."""
    before = journal.path.read_bytes()
    with full(monkeypatch, room), pytest.raises(SessionError) as caught:
        journal.append({"turn": "0123456789" * 5})
    assert journal.path.read_bytes() == before
    message = str(caught.value)
    assert str(journal.path) in message
    assert message.endswith("the disk is full; free some of it, or give another folder with --sessions DIR")
    journal.append({"turn": "after"})
    assert lines(journal.path)[1:] == [{"turn": "after"}]


def test_a_line_that_is_not_flushed_is_not_there(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk fails only when it is flushed, the line is taken back as well."""
    before = journal.path.read_bytes()
    with failing(monkeypatch, "fsync", errno.EIO), pytest.raises(SessionError, match="input/output error"):
        journal.append({"turn": "x"})
    assert journal.path.read_bytes() == before


def test_a_half_line_that_stays_is_cut_off_later(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not even taking back works, the next line begins with that, so that no two lines run together."""
    with full(monkeypatch, 10), failing(monkeypatch, "ftruncate", errno.EIO), pytest.raises(SessionError):
        journal.append({"turn": "0123456789" * 5})
    assert not journal.path.read_bytes().endswith(b"\n")
    journal.append({"turn": "after"})
    assert lines(journal.path)[1:] == [{"turn": "after"}]


def test_what_cannot_be_json_is_not_begun(journal: Journal) -> None:
    """A value that has no place in JSON leaves the journal as it was."""
    before = journal.path.read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        journal.append({"turn": float("inf")})
    assert journal.path.read_bytes() == before


def test_a_closed_journal_takes_nothing(journal: Journal) -> None:
    """It says that it is closed; closing twice is nothing."""
    journal.close()
    journal.close()
    with pytest.raises(SessionError, match="is closed"):
        journal.append({})


# --- The end


def test_the_transcript_takes_the_journal_s_place(journal: Journal) -> None:
    """Afterwards there is one file, which holds what was handed in."""
    keep(journal, three_turns())
    path = journal.finish(whole())
    assert names(path.parent) == [f"{ID}.json"]
    assert load_session(path) == whole()
    assert path.read_bytes().endswith(b"}\n")


def test_a_discarded_journal_leaves_nothing(journal: Journal) -> None:
    """A conversation that never began leaves no file."""
    journal.discard()
    assert names(journal.path.parent) == []


def _calls_of_finish(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    journal = reserve(folder, "m1", NOW)
    with dying(monkeypatch, 1000) as calls:
        journal.finish(whole())
    return calls


def test_finishing_is_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between any two calls to the system, there is a whole journal or a whole transcript, never less."""
    calls = _calls_of_finish(tmp_path / "counted", monkeypatch)
    assert calls[:5] == ["open", "write", "fsync", "close", "replace"]
    found = []
    for number in range(len(calls)):
        folder = tmp_path / str(number)
        journal = reserve(folder, "m1", NOW)
        journal.append({"start": replace(HEADER, id=ID)})
        keep(journal, three_turns())
        with dying(monkeypatch, number), pytest.raises(_Killed):
            journal.finish(whole())
        if journal.transcript.exists():
            assert load_session(journal.transcript) == whole()
        else:
            assert load_session(journal.path).turns == whole().turns
        found.append((journal.path.exists(), journal.transcript.exists()))
        journal.close()
    assert found == sorted(found, key=lambda pair: pair[1])  # first the journal alone, then the transcript
    assert {(True, False), (True, True)} <= set(found)
    assert (False, False) not in found


@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace"])
def test_a_failing_call_at_the_end_loses_nothing(journal: Journal, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """Where the transcript cannot be put in its place the journal stays, and nothing beside it."""
    keep(journal, three_turns())
    with failing(monkeypatch, call, errno.ENOSPC, "json.part"), pytest.raises(SessionError, match="the disk is full"):
        journal.finish(whole())
    assert names(journal.path.parent) == [f"{ID}.jsonl"]
    assert load_session(journal.path).turns == whole().turns


def test_a_journal_that_cannot_be_removed_is_no_failure(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transcript is in its place by then."""
    with failing(monkeypatch, "unlink", errno.EACCES):
        path = journal.finish(whole())
    assert load_session(path) == whole()
    assert names(path.parent) == [f"{ID}.json", f"{ID}.jsonl"]


def test_a_finish_that_failed_can_be_tried_again(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """When there is space again, the same journal becomes the transcript."""
    with full(monkeypatch, 100), pytest.raises(SessionError, match="the disk is full"):
        journal.finish(whole())
    assert names(journal.path.parent) == [f"{ID}.jsonl"]
    journal.finish(whole())
    assert names(journal.path.parent) == [f"{ID}.json"]


# --- The place


def test_a_folder_is_made_where_there_is_none(tmp_path: Path) -> None:
    """With all that is above it."""
    journal = reserve(tmp_path / "a" / "b", "m1", NOW)
    journal.close()
    assert journal.path.exists()


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_read_only_folder_is_told(tmp_path: Path) -> None:
    """The error names the folder, says why, and what to do."""
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(SessionError, match=r"permission denied; give another folder with --sessions DIR$"):
            reserve(tmp_path / "sessions", "m1", NOW)
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize(("number", "word"), [
    (errno.EACCES, "permission denied"), (errno.EROFS, "read-only file system"), (errno.ENOSPC, "the disk is full"),
    (errno.EDQUOT, "the disk is full"), (errno.EIO, "input/output error"), (errno.ENAMETOOLONG, "file name too long"),
])  # fmt: skip
def test_a_place_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, word: str
) -> None:
    """Whatever the reason, the error names the place, the reason and the way out, in one line."""
    with failing(monkeypatch, "open", number), pytest.raises(SessionError) as caught:
        reserve(tmp_path, "m1", NOW)
    assert str(caught.value).startswith(f"the transcript cannot be written to {tmp_path}: {word};")
    assert str(caught.value).endswith("--sessions DIR")


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    """It is told that this is no folder, and the file stays as it is."""
    (tmp_path / "sessions").write_text("mine")
    with pytest.raises(SessionError, match="sessions: that is no folder"):
        reserve(tmp_path / "sessions", "m1", NOW)
    with pytest.raises(SessionError, match=r"cannot be written to .*deeper: not a directory"):
        reserve(tmp_path / "sessions" / "deeper", "m1", NOW)
    assert (tmp_path / "sessions").read_text() == "mine"


@posix
def test_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    """It is told as no folder; nothing is made where it leads."""
    (tmp_path / "sessions").symlink_to(tmp_path / "gone")
    with pytest.raises(SessionError, match="that is no folder"):
        reserve(tmp_path / "sessions", "m1", NOW)
    assert not (tmp_path / "gone").exists()


@posix
def test_a_link_to_a_folder_is_a_folder(tmp_path: Path) -> None:
    """Sessions may lie on another disk."""
    (tmp_path / "far").mkdir()
    (tmp_path / "sessions").symlink_to(tmp_path / "far")
    reserve(tmp_path / "sessions", "m1", NOW).finish(whole())
    assert names(tmp_path / "far") == [f"{ID}.json"]


@posix
def test_a_link_in_a_journal_s_place_is_not_followed(tmp_path: Path) -> None:
    """A name that is taken by a link is taken."""
    (tmp_path / f"{ID}.jsonl").symlink_to(tmp_path / "elsewhere")
    journal = reserve(tmp_path, "m1", NOW)
    journal.close()
    assert journal.id == f"{ID}-2"
    assert not (tmp_path / "elsewhere").exists()


# --- Reading


def test_a_journal_is_a_session(journal: Journal) -> None:
    """What a killed process left reads as a conversation interrupted after its last finished turn."""
    keep(journal, three_turns())
    loaded = load_session(journal.path)
    assert (loaded.status, loaded.ended_by.reason, loaded.result) == ("interrupted", "interrupted", "three")
    assert loaded.ended_by.detail == LOST
    assert (loaded.id, loaded.seed, loaded.turns, loaded.texts) == (HEADER.id, 42, whole().turns, whole().texts)
    assert loaded.totals == whole().totals
    assert [len(messages_of(loaded, turn)) for turn in loaded.turns] == [1, 1, 3]


@pytest.mark.parametrize("cut", range(1, 200, 23))
def test_a_torn_last_line_is_passed_over(journal: Journal, cut: int) -> None:
    """What was being written when the process was killed is no turn."""
    keep(journal, three_turns())
    journal.path.write_bytes(journal.path.read_bytes()[:-cut])
    assert load_session(journal.path).turns == whole().turns[:2]


def test_a_journal_without_turns_is_a_session(journal: Journal) -> None:
    """One that was begun, and no more."""
    loaded = load_session(journal.path)
    assert (loaded.turns, loaded.result, loaded.status) == ((), "", "interrupted")


GARBAGE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "nothing was written to it yet"),
    "half a first line": (b'{"start": {"format": 1', "nothing was written to it yet"),
    "no JSON": (b"name: m1\n", "line 1, column 1 is no JSON"),
    "a list": (b"[1, 2]", "this is no transcript of llm-gc"),
    "another JSON": (b'{"a": 1}', "this is no transcript of llm-gc"),
    "no text": (b"\xff\xfe\x00", "decode"),
    "a newer one": (b'{"format": 2, "turns": []}', "a newer llm-gc may"),
    "too deep": (b"[" * 100_000, "recursion"),
    "lacks all": (b'{"format": 1, "turns": []}', "at id: Field required"),
    "a broken journal": (b'{"start": {"format": 1}}\nxx\n', "line 2, column 1 is no JSON"),
}


@pytest.mark.parametrize(("data", "word"), GARBAGE.values(), ids=GARBAGE)
def test_what_is_no_session_is_refused(tmp_path: Path, data: bytes, word: str) -> None:
    """The error names the file and says why in one line."""
    path = tmp_path / "x.json"
    path.write_bytes(data)
    with pytest.raises(SessionError) as caught:
        load_session(path)
    assert str(path) in str(caught.value)
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A file that is not there, and a folder."""
    with pytest.raises(SessionError, match="cannot be read: no such file"):
        load_session(tmp_path / "x.json")
    with pytest.raises(SessionError, match="cannot be read"):
        load_session(str(tmp_path))


def test_a_transcript_is_read_whatever_its_name(journal: Journal) -> None:
    """It is known by what is in it, and text is given as well as a path."""
    path = journal.finish(whole())
    other = path.rename(path.with_name("mine.txt"))
    assert dumps(load_session(str(other))) == dumps(whole())
