"""group-chat-by-hand: a person picks the next speaker."""

from __future__ import annotations

from pathlib import Path

import llm_gc
from tests.gallery.plays import PIPELINES, load, play

FILE = PIPELINES / "group-chat-by-hand.yaml"
PICKS = [{"next": name} for name in ("dreamer", "maker", "chair", "sceptic", "scribe")]
SCRIPT = {
    "dreamer": "We could fly.",
    "sceptic": "Who pays?",
    "maker": "First a kite.",
    "scribe": "A kite is built.",
    "chair": [*PICKS[:3], "What would it cost?", *PICKS[3:]],
}


def test_the_person_leads_and_ends_it() -> None:
    """Whoever is picked speaks, the chair too; the scribe's words are the result, and the end."""
    played = play("group-chat-by-hand", SCRIPT, {"topic": "flying"})
    assert played.ended == ("completed", "turns_done")
    assert played.turns == ["dreamer", "maker", "chair", "sceptic", "scribe"]
    assert played.result == "A kite is built."
    assert "Chair: What would it cost?" in played.sent("sceptic")


def test_nobody_is_picked_twice_in_a_row() -> None:
    """The menu has everybody but the last speaker."""
    played = play("group-chat-by-hand", SCRIPT, {"topic": "flying"})
    menus = [ask.format["properties"]["next"]["enum"] for ask in played.asks if ask.is_pick]
    assert menus[0] == ["dreamer", "sceptic", "maker", "chair", "scribe"]
    assert menus[1] == ["sceptic", "maker", "chair", "scribe"]


def test_only_the_chair_is_a_person() -> None:
    """The others are small models, each with its own prompt."""
    roles = load("group-chat-by-hand").pipeline.roles
    assert [name for name, role in roles.items() if role.human] == ["chair"]
    assert all(role.model and role.prompt for name, role in roles.items() if name != "chair")


def test_it_runs_from_a_list_of_answers(tmp_path: Path) -> None:
    """By number or by name, as at the terminal."""
    answers = ["1", "maker", "chair", "What would it cost?", "scribe"]
    transcript = llm_gc.run(FILE, topic="flying", backend="rehearsal", answers=answers, sessions=tmp_path)
    assert transcript.status == "completed"
    assert [turn.role for turn in transcript.turns if turn.heard] == ["dreamer", "maker", "chair", "scribe"]


def test_it_is_short() -> None:
    """Sixty lines at most."""
    assert len(FILE.read_text(encoding="utf-8").splitlines()) <= 60
