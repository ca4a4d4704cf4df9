"""Whatever happens to the process or the disk, no finished turn is lost, and ``resume`` ends as the unbroken run would.

A process is killed here by itself, in the middle of the system call, or of the byte written, that was drawn for it: so
the moments are the same in every run, but for who is first when the disk is written. Those that depend on the clock are
in ``test_faults``.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

from llm_gc import project
from llm_gc.backends.rehearsal import Rehearsal
from llm_gc.core import Turn
from llm_gc.errors import SessionError
from llm_gc.language.inputs import resolve
from llm_gc.runtime.gates import Gates
from llm_gc.runtime.observers import NullObserver
from llm_gc.runtime.replay import replay
from llm_gc.runtime.restore import restored
from llm_gc.runtime.resume_point import interrupted, nothing_left
from llm_gc.runtime.run import Run
from llm_gc.sessions import find_session, load_session, lock_session, session_files
from llm_gc.transcript.encode import dumps, messages_of
from llm_gc.transcript.records import Transcript
from tests.gallery.plays import PIPELINES
from tests.gallery.test_every import inputs
from tests.sessions.test_journal import full, names

KINDS = ["m1", "debate", "nested-team", "group-chat", "map-reduce"]
"""A loop, branches, scenes, choices, and branches of chains."""

CALLS = ("open", "fsync", "replace", "unlink", "close")
END = 10**9

MOMENTS = 40
"""So often each of them is killed when it has begun."""

forks = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
"""Threads of other tests, which may still be idle then, are no danger to a copy that has no use for them."""

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="a process that is a copy of this one is needed")


def run(name: str, folder: Path, *watchers: Any) -> Transcript:
    """Run a pipeline with the stand-in, several requests at once."""
    loaded = project.load(str(PIPELINES / f"{name}.yaml"))
    values = resolve(loaded.pipeline.inputs, inputs(name))
    return asyncio.run(Run(loaded, values, Rehearsal(), watchers, folder, seed=7, gates=Gates(4)).go())


def resume(folder: Path, *watchers: Any) -> Transcript:
    """Do what the command does with the only session in a folder."""
    with lock_session("last", folder) as taken:
        transcript = taken.read().transcript
        if nothing_left(transcript):
            return transcript
        past = interrupted(transcript, taken)
        going = Run(restored(transcript), transcript.inputs, Rehearsal(), watchers, folder, gates=Gates(4), past=past)
        return asyncio.run(going.go())


@cache
def unbroken(name: str, folder: Path) -> str:
    """Return all of the unbroken run's transcript but its times and its id."""
    return bare(run(name, folder / f"unbroken-{name}"))


def bare(transcript: Transcript) -> str:
    """Return all of a transcript but its times and its id."""
    return dumps(replace(transcript, id="", started_at="", ended_at="", resumed=()))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Return the unbroken run of a pipeline."""
    folder = tmp_path_factory.mktemp("whole")
    return lambda name: unbroken(name, folder)


# --- SIGKILL


class Telling(NullObserver):
    """Tells through a pipe which turns are over."""

    def __init__(self, write: Callable[[int, bytes], int], descriptor: int) -> None:
        """Write to ``descriptor`` by a ``write`` that is not counted."""
        self._write, self._descriptor = write, descriptor

    def settled(self, turn: Turn) -> None:
        """Record the event."""
        self._write(self._descriptor, f"{turn.exchange.ask.id}\n".encode())


def mortal(doing: Callable[[Telling], Any], moments: int) -> tuple[list[str], int | None]:
    """Do something in a process of its own, which is killed after so many moments: calls, and bytes written.

    Give the turns that it said were over, and how many moments it took; None where it was killed.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            write = os.write
            clock = _Clock(moments)
            clock.patch()
            doing(Telling(write, writing))
            write(writing, f"lived {clock.passed}\n".encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read().split("\n")[:-1]
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL)
    if code == 0:
        return told[:-1], int(told[-1].removeprefix("lived "))
    return told, None


class _Clock:
    """Counts what the process does to the disk, and kills it when its time has come."""

    def __init__(self, moments: int) -> None:
        self.passed, self._moments = 0, moments

    def patch(self) -> None:
        """Count from now on; this process has no other work to do."""
        for call in CALLS:
            setattr(os, call, self._counted(getattr(os, call)))
        write = os.write

        def write_and_die(descriptor: int, data: bytes) -> int:
            left = self._moments - self.passed
            if left <= len(data):
                write(descriptor, bytes(data)[: max(left, 0)])
                self._die()
            self.passed += len(data)
            return write(descriptor, data)

        os.write = write_and_die  # type: ignore[assignment]

    def _counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.passed += 1
            if self.passed > self._moments:
                self._die()
            return real(*args, **kwargs)

        return call

    def _die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def recorded(folder: Path) -> list[str]:
    """Return the ids of the turns on the disk, each readable whole; none before the first line is."""
    if not _has_begun(folder):
        return []
    transcript = load_session(find_session("last", folder))
    assert all(messages_of(transcript, turn) for turn in transcript.turns)
    assert replay(transcript, restored(transcript)).difference is None
    return [turn.id for turn in transcript.turns]


@forks
@needs_fork
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", KINDS)
def test_killed_at_random_moments(name: str, tmp_path: Path, whole: Callable[[str], str]) -> None:
    """At 200 moments in all: every turn that was over is on the disk, and resumed it ends as the unbroken run.

    Where there is time left it is killed again while it resumes, once or twice.
    """
    expected = whole(name)
    total = moments_of(name, tmp_path)
    chance, begun, torn, again = Random(name), 0, 0, 0
    for number in range(100):
        folder = tmp_path / str(number)
        told, _ = mortal(lambda telling: run(name, folder, telling), chance.randint(1, total))  # noqa: B023
        there = recorded(folder)
        assert set(told) <= set(there)
        assert len(there) <= len(told) + 1  # one may be on the disk, and not yet told
        if not there and not _has_begun(folder):
            continue  # it was killed before its first line, when nothing had been asked
        begun += 1
        torn += any(not path.read_bytes().endswith(b"\n") for path in folder.glob("*.jsonl"))
        for _ in range(chance.randint(0, 2)):
            more, lived = mortal(lambda telling: resume(folder, telling), chance.randint(1, total // 2))  # noqa: B023
            after = recorded(folder)
            assert set(there) | set(more) <= set(after)
            there, again = after, again + (lived is None)
        assert bare(resume(folder)) == expected
        assert [path.suffix for path in folder.iterdir()] == [".json"]
        if begun == MOMENTS:
            break
    assert (begun, torn > 5, again > 5) == (MOMENTS, True, True)


def moments_of(name: str, folder: Path) -> int:
    """Count the moments of a whole run."""
    _, total = mortal(lambda telling: run(name, folder / "counted", telling), END)
    assert total is not None
    return total


def _has_begun(folder: Path) -> bool:
    return any(path.suffix == ".json" or b"\n" in path.read_bytes() for path in session_files(folder))


# --- A full disk


@forks
@needs_fork
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", KINDS)
def test_a_disk_that_is_full_at_random_moments(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: Callable[[str], str]
) -> None:
    """The run says so and continues; what is on the disk can be read, and resumed once there is room again.

    The disk may be full again while it resumes: then what was there before is still there.
    """
    expected = whole(name)
    total = moments_of(name, tmp_path)
    chance, cut_short = Random(name), 0
    for number in range(20):
        folder, troubles = tmp_path / str(number), Troubles()
        with full(monkeypatch, chance.randint(1, total - 200)):
            made = unless_full(lambda: run(name, folder, troubles))  # noqa: B023
        if made is None:  # not even its first line had room
            assert names(folder) == []
            continue
        assert bare(made) == expected
        assert all("the disk is full" in trouble for trouble in troubles.told)
        before = recorded(folder)
        cut_short += bool(troubles.told)
        for _ in range(2):
            with full(monkeypatch, chance.randint(1, total // 2)):
                unless_full(lambda: resume(folder))  # noqa: B023
            after = recorded(folder)
            assert set(before) <= set(after)
            before = after
        assert bare(resume(folder)) == expected
        assert len(names(folder)) == 1
    assert cut_short > 10


def unless_full(doing: Callable[[], Transcript]) -> Transcript | None:
    """Do something; return none where it says that the disk is full."""
    try:
        return doing()
    except SessionError as error:
        if "the disk is full" not in str(error):
            raise
        return None


class Troubles(NullObserver):
    """Notes what goes wrong."""

    def __init__(self) -> None:
        """Begin without."""
        self.told: list[str] = []

    def trouble(self, message: str) -> None:
        """Note."""
        self.told.append(message)


# --- A cut file


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """The whole journal of a short conversation, as it is before its end."""
    (tmp_path / "short.yaml").write_text(
        "name: short\nroles: {a: {model: m}, b: {model: m}}\nopening: Hi.\n"
        "turns: [a, {parallel: [a, b]}, b]\nlimits: {max_tokens: 6}\nseed: 7\n",
        encoding="utf-8",
    )
    folder = tmp_path / "sessions"
    kept: list[bytes] = []

    class Keeping(NullObserver):
        def settled(self, turn: Turn) -> None:
            kept.append(next(folder.glob("*.jsonl")).read_bytes())

    loaded = project.load(str(tmp_path / "short.yaml"))
    asyncio.run(Run(loaded, {}, Rehearsal(), (Keeping(),), folder).go())
    (done,) = folder.iterdir()
    path = done.with_suffix(".jsonl")
    path.write_bytes(kept[-1])
    return path


def cuts(data: bytes, lines: int) -> Iterator[int]:
    """Yield every size at which data is cut in its last lines, the whole of it too."""
    starts = [0, *(at + 1 for at, byte in enumerate(data) if byte == ord("\n"))]
    yield from range(starts[-lines - 1], len(data) + 1)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_journal_cut_at_every_byte_of_its_last_two_lines(journal: Path, tmp_path: Path) -> None:
    """Every whole line counts and what is torn is dropped; resumed, it ends as the unbroken run did.

    What is read of a cut journal is what is read of its whole lines, at every byte; so it is enough to resume it at
    some of them, and around the ends of the lines.
    """
    transcript, data = journal.with_suffix(".json"), journal.read_bytes()
    expected = bare(load_session(transcript))
    folder, counts = tmp_path / "cut", set()
    folder.mkdir()
    cut = folder / journal.name
    for size in cuts(data, 2):
        cut.write_bytes(whole_lines := data[: data.rfind(b"\n", 0, size) + 1])
        of_lines = load_session(cut)
        cut.write_bytes(data[:size])
        assert replace(load_session(cut), ended_at="") == replace(of_lines, ended_at="")
        assert len(of_lines.turns) == whole_lines.count(b"\n") - 1
        counts.add(len(of_lines.turns))
        if size % 25 == 0 or size - len(whole_lines) < 2 or data[size : size + 2] == b"\n":
            assert bare(resume(folder)) == expected
            assert names(folder) == [transcript.name]
            (folder / transcript.name).unlink()
    assert counts == {2, 3, 4}


def test_a_transcript_cut_at_any_byte_is_refused(journal: Path, tmp_path: Path) -> None:
    """It is never written so; one that was cut by others says where it ends, and nothing is made of half a record."""
    data = journal.with_suffix(".json").read_bytes()
    path = tmp_path / "cut.json"
    last_two = [size for size in cuts(data, 2) if size < len(data) - 1]  # the last byte is the end of the last line
    for size in [*last_two, *range(0, len(data) - 2, 97)]:
        path.write_bytes(data[:size])
        with pytest.raises(SessionError, match=r"cut\.json is not a transcript that can be read: "):
            load_session(path)
