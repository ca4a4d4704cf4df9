"""best-of-n: what its test file cannot say: each answer is sampled with a seed of its own."""

from __future__ import annotations

from tests.gallery.plays import play


def test_each_answer_has_a_seed_of_its_own() -> None:
    """Else there would be nothing to choose from."""
    script = {"writer": ["red", "blue", "green"], "judge": {"reason": "so", "score": 5}}
    played = play("best-of-n", script, {"task": "Name a colour.", "n": 3})
    assert len({ask.options["seed"] for ask in played.asks[:3]}) == 3
