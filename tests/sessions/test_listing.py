"""What a listing says of each session is what is in its file, though hardly any of it is read."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from llm_gc.sessions import ListedSession, listed, load_session, reserve
from llm_gc.sessions.on_disk import CHUNK
from llm_gc.transcript.encode import dumps, plain
from llm_gc.transcript.records import Header, Transcript
from tests.shown import header, long, rich

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def written(folder: Path, name: str, text: str) -> Path:
    """Write a session's file."""
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


def figures(transcript: Transcript, path: Path) -> ListedSession:
    """Return what a listing must say of a transcript."""
    totals = transcript.totals
    tokens = totals.tokens.prompt or 0, totals.tokens.completion or 0
    ended = transcript.status, transcript.ended_by.reason, transcript.pipeline.name, transcript.started_at
    return ListedSession(path.stem, path, *ended, totals.turns, totals.failed, *tokens, totals.seconds)


def only(folder: Path) -> ListedSession:
    """Return the one session of a folder."""
    (session,) = listed(folder)
    return session


def as_finished(folder: Path, transcript: Transcript) -> Path:
    """Write a transcript as a run does."""
    journal = reserve(folder, "m1", NOW)
    return journal.finish(transcript)


@pytest.mark.parametrize("transcript", [rich(), long(40)], ids=["rich", "long"])
def test_a_transcript_as_a_run_writes_it(tmp_path: Path, transcript: Transcript) -> None:
    """The head alone gives all that a listing says: the order of its entries can be relied on."""
    path = as_finished(tmp_path, transcript)
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(b'\n "turns": [') + 20] + b" this would be no JSON")
    assert only(tmp_path) == figures(transcript, path)


def test_a_head_that_is_longer_than_one_look(tmp_path: Path) -> None:
    """A long document, long inputs and a long result are read to their end, and mistaken for nothing else."""
    trap = '\n "status": "failed",\n "turns": [\n  "name": "not this one",\n'
    told = rich()
    document = {**told.pipeline.document, "opening": trap + "x" * (3 * CHUNK)}
    transcript = replace(
        told, pipeline=replace(told.pipeline, document=document), inputs={"task": trap}, result=trap * 1000
    )
    path = as_finished(tmp_path, transcript)
    assert only(tmp_path) == figures(transcript, path)


def test_a_transcript_that_was_written_anew(tmp_path: Path) -> None:
    """Another tool's indents and order of keys change nothing."""
    transcript = rich()
    data = json.loads(dumps(transcript))
    for number, text in enumerate([json.dumps(data), json.dumps(data, indent=4, sort_keys=True)]):
        path = written(tmp_path, f"2026010{number + 1}T000000Z-m1.json", text)
        assert next(iter(listed(tmp_path))) == figures(transcript, path)


def journal_lines(transcript: Transcript) -> list[Any]:
    """Return the lines of the journal that a transcript came from."""
    about = {field: getattr(transcript, field) for field in Header.__dataclass_fields__}
    return [{"start": plain(about)}, *({"turn": plain(turn), "texts": {}} for turn in transcript.turns)]


@pytest.mark.parametrize("torn", ["", '{"turn": {"turn": 13, "id": "tur'], ids=["whole", "torn"])
def test_a_journal_line_by_line(tmp_path: Path, torn: str) -> None:
    """It says what the whole reading of it says: picks are no turns, tries of their own are counted."""
    text = "".join(f"{json.dumps(line)}\n" for line in journal_lines(rich()))
    path = written(tmp_path, "20260101T000000Z-m1.jsonl", text + torn)
    session = only(tmp_path)
    whole = figures(load_session(path), path)
    assert session.seconds == pytest.approx(whole.seconds)  # the one is rounded
    assert session == replace(whole, seconds=session.seconds)
    assert session.status == "interrupted"
    assert (session.turns, session.failed) == (12, 1)


UNTYPED = {
    "format": 1,
    "pipeline": {"name": {}},
    "status": [],
    "ended_by": {"reason": 1},
    "started_at": 3,
    "totals": {"turns": 1, "failed": 0, "tokens": {}, "seconds": 1},
}


def _with(figure: str, value: Any) -> str:
    """Return a transcript with one of its totals as somebody else might write it."""
    data = json.loads(dumps(rich()))
    return json.dumps({**data, "totals": {**data["totals"], figure: value}})


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("a.json", "{]", "it is no JSON that can be read"),
        ("a.json", "[]", "this is no transcript of llm-gc"),
        ("a.json", "{}", "this is no transcript of llm-gc"),
        ("a.json", "3", "this is no transcript of llm-gc"),
        ("a.json", '{"format": 1, "turns": []}', "it lacks 'pipeline'"),
        ("a.json", '{"format": 7, "turns": []}', "it has format 7, and this llm-gc reads format 1"),
        ("a.json", '{\n "format": 7,\n "id": "a"', "it is no JSON that can be read"),
        ("a.json", '{"format": 1, "pipeline": 5}', "this is no transcript of llm-gc"),
        ("a.json", "[" * 100_000, "it is nested too deeply"),
        ("a.json", '{"format": 1, "seconds": NaN}', "NaN is no JSON"),
        ("a.json", '{"format": 1, "seconds": 1e999}', "1e999 is beyond every number"),
        ("a.json", _with("seconds", "x"), "its totals are no figures"),
        ("a.json", _with("turns", None), "its totals are no figures"),
        ("a.json", _with("turns", -1), "its totals are beyond what is possible"),
        ("a.json", _with("failed", 2**63), "its totals are beyond what is possible"),
        ("a.json", _with("seconds", 10**400), "its totals are beyond what is possible"),
        ("a.json", _with("tokens", {"prompt": "many"}), "its totals are no figures"),
        ("a.json", _with("tokens", []), "this is no transcript of llm-gc"),
        ("a.json", json.dumps(UNTYPED), "this is no transcript of llm-gc"),
        ("a.jsonl", '{"start": {"format": 1}}\n', "it lacks 'pipeline'"),
        ("a.jsonl", '{"start": {"format": 2}}\n', "it has format 2, and this llm-gc reads format 1"),
        ("a.jsonl", '{"start": {"format": 1}}\n{"tur', "it lacks 'pipeline'"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, text: str, problem: str) -> None:
    """It is listed with what is wrong with it, and hides no other."""
    path = written(tmp_path, name, text)
    good = as_finished(tmp_path, rich())
    found = {session.path: session for session in listed(tmp_path)}
    assert found[path] == ListedSession("a", path, problem=problem)
    assert found[good].status == "completed"


def test_a_binary_file_and_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    """Neither ends the list."""
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "c.json").symlink_to(tmp_path / "gone")
    assert {session.status for session in listed(tmp_path)} == {"unreadable"}


def test_the_newest_is_read_first_and_alone(tmp_path: Path) -> None:
    """Whoever looks at one session of many has one of them read."""
    text = dumps(rich(), indent=1)
    for day in range(1, 10):
        written(tmp_path, f"2026010{day}T000000Z-m1.json", text)
    first = listed(tmp_path)
    assert next(first).id == "20260109T000000Z-m1"
    (tmp_path / "20260108T000000Z-m1.json").write_text("{]")
    assert next(first).status == "unreadable"


def test_a_folder_without_sessions(tmp_path: Path) -> None:
    """Nothing is listed, also where there is no folder."""
    assert list(listed(tmp_path)) == []
    assert list(listed(tmp_path / "sessions")) == []


def test_the_header_of_a_journal_is_enough(tmp_path: Path) -> None:
    """A run that has only begun is there with no turn."""
    journal = reserve(tmp_path, "m1", NOW)
    journal.append({"start": header("m1", {"roles": {}})})
    journal.close()
    assert (only(tmp_path).turns, only(tmp_path).pipeline) == (0, "m1")


def test_a_run_that_goes_on(tmp_path: Path) -> None:
    """It is told from one that was interrupted by the lock that it holds, which a look at it does not take away."""
    journal = reserve(tmp_path, "m1", NOW)
    assert only(tmp_path) == ListedSession(journal.id, journal.path, "running")
    journal.append({"start": header("m1", {"roles": {}})})
    assert [only(tmp_path).status for _ in range(2)] == ["running", "running"]
    journal.close()
    assert [only(tmp_path).status for _ in range(2)] == ["interrupted", "interrupted"]


@pytest.mark.parametrize("size", [0, 1, 9, 60])
def test_a_run_that_was_not_begun(tmp_path: Path, size: int) -> None:
    """Its process was gone before its first line was whole: nothing is wrong with that, and nothing is lost."""
    journal = reserve(tmp_path, "m1", NOW)
    journal.append({"start": header("m1", {"roles": {}})})
    journal.close()
    journal.path.write_bytes(journal.path.read_bytes()[:size])
    assert only(tmp_path) == ListedSession(journal.id, journal.path, "not begun")


@pytest.mark.parametrize(
    "end", ["\0\0\0\0", "{}", "null", '{"turn": {}}', '{"turn": 3, "texts": {}}', "[" * 9999, "\x80"]
)
@pytest.mark.parametrize("torn", ["", '{"turn": {"tu'])
def test_garbage_at_the_end_of_a_journal(tmp_path: Path, end: str, torn: str) -> None:
    """One line that is none counts for nothing; one in the middle makes it unreadable."""
    text = "".join(f"{json.dumps(line)}\n" for line in journal_lines(rich()))
    path = written(tmp_path, "20260101T000000Z-m1.jsonl", text)
    clean = only(tmp_path)
    path.write_bytes(text.encode() + end.encode("latin-1") + b"\n" + torn.encode())
    assert only(tmp_path) == clean
    path.write_bytes(text.encode() + end.encode("latin-1") + b"\n" + text.encode().splitlines()[1] + b"\n")
    assert only(tmp_path).status == "unreadable"


@pytest.mark.skipif(sys.platform == "win32", reason="there are none")
@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_a_pipe_among_sessions(tmp_path: Path, suffix: str) -> None:
    """It is listed as what it is, and nothing waits for it; so is a link to one, and a device."""
    good = as_finished(tmp_path, rich())
    os.mkfifo(tmp_path / f"20990101T000000Z-a{suffix}")
    (tmp_path / f"20990101T000000Z-b{suffix}").symlink_to(f"20990101T000000Z-a{suffix}")
    (tmp_path / f"20990101T000000Z-c{suffix}").symlink_to("/dev/zero")
    found = list(listed(tmp_path))
    assert [one.problem for one in found[:-1]] == [
        "it is a device, and no file", "it is a named pipe, and no file", "it is a named pipe, and no file"
    ]  # fmt: skip
    assert found[-1].path == good
