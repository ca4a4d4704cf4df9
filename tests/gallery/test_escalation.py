"""escalation: the next larger model tries where the one before is not sure enough."""

from __future__ import annotations

from typing import Any

from tests.gallery.plays import play
from tests.talks import failed

QUESTION = {"question": "Who flew first?"}


def answer(text: str, confidence: int) -> dict[str, Any]:
    """Give an answer with its confidence."""
    return {"answer": text, "confidence": confidence}


def test_a_small_model_that_is_sure_is_enough() -> None:
    """At the threshold it is sure; nobody else is asked."""
    played = play("escalation", {"small": [answer("A kite.", 75)]}, QUESTION)
    assert played.order == ["small"]
    assert played.ended == ("completed", "turns_done")
    assert played.result == "A kite."


def test_below_the_threshold_the_next_larger_one_tries() -> None:
    """From the question alone: it is not told what the smaller one said."""
    played = play("escalation", {"small": [answer("A kite.", 74)], "medium": [answer("A bird.", 90)]}, QUESTION)
    assert played.order == ["small", "medium"]
    assert played.sent("medium") == played.sent("small")
    assert played.result == "A bird."


def test_the_largest_has_the_last_word() -> None:
    """However sure it is."""
    script = {"small": [answer("1", 10)], "medium": [answer("2", 60)], "large": [answer("3", 20)]}
    played = play("escalation", script, QUESTION)
    assert played.order == ["small", "medium", "large"]
    assert played.result == "3"


def test_the_threshold_is_an_input() -> None:
    """With 0 the first answer is the last."""
    assert play("escalation", {"small": [answer("1", 0)]}, {**QUESTION, "threshold": 0}).order == ["small"]


def test_who_fails_is_not_sure() -> None:
    """The next one tries; if the largest fails, the newest answer there is is the result."""
    played = play("escalation", {"small": [failed()], "medium": [answer("2", 30)], "large": [failed()]}, QUESTION)
    assert played.order == ["small", "medium", "large"]
    assert played.ended == ("completed", "turns_done")
    assert played.result == "2"
