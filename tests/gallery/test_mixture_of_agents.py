"""mixture-of-agents: layers of proposers that each hear all of the layer before, then one aggregator."""

from __future__ import annotations

from tests.gallery.plays import play
from tests.talks import failed

LAYER = ["proposer_a", "proposer_b", "proposer_c"]
ASKED = {"task": "Explain tides."}
SCRIPT = {
    "proposer_a": ["A1", "A2", "A3"],
    "proposer_b": ["B1", "B2", "B3"],
    "proposer_c": ["C1", "C2", "C3"],
    "aggregator": "All in all.",
}


def test_layers_then_the_aggregator() -> None:
    """Each proposer has another model; the aggregator's answer is the result."""
    played = play("mixture-of-agents", SCRIPT, {**ASKED, "layers": 3})
    assert played.order == [*LAYER * 3, "aggregator"]
    assert len({ask.model for ask in played.asks[:3]}) == 3
    assert (played.ended, played.result) == (("completed", "turns_done"), "All in all.")


def test_the_first_layer_hears_the_task_alone() -> None:
    """Its proposers do not hear one another."""
    played = play("mixture-of-agents", SCRIPT, {**ASKED, "layers": 3})
    for role in LAYER:
        assert played.sent(role, 0).endswith("----\nTask: Explain tides.")


def test_each_hears_all_of_the_layer_before_and_nothing_older() -> None:
    """All are sent the same, what they said themselves among it."""
    played = play("mixture-of-agents", SCRIPT, {**ASKED, "layers": 3})
    given = "Task: Explain tides.\n\nThese answers were given to the task:\n\n[1] A{0}\n\n[2] B{0}\n\n[3] C{0}"
    for role in LAYER:
        assert played.sent(role, 1).endswith(given.format(1))
        assert played.sent(role, 2).endswith(given.format(2))
        assert "A1" not in played.sent(role, 2)
    assert played.sent("aggregator").endswith(given.format(3))


def test_a_proposer_that_fails_is_left_out_of_that_layer() -> None:
    """And of that one only; its older answers are not heard in its place."""
    script = {**SCRIPT, "proposer_b": ["B1", failed(), "B3"]}
    played = play("mixture-of-agents", script, {**ASKED, "layers": 3})
    assert played.sent("proposer_a", 2).endswith("[1] A2\n\n[2] C2")
    assert "[2] B3" in played.sent("aggregator")


def test_after_a_layer_that_failed_the_next_one_begins_anew() -> None:
    """It is sent the task alone."""
    script = {role: [failed(), "again"] for role in LAYER} | {"aggregator": failed()}
    played = play("mixture-of-agents", script, ASKED)
    assert played.sent("proposer_a").endswith("----\nTask: Explain tides.")
    assert (played.ended, played.result) == (("completed", "turns_done"), "again")
