"""debate: what its test file cannot say: each debater is a copy with a seed of its own."""

from __future__ import annotations

from tests.gallery.plays import play


def test_each_debater_has_a_seed_of_its_own() -> None:
    """Else all would answer the same."""
    played = play("debate", {"debater": "Answer: 4"}, {"question": "2 + 3?"})
    assert [turn.copy for turn in played.conversation.turns[:3]] == [0, 1, 2]
    assert len({ask.options["seed"] for ask in played.asks[:3]}) == 3
