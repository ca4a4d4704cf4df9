"""self-consistency: what its test file cannot say: one prompt, and a seed for each sample."""

from __future__ import annotations

from tests.gallery.plays import play


def test_every_sample_is_the_same_prompt_with_another_seed() -> None:
    """None hears another."""
    asks = play("self-consistency", {"solver": "Answer: 7"}, {"question": "3 + 4?"}).asks
    assert len(asks) == 5
    assert len({str(ask.request.messages) for ask in asks}) == 1
    assert len({ask.options["seed"] for ask in asks}) == 5
