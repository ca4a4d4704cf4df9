"""blackboard: shared named notes; a role speaks when its condition over them holds; ends at the goal or unchanged."""

from __future__ import annotations

from typing import Any

from tests.gallery.plays import play
from tests.talks import failed

ASKED = {"task": "A notice."}
GOOD = {"problem": "", "approved": True}


def problem(words: str) -> dict[str, Any]:
    """Give a review that does not approve."""
    return {"problem": words, "approved": False}


def test_it_ends_at_the_goal() -> None:
    """Who speaks follows from the notes: facts once, then text and review until it is approved."""
    script = {"researcher": "F", "writer": ["T1", "T2"], "reviewer": [problem("Too long."), GOOD]}
    played = play("blackboard", script, ASKED)
    assert played.order == ["researcher", "writer", "reviewer", "writer", "reviewer"]
    assert (played.ended, played.result) == (("completed", "end_step"), "T2")


def test_it_ends_when_nothing_changes() -> None:
    """The same text and the same review again do not; neither does a review that names no problem."""
    script = {"researcher": "F", "writer": ["T1", "T1"], "reviewer": [problem("x"), problem("x")]}
    same = play("blackboard", script, ASKED)
    assert same.order == ["researcher", "writer", "reviewer", "writer", "reviewer"]
    assert (same.ended, same.result) == (("completed", "turns_done"), "T1")
    mute = play("blackboard", {**script, "writer": ["T1"], "reviewer": [problem(""), problem("")]}, ASKED)
    assert mute.order == ["researcher", "writer", "reviewer", "reviewer"]
    assert (mute.ended, mute.result) == (("completed", "turns_done"), "T1")


def test_it_ends_at_the_most_turns() -> None:
    """With the text as it is then."""
    script = {"researcher": "F", "writer": ["T1", "T2"], "reviewer": [problem("a"), problem("b")]}
    played = play("blackboard", script, {**ASKED, "most_turns": 5})
    assert (played.ended, played.result) == (("stopped", "max_turns"), "T2")


def test_each_is_sent_the_task_and_the_notes_as_they_are() -> None:
    """And nothing else that was said: no older note, no approval, no word of its own."""
    script = {"researcher": "F", "writer": ["T1", "T2"], "reviewer": [problem("Too long."), GOOD]}
    played = play("blackboard", script, ASKED)
    notes = "Task: A notice.\n\nThe notes:\n\n## facts\n{}\n\n## text\n{}\n\n## review\n{}"
    assert played.sent("researcher").endswith(notes.format("(empty)", "(empty)", "(empty)"))
    assert played.sent("writer", 0).endswith(notes.format("F", "(empty)", "(empty)"))
    assert played.sent("reviewer", 0).endswith(notes.format("F", "T1", "(empty)"))
    assert played.sent("writer").endswith(notes.format("F", "T1", "Too long."))
    assert played.sent("reviewer").endswith(notes.format("F", "T2", "(empty)"))
    assert "T1" not in played.sent("reviewer")
    assert [len(ask.request.messages) for ask in played.asks] == [2] * 5


def test_a_turn_that_failed_is_taken_again() -> None:
    """The notes are as they were, and its condition still holds."""
    script = {
        "researcher": [failed(), "F"],
        "writer": ["T1", failed(), "T2"],
        "reviewer": [failed(), problem("Too long."), GOOD],
    }
    played = play("blackboard", script, ASKED)
    assert played.order == [
        "researcher", "researcher", "writer", "reviewer", "reviewer", "writer", "writer", "reviewer",
    ]  # fmt: skip
    assert (played.ended, played.result) == (("completed", "end_step"), "T2")


def test_who_fails_for_good_ends_at_the_most_turns() -> None:
    """The others' notes are kept."""
    played = play("blackboard", {"researcher": "F", "writer": "T1", "reviewer": failed()}, ASKED)
    assert (played.ended, played.result) == (("stopped", "max_turns"), "T1")
    assert len(played.asks) == 12
