"""group-chat-by-hand: what its test file cannot say: who is a person, and that a list of answers will do."""

from __future__ import annotations

from pathlib import Path

import llm_gc
from tests.gallery.plays import PIPELINES, load

FILE = PIPELINES / "group-chat-by-hand.yaml"


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
