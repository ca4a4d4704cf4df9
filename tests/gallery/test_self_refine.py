"""self-refine: what its test file cannot say: each request continues from the one before."""

from __future__ import annotations

from tests.gallery.plays import play


def test_each_turn_is_asked_on_its_own_history() -> None:
    """What it is sent to revise begins with all that it was sent to criticise."""
    script = {"writer": ["draft", {"faults": ["Too short."]}, "better", {"faults": []}]}
    _, criticise, revise, _ = [
        ask.request.messages for ask in play("self-refine", script, {"task": "Praise tea."}).asks
    ]
    assert criticise == revise[:4]
