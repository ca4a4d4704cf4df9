"""Runs that begin where a record ends: resumed they end as the unbroken run would have, forked they keep the past."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llm_gc.backends.interface import Facts, ModelFacts
from llm_gc.errors import ServerUnreachable, SessionError, UsageError
from llm_gc.protocol import Ask, Reply
from llm_gc.runtime.replay import replay
from llm_gc.runtime.restore import restored, varied
from llm_gc.runtime.resume_point import forked, interrupted, nothing_left
from llm_gc.runtime.run import Run
from llm_gc.sessions import load_session, lock_session
from llm_gc.transcript.encode import dumps, messages_of
from llm_gc.transcript.records import Parent, Transcript
from tests.runtime.acting import Actor, Noted
from tests.runtime.test_run import loaded
from tests.sessions.test_journal import lines, names
from tests.talks import failed, said

BLOCK: list[Any] = [
    "anna",
    {"parallel": [{"do": ["ben", {"say": "ben", "format": {"ok": {"type": "boolean"}}}]}, "anna"], "as": "both"},
    {"scene": ["ben", "anna"], "opening": "Inside: {{ last }}", "result": "{{ last }}!"},
    {"choose": ["anna", "ben"], "by": "ben", "allow_repeat": True},
    {"repeat": ["anna", "ben"], "times": 2},
]


class Stopped(Exception):  # the end of a process, as it were
    """The backend is gone."""


def answer(ask: Ask) -> Reply:
    """Answer from the ask alone, so that it makes no difference when it is asked."""
    if ask.format is not None:
        names_ = ask.format["properties"].get("next", {}).get("enum")
        return said(json.dumps({"next": names_[0]} if names_ else {"ok": 1} if ask.attempt == 1 else {"ok": True}))
    return said(f"{ask.speaker.role} at {ask.id}, seed {ask.options['seed']}", thinking="Hm.")


def run(folder: Path, backend: Any, turns: Sequence[Any] = BLOCK, *watchers: Any, **more: Any) -> Run:
    """Return a run of these turns, with its sessions in the folder."""
    made = loaded(folder, turns, seed=7)
    return Run(made, {"task": "plan"}, backend, watchers, sessions=folder / "sessions", **more)


def until(count: int, answers: Callable[[Ask], Reply] = answer) -> Actor:
    """Return a backend that is gone after so many replies."""
    left = count

    def give(ask: Ask) -> Reply:
        nonlocal left
        left -= 1
        if left < 0:
            raise Stopped
        return answers(ask)

    return Actor(give)


def break_off(folder: Path, count: int, turns: Sequence[Any] = BLOCK, **more: Any) -> Path:
    """Leave the journal of a run whose process was gone after so many replies."""
    with pytest.raises(Stopped):
        asyncio.run(run(folder, until(count, **more), turns).go())
    (journal,) = (folder / "sessions").glob("*.jsonl")
    return journal


def resume(path: Path, backend: Any, *watchers: Any) -> Transcript:
    """Resume a session to its end."""
    with lock_session(str(path), path.parent) as taken:
        transcript = taken.read().transcript
        past = interrupted(transcript, taken)
        resumed = Run(restored(transcript), transcript.inputs, backend, watchers, path.parent, past=past)
        return asyncio.run(resumed.go())


def fork(transcript: Transcript, turn: int | None, backend: Any, folder: Path, **more: Any) -> Transcript:
    """Fork a conversation; ``more`` is laid over its pipeline."""
    seed = more.pop("seed", transcript.seed)
    made = varied(transcript, [f"{key.replace('__', '.')}={value}" for key, value in more.items()])
    past = forked(transcript, turn)
    return asyncio.run(Run(made, transcript.inputs, backend, sessions=folder, seed=seed, past=past).go())


def bare(transcript: Transcript) -> str:
    """Return all of a transcript but its times, its id, and where the test's folder was."""
    pipeline = replace(transcript.pipeline, file="")
    return dumps(replace(transcript, id="", started_at="", ended_at="", resumed=(), parent=None, pipeline=pipeline))


# --- Resuming


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Transcript:
    """The whole run; it has 11 turns, a pick and a repair: 13 asks."""
    folder = tmp_path_factory.mktemp("unbroken")
    return asyncio.run(run(folder, Actor(answer)).go())


@pytest.mark.parametrize("count", range(13))
def test_it_ends_as_the_unbroken_run(tmp_path: Path, unbroken: Transcript, count: int) -> None:
    """Wherever it broke off, and also inside a block, a scene, a choice or before a repair; to the byte."""
    journal = break_off(tmp_path, count)
    kept = [turn.id for turn in load_session(journal).turns]
    resumed = resume(journal, actor := Actor(answer))
    assert bare(resumed) == bare(unbroken)
    assert not set(kept) & set(actor.asked)
    assert names(journal.parent) == [f"{journal.stem}.json"]
    assert load_session(journal.with_suffix(".json")) == resumed
    assert (resumed.id, [one.after for one in resumed.resumed]) == (journal.stem, [len(kept)])


def test_again_and_again(tmp_path: Path, unbroken: Transcript) -> None:
    """One more turn each time: in the end it is the same, and each time that it continued is recorded."""
    path = break_off(tmp_path, 2)
    for _ in range(5):
        with pytest.raises(Stopped):
            resume(path, until(2))
    resumed = resume(path, Actor(answer))
    assert bare(resumed) == bare(unbroken)
    counts = [one.after for one in resumed.resumed]
    assert len(counts) == 6
    assert counts == sorted(counts)


def test_the_journal_is_there_while_it_goes_on(tmp_path: Path) -> None:
    """With all turns that are recorded and each that is taken, before the next one is asked."""
    journal = break_off(tmp_path, 3)
    seen: list[int] = []

    def look(ask: Ask) -> Reply:
        seen.append(len(lines(journal)) - 1)
        return answer(ask)

    resume(journal, Actor(look), noted := Noted())
    assert seen[0] == 3
    assert seen == sorted(seen)
    assert len([note for note in noted.notes if note.startswith("settled")]) == 9


def test_an_interrupted_transcript_goes_on(tmp_path: Path, unbroken: Transcript) -> None:
    """What Ctrl-C has closed becomes a journal again, and then the same file."""

    async def cancelled() -> Path:
        def cancels(ask: Ask) -> Reply:
            if ask.turn == 5:
                task.cancel()
            return answer(ask)

        broken = run(tmp_path, Actor(cancels))
        task = asyncio.create_task(broken.go())
        with pytest.raises(asyncio.CancelledError):
            await task
        assert broken.path is not None
        return broken.path

    path = asyncio.run(cancelled())
    assert load_session(path).status == "interrupted"
    resumed = resume(path, Actor(answer))
    assert bare(resumed) == bare(unbroken)
    assert names(path.parent) == [path.name]


def test_failures_at_the_end_are_asked_again(tmp_path: Path) -> None:
    """When the server went away for good, the turn that failed is taken again once it is back."""
    gone = Actor(lambda ask: failed("unreachable", "Gone.") if ask.id == "turns.2" else answer(ask))
    first = asyncio.run(run(tmp_path, gone, ["anna", "ben", "anna", "ben"]).go())
    assert (first.status, first.turns[-1].error is not None) == ("failed", True)
    assert not nothing_left(first)
    resumed = resume(next((tmp_path / "sessions").iterdir()), actor := Actor(answer))
    assert actor.asked == ["turns.2", "turns.3"]
    assert (resumed.status, resumed.totals.failed) == ("completed", 0)


def test_a_failure_in_the_middle_stays(tmp_path: Path) -> None:
    """The conversation continued after it, so it is a part of it."""
    broken = break_off(
        tmp_path,
        3,
        ["anna", "ben", "anna", "ben"],
        answers=lambda ask: failed() if ask.id == "turns.1" else answer(ask),
    )
    resumed = resume(broken, actor := Actor(answer))
    assert actor.asked == ["turns.3"]
    assert [turn.error is not None for turn in resumed.turns] == [False, True, False, False]


def test_a_journal_that_was_whole(tmp_path: Path) -> None:
    """Where every turn is there and only the end is missing, nobody is asked, not even what the server has."""
    journal = break_off(tmp_path, 2, ["anna", "ben", "anna"])
    resume(journal, Actor(answer))
    whole = journal.with_suffix(".json")
    unbroken = load_session(whole)
    with lock_session(str(whole), whole.parent) as taken:
        header = {"start": _start(unbroken)}
        turns = [{"turn": turn, "texts": dict(unbroken.texts)} for turn in unbroken.turns]
        taken.reopen([header, *turns]).close()
    resumed = resume(journal, actor := Actor(answer))
    assert (actor.asked, actor.preflights) == ([], 0)
    assert bare(resumed) == bare(unbroken)
    assert len(resumed.resumed) == 1


def _start(transcript: Transcript) -> Any:
    from llm_gc.transcript.replies import header_of

    return header_of(transcript)


def test_without_a_server_it_stays_as_it_is(tmp_path: Path) -> None:
    """Until the backend is ready nothing is touched."""

    class Away(Actor):
        async def preflight(self, *_: Any, **__: Any) -> Facts:
            raise ServerUnreachable("nobody there")

    journal = break_off(tmp_path, 3)
    before = journal.read_bytes()
    with pytest.raises(ServerUnreachable):
        resume(journal, away := Away())
    assert (journal.read_bytes(), names(journal.parent), away.closed) == (before, [journal.name], 1)


def test_a_model_that_has_changed_is_told(tmp_path: Path) -> None:
    """It is a warning, and the transcript says from which turn on it was another one."""
    old, new = (Facts("acting", "1", {(None, "m"): ModelFacts(f"sha256:{sign * 64}", num_ctx=2048)}) for sign in "ab")
    backend = until(2)
    backend.facts = old
    with pytest.raises(Stopped):
        asyncio.run(run(tmp_path, backend).go())
    (journal,) = (tmp_path / "sessions").iterdir()
    resumed = resume(journal, Actor(answer, new), noted := Noted())
    told = "the model m has changed since (sha256:aaaaaaaaaaaa then, sha256:bbbbbbbbbbbb now)"
    assert noted.troubles == [told]
    assert resumed.versions.models == {"m": f"sha256:{'a' * 64}"}
    assert resumed.versions.windows == {"m": 2048}
    assert [one.versions.models for one in resumed.resumed] == [{"m": f"sha256:{'b' * 64}"}]


@pytest.mark.parametrize(
    ("status", "last", "left"),
    [
        ("completed", None, True),
        ("stopped", None, True),
        ("interrupted", None, False),
        ("failed", None, True),
        ("failed", "server", False),
    ],
)
def test_what_can_go_on(unbroken: Transcript, status: Any, last: Any, left: bool) -> None:
    """What was interrupted, and what failed where it ends; what has ended otherwise has nothing left to do."""
    from llm_gc.transcript.records import ErrorRecord

    turn = replace(unbroken.turns[-1], error=ErrorRecord(last, "No.") if last else None)
    assert nothing_left(replace(unbroken, status=status, turns=(*unbroken.turns[:-1], turn))) is left


def test_what_was_sent_stays_as_it_was(tmp_path: Path) -> None:
    """The record of earlier turns is not made again, though the core might make other requests by now."""
    journal = break_off(tmp_path, 3, ["anna", "ben", "anna", "ben"])
    before = load_session(journal)
    header, *turns = (json.loads(line) for line in journal.read_bytes().splitlines())
    header["start"]["pipeline"]["document"]["opening"] = "As if llm-gc put it otherwise now."
    journal.write_text("".join(f"{json.dumps(line)}\n" for line in (header, *turns)), encoding="utf-8")
    resumed = resume(journal, Actor(answer))
    assert resumed.turns[:3] == before.turns
    assert "otherwise now" in messages_of(resumed, resumed.turns[3])[0]["content"]


def test_a_record_that_was_changed_is_not_gone_on_with(tmp_path: Path) -> None:
    """What was said must be what was heard."""
    journal = break_off(tmp_path, 3, ["anna", "ben", "anna", "ben"])
    journal.write_bytes(journal.read_bytes().replace(b"anna at turns.0, seed", b"anna at turns.0, weed"))
    with pytest.raises(SessionError, match=f"{journal.stem} cannot be resumed: .* the transcript was changed"):
        resume(journal, Actor(answer))
    assert names(journal.parent) == [journal.name]


# --- Forking


def test_a_fork_keeps_the_turns_before_it(tmp_path: Path) -> None:
    """They are not asked again, and are in the new transcript as they were; it names its parent beside it."""
    parent = asyncio.run(run(tmp_path, Actor(answer)).go())
    made = fork(parent, 9, actor := Actor(answer), tmp_path / "sessions", seed=8)
    assert made.parent == Parent(parent.id, 9)
    assert (made.id != parent.id, made.seed, made.resumed) == (True, 8, ())
    assert made.turns[:9] == parent.turns[:9]  # 8 turns and a pick
    assert actor.asked == [turn.id for turn in made.turns[9:]]
    assert all(one.content != other.content for one, other in zip(made.turns[9:], parent.turns[9:], strict=True))
    assert [turn.turn for turn in made.turns if not turn.is_pick] == list(range(1, 12))


@pytest.mark.parametrize("turn", range(1, 12))
def test_without_a_change_a_fork_is_its_parent(tmp_path: Path, unbroken: Transcript, turn: int) -> None:
    """From every turn, to the byte."""
    assert bare(fork(unbroken, turn, Actor(answer), tmp_path)) == bare(unbroken)


def test_earlier_turns_keep_what_they_were_sent(tmp_path: Path, unbroken: Transcript) -> None:
    """A change to the opening shows in the requests from the fork on, and not in those before."""
    made = fork(unbroken, 10, Actor(answer), tmp_path, opening="Other.", roles__anna__temperature=0.5)
    openings = [any("Other." in m["content"] for m in messages_of(made, turn)) for turn in made.turns]
    assert openings == [False] * 10 + [True] * 2
    assert made.turns[:10] == unbroken.turns[:10]
    assert made.turns[10].request.options["temperature"] == 0.5
    assert made.pipeline.overrides == ("--set opening=Other.", "--set roles.anna.temperature=0.5")


def test_a_fork_replays(tmp_path: Path, unbroken: Transcript) -> None:
    """Its first turns are held against nothing, for they were sent by another pipeline; the others are."""
    made = fork(unbroken, 10, Actor(answer), tmp_path, opening="Other.")
    assert replay(made, restored(made)).difference is None
    lost = replace(made, parent=None)
    assert replay(lost, restored(lost)).difference is not None


def test_a_fork_at_the_end(tmp_path: Path) -> None:
    """Without a turn it continues where the other conversation ended, if there is more to say now."""
    (tmp_path / "one").mkdir()
    first = asyncio.run(run(tmp_path / "one", Actor(answer), [{"repeat": ["anna", "ben"]}], past=None).go())
    assert (first.ended_by.reason, first.totals.turns) == ("max_turns", 100)
    more = fork(first, None, actor := Actor(answer), tmp_path, limits__max_turns=103)
    assert len(actor.asked) == 3
    assert more.parent == Parent(first.id, 101)
    with pytest.raises(UsageError, match="the conversation has already ended: the limit of 100 turns was reached"):
        fork(first, None, Actor(answer), tmp_path / "none")
    assert names(tmp_path / "none") == []


def test_a_fork_of_a_journal(tmp_path: Path) -> None:
    """Its turns are in order of arrival and some without a number; they are counted in declared order."""
    (tmp_path / "one").mkdir()
    journal = load_session(break_off(tmp_path / "one", 7))
    assert None in [turn.turn for turn in journal.turns]
    made = fork(journal, 3, actor := Actor(answer), tmp_path)
    assert actor.asked[0] == "turns.1.parallel.0.do.1"
    assert "turns.1.parallel.0.do.0" not in actor.asked
    assert made.parent == Parent(journal.id, 3)


def test_a_pipeline_that_does_not_ask_for_the_past(tmp_path: Path, unbroken: Transcript) -> None:
    """The first turn that it does not ask for is named; no file is left."""
    with pytest.raises(UsageError, match=r"turn 2, ben at .*do.0 of .* is not asked by this pipeline; it ends before"):
        fork(unbroken, 9, Actor(answer), tmp_path, limits__max_turns=1)
    assert names(tmp_path) == []


def test_a_turn_that_there_is_not(unbroken: Transcript) -> None:
    """The turns that there are, and the next one, can be had."""
    with pytest.raises(UsageError, match="has 11 turns; a turn from 1 to 12 was expected, not 14"):
        forked(unbroken, 14)


def test_a_fork_asks_the_server_anew(tmp_path: Path) -> None:
    """A window that the server gave is no part of the pipeline: what it gives now counts. A declared one stays."""
    (tmp_path / "one").mkdir()
    then, now = (Facts("acting", "1", {(None, "m"): ModelFacts("d", num_ctx=window)}) for window in (2048, 4096))
    first = asyncio.run(run(tmp_path / "one", Actor(answer, then), ["anna", "ben"]).go())
    assert first.turns[0].request.options["num_ctx"] == 2048
    made = fork(first, 2, Actor(answer, now), tmp_path / "two")
    assert [turn.request.options["num_ctx"] for turn in made.turns] == [2048, 4096]
    declared = fork(first, 2, Actor(answer, now), tmp_path / "three", roles__anna__num_ctx=1024)
    assert declared.turns[1].request.options["num_ctx"] == 1024
