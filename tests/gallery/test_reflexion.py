"""reflexion: attempts that start fresh, and lessons that are all they take over."""

from __future__ import annotations

from typing import Any

from tests.gallery.plays import play
from tests.talks import failed

TASK = {"task": "Name a prime above 90."}


def judged(passed: bool, reason: str = "Because.") -> dict[str, Any]:
    """Give what the evaluator says."""
    return {"reason": reason, "passed": passed}


def test_the_first_attempt_may_pass() -> None:
    """Then there is nothing to reflect on."""
    played = play("reflexion", {"actor": ["97"], "evaluator": [judged(True)]}, TASK)
    assert played.order == ["actor", "evaluator"]
    assert played.ended == ("completed", "end_step")
    assert played.outcome.detail == "Attempt 1 passed."
    assert played.result == "97"


def test_each_attempt_starts_fresh_with_the_lessons_alone() -> None:
    """Neither the earlier attempts nor what the evaluator said of them is carried over."""
    played = play(
        "reflexion",
        {
            "actor": ["91", "93", "97"],
            "evaluator": [judged(False, "It is 7 times 13."), judged(False, "It is 3 times 31."), judged(True)],
            "reflector": ["Divide by 7.", "Divide by 3."],
        },
        TASK,
    )
    assert played.order == ["actor", "evaluator", "reflector"] * 2 + ["actor", "evaluator"]
    assert played.sent("actor", 0).endswith("Task: Name a prime above 90.")
    assert played.sent("actor", 2).endswith("Lessons from earlier attempts:\n- Divide by 7.\n- Divide by 3.")
    for role in ("actor", "evaluator"):
        assert not any(word in played.sent(role, 2) for word in ("91", "93", "7 times 13", "3 times 31"))
    assert "Actor: 93" in played.sent("reflector", 1)
    assert "It is 3 times 31." in played.sent("reflector", 1)
    assert "7 times 13" not in played.sent("reflector", 1)
    assert played.outcome.detail == "Attempt 3 passed."
    assert played.result == "97"


def test_it_ends_after_its_attempts() -> None:
    """The last answer is the result; nobody draws a lesson that no attempt could use."""
    script = {"actor": ["91", "93"], "evaluator": judged(False), "reflector": ["Divide."]}
    played = play("reflexion", script, {**TASK, "attempts": 2})
    assert played.order == ["actor", "evaluator", "reflector", "actor", "evaluator"]
    assert played.ended == ("completed", "turns_done")
    assert played.result == "93"


def test_what_fails_costs_its_attempt_alone() -> None:
    """Without an attempt there is no judgement, without a judgement no lesson; the newest answer is the result."""
    script = {"actor": ["91", failed(), "93"], "evaluator": [failed(), judged(False)]}
    played = play("reflexion", script, TASK)
    assert played.order == ["actor", "evaluator", "actor", "actor", "evaluator"]
    assert "Lessons" not in played.sent("actor")
    assert played.ended == ("completed", "turns_done")
    assert played.result == "93"
