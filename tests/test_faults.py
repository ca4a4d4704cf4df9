"""Whatever kills the process, every finished turn is on the disk; and a run writes nothing but its session."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from llm_gc import load_session, messages_of
from tests.commands import M1, ROOT, command, environ
from tests.killable import ROUNDS
from tests.sessions.test_journal import names

IDS = [f"turns.0.repeat:{number}.{index}" for number in range(1, ROUNDS + 1) for index in (0, 1)]


def killed(folder: Path, chance: Random) -> list[str]:
    """Kill a run with -9 at some moment; return the turns that it said were over."""
    words = [sys.executable, "-m", "tests.killable", str(folder), str(chance.choice([1, 1, 4, 12]))]
    process = subprocess.Popen(words, cwd=ROOT, env=environ(), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = [process.stdout.readline().strip() for _ in range(chance.randint(0, len(IDS)))]
    if not told:
        while not any(folder.glob("*.json*")):
            assert process.poll() is None
    time.sleep(chance.uniform(0, 0.04))
    process.kill()
    rest, _ = process.communicate()
    return [*told, *rest.split()]


def journal_lines(data: bytes) -> list[Any]:
    """Return the values of a journal's whole lines; what has no end was being written, and is nothing yet."""
    *whole, _torn = data.split(b"\n")
    return [json.loads(line) for line in whole]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_at_any_moment(tmp_path: Path) -> None:
    """The journal holds every turn that was over, in order and whole; at the end there is a whole transcript."""
    torn = finished = 0
    for moment in range(40):
        folder = tmp_path / str(moment)
        told = killed(folder, Random(moment))
        assert told == IDS[: len(told)]
        transcripts, journals = list(folder.glob("*.json")), list(folder.glob("*.jsonl"))
        if transcripts:
            assert [turn.id for turn in load_session(transcripts[0]).turns] == IDS
            finished += 1
            continue
        (journal,) = journals
        data = journal.read_bytes()
        torn += not data.endswith(b"\n")
        lines = journal_lines(data)
        ids = [line["turn"]["id"] for line in lines[1:]]
        assert ids == IDS[: len(ids)]
        assert len(told) <= len(ids) <= len(told) + 1  # one may be on the disk, and not yet told
        if lines:
            left = load_session(journal)
            assert [turn.id for turn in left.turns] == ids
            assert all(messages_of(left, turn) for turn in left.turns)
        assert {path.name for path in folder.iterdir()} <= {journal.name, f"{journal.stem}.json.part"}
    assert torn, "no kill came in the middle of a line; the moments prove less than they should"
    assert finished < 20


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_command_killed_at_any_moment(tmp_path: Path) -> None:
    """Whenever it comes, what is left can be read: nothing yet, a journal, or the transcript."""
    words = command("run", M1, "--task", "x", "--backend", "rehearsal", "--quiet")
    chance = Random(1)
    for moment in range(20):
        folder = tmp_path / str(moment)
        folder.mkdir()
        process = subprocess.Popen(words, cwd=folder, env=environ(), stdout=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.1, 0.9))
        process.kill()
        process.wait()
        for path in (folder / "sessions").glob("*.json*"):
            if path.suffix == ".json" or path.read_bytes().count(b"\n"):
                assert all(turn.content for turn in load_session(path).turns)


AUDITED = """
import os, sys

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
LOOKING = {"os.listdir", "os.scandir", "os.walk", "os.getxattr", "os.listxattr", "os.add_dll_directory"}

def hook(event, args):
    if event == "open":
        path, mode, flags = args
        writes = set(mode or "") & set("wax+") or (isinstance(flags, int) and flags & WRITING)
        if writes and not isinstance(path, int):
            seen.append(("open", str(path)))
    elif event.startswith(("os.", "shutil.", "socket.", "subprocess.", "tempfile.")):
        if event not in LOOKING:
            seen.append((event, *map(str, args)))

seen = []
sys.addaudithook(hook)
sys.argv = ["llm-gc", *sys.argv[1:]]
from llm_gc.cli import main
try:
    main()
except SystemExit as end:
    code = end.code
import json
sys.stderr.write("SEEN" + json.dumps([code, seen]))
"""

CHANGES = (
    "os.chmod",
    "os.chown",
    "os.utime",
    "os.truncate",
    "os.link",
    "os.symlink",
    "os.rmdir",
    "shutil.",
    "tempfile.",
)


@pytest.mark.parametrize("more", [("--quiet",), ("--json",), ()], ids=["quiet", "json", "plain"])
def test_a_run_writes_nothing_but_its_session(tmp_path: Path, more: tuple[str, ...]) -> None:
    """Every file that is opened for writing, made, renamed or removed is in sessions/; nobody is called."""
    words = [sys.executable, "-B", "-c", AUDITED, "run", M1, "--task", "x", "--backend", "rehearsal", *more]
    done = subprocess.run(words, cwd=tmp_path, env=environ(), capture_output=True, text=True, check=True)
    code, seen = json.loads(done.stderr.rpartition("SEEN")[2])
    assert code == 0
    sessions = (tmp_path / "sessions").resolve()
    touched = [(event, tmp_path / path) for event, *paths in seen for path in paths[:2] if _is_path(event, path)]
    assert {event for event, _ in touched} == {"open", "os.mkdir", "os.rename", "os.remove"}
    outside = [(event, str(path)) for event, path in touched if sessions not in (path.resolve(), path.resolve().parent)]
    assert outside == []
    assert [
        event for event, *_ in seen if event.startswith(("socket.connect", "subprocess.", "os.exec", "os.fork"))
    ] == []
    assert [event for event, *_ in seen if event.startswith(CHANGES)] == []
    assert names(tmp_path) == ["sessions"]
    assert [Path(name).suffix for name in names(sessions)] == [".json"]


def _is_path(event: str, argument: str) -> bool:
    """Return whether an argument of an event is a path, and not a mode or flag."""
    return event in ("open", "os.mkdir", "os.rename", "os.remove") and not argument.lstrip("-").isdigit()


def test_the_audit_would_notice(tmp_path: Path) -> None:
    """A file that is written elsewhere is among what is seen."""
    code = AUDITED.replace("    main()\n", "    open('elsewhere', 'w').close()\n    main()\n")
    words = [sys.executable, "-B", "-c", code, "run", M1, "--task", "x", "--backend", "rehearsal"]
    done = subprocess.run(words, cwd=tmp_path, env=environ(), capture_output=True, text=True, check=True)
    assert ["open", "elsewhere"] in json.loads(done.stderr.rpartition("SEEN")[2])[1]
