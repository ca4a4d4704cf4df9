"""self-refine: one role on its own history, until its criticism is empty."""

from __future__ import annotations

from tests.gallery.plays import play
from tests.talks import failed

TASK = {"task": "Praise tea."}
FAULT = {"faults": ["Too short."]}
NONE: dict[str, list[str]] = {"faults": []}


def test_it_ends_when_it_finds_nothing() -> None:
    """Draft, criticism, revision, criticism without a fault: the revision is the result."""
    played = play("self-refine", {"writer": ["draft", FAULT, "better", NONE]}, TASK)
    assert played.order == ["writer"] * 4
    assert played.ended == ("completed", "end_step")
    assert played.result == "better"


def test_each_turn_is_asked_on_its_own_history() -> None:
    """It reads its own draft and its own faults as its own words, and nothing else."""
    played = play("self-refine", {"writer": ["draft", FAULT, "better", NONE]}, TASK)
    first, criticise, revise, _ = [ask.request.messages for ask in played.asks]
    assert first[-1]["content"].startswith("Task: Praise tea.\n\nDo the task")
    assert [message["role"] for message in revise] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert [message["content"] for message in revise if message["role"] == "assistant"] == [
        "draft",
        '{"faults": ["Too short."]}',
    ]
    assert criticise == revise[:4]


def test_it_ends_after_its_rounds() -> None:
    """The last revision is the result, whatever was still found before it."""
    played = play("self-refine", {"writer": ["draft", FAULT, "two", FAULT, "three"]}, {**TASK, "rounds": 2})
    assert played.ended == ("completed", "turns_done")
    assert played.result == "three"


def test_nothing_to_fix_in_the_draft() -> None:
    """Then the draft is the result."""
    assert play("self-refine", {"writer": ["draft", NONE]}, TASK).result == "draft"


def test_a_revision_that_fails_leaves_the_text_as_it_was() -> None:
    """And a criticism that fails finds nothing out: it goes on."""
    played = play("self-refine", {"writer": ["draft", FAULT, failed(), failed(), failed()]}, {**TASK, "rounds": 2})
    assert played.ended == ("completed", "turns_done")
    assert played.result == "draft"


def test_without_a_draft_there_is_nothing_to_criticise() -> None:
    """It writes one first."""
    played = play("self-refine", {"writer": [failed(), "draft", NONE]}, TASK)
    assert "draft" not in played.sent("writer", 1)
    assert played.result == "draft"
