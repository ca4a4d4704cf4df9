"""sequential-chats: pairs one after the other, and only a summary goes on."""

from __future__ import annotations

from tests.gallery.plays import play
from tests.talks import failed

TASK = {"task": "A page about kites.", "exchanges": 1}
SCRIPT = {
    "interviewer": ["I1"],
    "expert": ["X1"],
    "planner": ["P1"],
    "reader": ["R1"],
    "writer": ["W1", "W2"],
    "editor": ["E1"],
    "summarizer": ["- The facts.", "- The plan."],
}


def test_pairs_talk_one_after_the_other() -> None:
    """Facts, plan, text; the text is the result."""
    played = play("sequential-chats", SCRIPT, TASK)
    first, second = ["interviewer", "expert", "summarizer"], ["planner", "reader", "summarizer"]
    assert played.order == [*first, *second, "writer", "editor", "writer"]
    assert played.ended == ("completed", "turns_done")
    assert played.result == "W2"


def test_only_a_summary_goes_on_to_the_next_pair() -> None:
    """Each pair hears the task, the newest summary and one another."""
    played = play("sequential-chats", SCRIPT, TASK)
    assert played.sent("interviewer").endswith("Task: A page about kites.")
    assert played.sent("planner").endswith("Task: A page about kites.\n\nWhat the talk before came to:\n- The facts.")
    assert played.sent("reader").endswith("- The facts.\n\nPlanner: P1")
    assert played.sent("summarizer").endswith("- The facts.\n\nPlanner: P1\n\nReader: R1")
    assert played.sent("writer", 0).endswith("Task: A page about kites.\n\nWhat the talk before came to:\n- The plan.")
    assert played.sent("writer").endswith("- The plan.\n----\nW1\n----\nEditor: E1")


def test_they_talk_as_often_as_they_are_let() -> None:
    """An exchange is one turn of each."""
    script = dict.fromkeys(SCRIPT, "x")
    played = play("sequential-chats", script, {**TASK, "exchanges": 2})
    assert played.order[:5] == ["interviewer", "expert", "interviewer", "expert", "summarizer"]
    assert len(played.order) == 15


def test_where_the_summary_fails_the_last_words_go_on() -> None:
    """The next pair does not begin with nothing."""
    played = play("sequential-chats", {**SCRIPT, "summarizer": [failed(), "- The plan."]}, TASK)
    assert played.sent("planner").endswith("What the talk before came to:\nX1")
