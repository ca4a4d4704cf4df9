"""round-robin: a fixed cycle in one thread."""

from __future__ import annotations

from tests.gallery.plays import play
from tests.talks import failed

IDEA = {"idea": "A kite that hums.", "rounds": 2}


def test_a_fixed_cycle_in_one_thread() -> None:
    """All hear all, in the order in which it was said; it ends when the rounds are over."""
    played = play("round-robin", {"inventor": ["I1", "I2"], "sceptic": ["S1", "S2"], "editor": ["E1", "E2"]}, IDEA)
    assert played.order == ["inventor", "sceptic", "editor"] * 2
    assert played.sent("editor").endswith(
        "Idea: A kite that hums.\n\nInventor: I1\n\nSceptic: S1\n----\nE1\n----\nInventor: I2\n\nSceptic: S2"
    )
    assert played.ended == ("completed", "turns_done")
    assert played.result == "E2"


def test_who_fails_is_passed_over() -> None:
    """The cycle stays as it is, and the newest message that did not fail is the result."""
    script = {"inventor": ["I1", "I2"], "sceptic": [failed(), "S2"], "editor": ["E1", failed()]}
    played = play("round-robin", script, IDEA)
    assert played.order == ["inventor", "sceptic", "editor"] * 2
    assert played.result == "S2"
