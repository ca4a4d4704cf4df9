"""best-of-n: independent answers, a score for each from a judge, and the best is the result."""

from __future__ import annotations

from typing import Any

from tests.gallery.plays import play
from tests.talks import failed

ASKED = {"task": "Name a colour.", "n": 3}


def score(points: int) -> dict[str, Any]:
    """Give a judge's reply."""
    return {"reason": "so", "score": points}


def test_independent_answers_and_a_judge_for_each() -> None:
    """A writer hears the task alone; a judge hears the task and one answer."""
    played = play("best-of-n", {"writer": ["red", "blue", "green"], "judge": score(5)}, ASKED)
    assert played.order == ["writer"] * 3 + ["judge"] * 3
    assert len({ask.options["seed"] for ask in played.asks[:3]}) == 3
    assert [played.sent("writer", n).endswith("----\nTask: Name a colour.") for n in range(3)] == [True] * 3
    for number, colour in enumerate(["red", "blue", "green"]):
        assert played.sent("judge", number).endswith(f"Task: Name a colour.\n\nThe answer to judge:\n\n{colour}")


def test_the_best_score_wins() -> None:
    """Of equals the first."""
    script = {"writer": ["red", "blue", "green"], "judge": [score(3), score(9), score(9)]}
    played = play("best-of-n", script, ASKED)
    assert (played.ended, played.result) == (("completed", "turns_done"), "blue")


def test_an_answer_that_failed_is_not_judged() -> None:
    """The scores still belong to their answers."""
    script = {"writer": [failed(), "blue", "green"], "judge": [score(3), score(4)]}
    assert play("best-of-n", script, ASKED).result == "green"


def test_a_judge_that_fails_gives_no_points() -> None:
    """Its answer wins only where no other has any."""
    script = {"writer": ["red", "blue", "green"], "judge": [failed(), score(1), failed()]}
    assert play("best-of-n", script, ASKED).result == "blue"
    assert play("best-of-n", {**script, "judge": [failed()] * 3}, ASKED).result == "red"


def test_without_an_answer_there_is_nothing_to_judge() -> None:
    """It has failed, and says why."""
    played = play("best-of-n", {"writer": failed()}, ASKED)
    assert (played.order, played.ended, played.result) == (["writer"] * 3, ("failed", "error"), "")


def test_it_stops_at_a_failure_if_told_so() -> None:
    """An answer stands in, never a judge's reply."""
    script = {"writer": ["red", "blue", "green"], "judge": [score(3), failed(), score(9)]}
    played = play("best-of-n", script, ASKED, on_error="stop")
    assert (played.ended, played.result) == (("failed", "error"), "red")
