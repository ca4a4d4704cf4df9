"""mixture-of-agents: what its test file cannot say: the proposers are different models."""

from __future__ import annotations

from tests.gallery.plays import play


def test_each_proposer_is_another_model() -> None:
    """A mixture of one would be none."""
    script = dict.fromkeys(("proposer_a", "proposer_b", "proposer_c", "aggregator"), "So.")
    played = play("mixture-of-agents", script, {"task": "Explain tides."})
    assert len({ask.model for ask in played.asks[:3]}) == 3
