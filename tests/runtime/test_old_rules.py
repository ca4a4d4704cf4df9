"""Records made under other rules: they can be shown, compared, continued from what was sent then, and replayed.

``tests/data/rules-1`` holds records that were written before there was a second version of the rules: a block with a
scene, a choice and a repair, one that broke off in the middle, M1, one in which nothing succeeded, and one whose
replies are sent or decided otherwise since (marks, another's label, thinking, copies).
"""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from llm_gc._version import RULES
from llm_gc.errors import UnreadableSession
from llm_gc.runtime.replay import replay
from llm_gc.runtime.restore import restored, varied
from llm_gc.runtime.resume_point import forked
from llm_gc.runtime.run import Run
from llm_gc.sessions import load_session
from llm_gc.transcript.compare import compare
from llm_gc.transcript.encode import dumps, messages_of, plain
from llm_gc.transcript.records import Transcript
from llm_gc.transcript.replies import header_of
from tests.commands import llm_gc
from tests.runtime.acting import Actor
from tests.runtime.test_past import answer, fork, resume
from tests.runtime.test_run import loaded
from tests.talks import said

DATA = Path(__file__).parent.parent / "data" / "rules-1"
FILES = sorted(DATA.iterdir())
BROKEN_OFF = DATA / "20260102T030405Z-broken-off.jsonl"


@pytest.fixture(params=FILES, ids=lambda path: path.stem.partition("-")[2])
def old(request: pytest.FixtureRequest) -> Transcript:
    """Each record of rules 1."""
    path: Path = request.param
    return load_session(path)


def test_a_record_without_rules_is_of_the_first(old: Transcript) -> None:
    """Its requests can be rebuilt as they were sent."""
    assert old.rules == 1
    assert all(messages_of(old, turn) for turn in old.turns)
    assert not compare(old, old).differs


def test_a_new_record_names_its_rules(old: Transcript, tmp_path: Path) -> None:
    """So does its journal's first line."""
    made = Run(restored(old), old.inputs, Actor(answer), sessions=tmp_path)
    asyncio.run(made.go())
    assert made.path is not None
    assert load_session(made.path).rules == RULES == 2
    assert header_of(load_session(made.path)).rules == RULES


def test_replay_compares_what_the_rules_leave_alone(old: Transcript) -> None:
    """With its own pipeline nothing of that differs."""
    replayed = replay(old, restored(old))
    assert (replayed.difference, replayed.rules) == (None, 1)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (["opening=Job"], "+ Job"),
        (["roles.anna.temperature=1"], "options.temperature: (absent) -> 1"),
        (["turns=[ben]"], 'role: "anna" -> "ben"'),
        (["turns=[anna]"], "it ends before: turns_done: every turn was taken"),
        (['result="{{ turn }}"'], 'result: "'),
    ],
)
def test_replay_still_finds_what_the_author_changed(changes: list[str], line: str) -> None:
    """A text, an option, who is asked, how far it goes, what comes of it."""
    old = load_session(DATA / "20260102T030405Z-words.json")
    found = replay(old, varied(old, changes)).difference
    assert found is not None
    assert any(one.startswith(line) for one in found.lines), found


def test_replay_says_that_the_rules_were_others(tmp_path: Path) -> None:
    """Where all is the same as far as that can be compared, and where something differs."""
    path = str(DATA / "20260102T030405Z-block.json")
    same = llm_gc("replay", path, "--as-recorded", cwd=tmp_path)
    assert same.code == 0
    assert "recorded under rules 1: the same as far as that can be compared (12 turns" in same.out
    other = llm_gc("replay", path, "--against", "debate", cwd=tmp_path)
    assert other.code == 1
    assert "recorded under rules 1: differs from" in other.out
    assert f"rules {RULES} send and decide some things otherwise" in other.out


def test_what_was_broken_off_is_resumed(tmp_path: Path) -> None:
    """What was recorded stays as it was sent, and every request can be rebuilt; it stays a record of its rules."""
    path = tmp_path / BROKEN_OFF.name
    shutil.copy(BROKEN_OFF, path)
    old = load_session(path)
    again = resume(path, backend := Actor(answer))
    assert (again.rules, again.status) == (1, "completed")
    assert not {turn.id for turn in old.turns} & set(backend.asked)
    then = {turn.id: turn for turn in old.turns}
    for turn in again.turns:
        messages = messages_of(again, turn)
        assert turn.id not in then or messages == messages_of(old, then[turn.id])


def test_a_fork_takes_over_what_was_sent(old: Transcript, tmp_path: Path) -> None:
    """From each turn on; the fork is a record of the new rules."""
    numbers = [turn.turn for turn in forked(old, None).transcript.turns if turn.turn is not None]
    for number in numbers:
        new = fork(old, number, Actor(lambda ask: said("ok") if ask.format is None else answer(ask)), tmp_path)
        assert (new.rules, new.parent is not None) == (RULES, True)
        then = {turn.id: turn for turn in forked(old, number).turns}
        for turn in new.turns:
            messages = messages_of(new, turn)
            assert turn.id not in then or messages == messages_of(old, then[turn.id])
        assert replay(new, restored(new)).difference is None


def test_newer_rules_are_shown_but_not_continued(old: Transcript, tmp_path: Path) -> None:
    """It says which rules they are, and who can continue it."""
    newer = replace(old, rules=RULES + 1)
    assert load_session_of(newer, tmp_path).rules == RULES + 1
    with pytest.raises(UnreadableSession, match=f"recorded under rules {RULES + 1}, and this llm-gc knows rules"):
        fork(newer, 1, Actor(answer), tmp_path)


def load_session_of(transcript: Transcript, folder: Path) -> Transcript:
    """Write a transcript, and read it again."""
    path = folder / "written.json"
    path.write_text(dumps(transcript), encoding="utf-8")
    assert json.loads(path.read_text(encoding="utf-8")) == plain(transcript)
    return load_session(path)


def test_an_empty_reply_of_then_is_not_asked_again(tmp_path: Path) -> None:
    """It was asked for once then, and failed; the conversation continues from there as it did."""
    made = loaded(tmp_path, ["anna", "ben", "anna"])
    run = Run(
        made, {"task": "plan"}, Actor(lambda ask: said("" if ask.id[:7] == "turns.1" else "ok")), sessions=tmp_path
    )
    now = asyncio.run(run.go())
    empty = now.turns[1]
    assert (empty.id, len(empty.attempts)) == ("turns.1#2", 2)
    first = empty.attempts[0]
    assert first.request is not None
    once = replace(
        empty, id=first.id, request=first.request, attempts=(replace(first, request=None),), error=first.error
    )
    old = replace(now, turns=(now.turns[0], once, now.turns[2]), rules=1)
    assert replay(old, restored(old)).difference is None
    backend = Actor(lambda ask: said("new"))
    new = fork(old, 3, backend, tmp_path / "fork")
    assert backend.asked == ["turns.2"]
    assert [turn.error and turn.error.kind for turn in new.turns] == [None, "empty", None]
