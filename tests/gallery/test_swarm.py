"""swarm: the speaker names its successor, until nobody is named."""

from __future__ import annotations

import pytest

from tests.gallery.plays import play
from tests.talks import failed

TASK = {"task": "A page about kites."}


def hand(work: str, to: str) -> dict[str, str]:
    """Give a reply that does a part and hands over."""
    return {"work": work, "next": to}


def test_the_speaker_names_its_successor_until_it_names_nobody() -> None:
    """The planner begins; the last one's work is the result."""
    script = {
        "planner": [hand("Two steps.", "researcher")],
        "researcher": [hand("They fly.", "writer")],
        "writer": [hand("Kites fly.", "nobody")],
    }
    played = play("swarm", script, TASK)
    assert played.order == ["planner", "researcher", "writer"]
    assert played.ended == ("completed", "turns_done")
    assert played.result == "Kites fly."


def test_the_others_hear_the_work_and_not_the_json() -> None:
    """Each is sent what the others can do, and what they did."""
    played = play("swarm", {"planner": [hand("Two steps.", "writer")], "writer": [hand("Done.", "nobody")]}, TASK)
    assert played.sent("writer").endswith("Task: A page about kites.\n\nPlanner: Two steps.")
    assert "- researcher: Collects facts" in played.sent("writer")
    assert "- writer: " not in played.sent("writer")


@pytest.mark.parametrize("stray", ["writer", "planner"])
def test_a_hand_over_that_strays_goes_to_the_planner(stray: str) -> None:
    """Who names itself, or fails, hands over to the planner."""
    script = {
        "planner": [hand("P1", "writer"), hand("P2", "writer")],
        "writer": [hand("W1", "writer") if stray == "writer" else failed(), hand("W2", "nobody")],
    }
    assert play("swarm", script, TASK).order == ["planner", "writer", "planner", "writer"]


def test_it_stops_when_the_turns_are_used_up() -> None:
    """The newest work is the result, also where the newest turn failed."""
    script = {"planner": [hand("P1", "writer"), failed()], "writer": [hand("W1", "planner")]}
    played = play("swarm", script, {**TASK, "most_turns": 3})
    assert played.order == ["planner", "writer", "planner"]
    assert played.ended == ("stopped", "max_turns")
    assert played.result == "W1"
