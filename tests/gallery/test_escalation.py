"""escalation: what its test file cannot say: every model is sent the very same."""

from __future__ import annotations

from tests.gallery.plays import play


def test_the_next_one_is_sent_what_the_first_was_sent() -> None:
    """The system prompt too: it is not told that a smaller one has tried."""
    script = {"small": {"answer": "A kite.", "confidence": 74}, "medium": {"answer": "A bird.", "confidence": 90}}
    played = play("escalation", script, {"question": "Who flew first?"})
    assert played.sent("medium") == played.sent("small")
