"""chain-of-verification: a draft, questions about it, each answered without seeing the draft, a revision."""

from __future__ import annotations

from tests.gallery.plays import Line, play
from tests.talks import failed

ASKED = {"question": "Who was Ada?"}
QUESTIONS = {"questions": ["When was Ada born?", "Where did Ada live?"]}


def test_draft_questions_findings_revision() -> None:
    """The revision is the result."""
    script = {"author": ["DRAFT", "FINAL"], "planner": QUESTIONS, "checker": ["In 1815.", "In London."]}
    played = play("chain-of-verification", script, ASKED)
    assert played.order == ["author", "planner", "checker", "checker", "author"]
    assert (played.ended, played.result) == (("completed", "turns_done"), "FINAL")


def test_who_hears_what() -> None:
    """The planner the draft; a checker its question alone; the author its draft and each question with its finding."""
    script = {"author": ["DRAFT", "FINAL"], "planner": QUESTIONS, "checker": ["In 1815.", "In London."]}
    played = play("chain-of-verification", script, ASKED)
    assert played.sent("planner").endswith("Who was Ada?\n\nAuthor: DRAFT")
    assert [m["content"] for m in played.asks[2].request.messages[1:]] == ["Question: When was Ada born?"]
    assert [m["content"] for m in played.asks[3].request.messages[1:]] == ["Question: Where did Ada live?"]
    revision = played.asks[4].request.messages
    assert [m["role"] for m in revision] == ["system", "user", "assistant", "user"]
    assert revision[2]["content"] == "DRAFT"
    assert "Question: When was Ada born?\nFinding: In 1815.\n\nQuestion: Where did" in revision[3]["content"]


def test_only_so_many_questions_are_looked_into() -> None:
    """The first ones; the limit on turns leaves room for the revision."""
    script = {"author": ["DRAFT", "FINAL"], "planner": QUESTIONS, "checker": ["In 1815."]}
    played = play("chain-of-verification", script, {**ASKED, "checks": 1})
    assert played.order == ["author", "planner", "checker", "author"]
    assert (played.ended, played.result) == (("completed", "turns_done"), "FINAL")


def test_without_questions_the_author_revises_on_its_own() -> None:
    """Whether the planner has none or fails."""
    nothing: list[Line] = [{"questions": []}, failed()]
    for planner in nothing:
        played = play("chain-of-verification", {"author": ["DRAFT", "FINAL"], "planner": planner}, ASKED)
        assert played.order == ["author", "planner", "author"]
        assert "Finding" not in played.sent("author")
        assert played.result == "FINAL"


def test_a_finding_that_failed_is_left_out() -> None:
    """The others stay with their own questions."""
    script = {"author": ["DRAFT", "FINAL"], "planner": QUESTIONS, "checker": [failed(), "In London."]}
    sent = play("chain-of-verification", script, ASKED).sent("author")
    assert "born" not in sent
    assert "Question: Where did Ada live?\nFinding: In London." in sent


def test_a_draft_that_failed_is_not_checked() -> None:
    """The author has one more try."""
    played = play("chain-of-verification", {"author": [failed(), "FINAL"]}, ASKED)
    assert (played.order, played.result) == (["author", "author"], "FINAL")


def test_without_a_revision_the_draft_is_the_result() -> None:
    """Never a question or a finding."""
    script = {"author": ["DRAFT", failed()], "planner": QUESTIONS, "checker": "So."}
    assert play("chain-of-verification", script, ASKED).result == "DRAFT"
    script = {**script, "author": ["DRAFT"], "checker": [failed(), "So."]}
    stopped = play("chain-of-verification", script, ASKED, on_error="stop")
    assert (stopped.ended, stopped.result) == (("failed", "error"), "DRAFT")
