"""debate-judge: two sides in turn; a judge may end it after each round, and gives the verdict at the end."""

from __future__ import annotations

from tests.gallery.plays import play
from tests.talks import failed

ASKED = {"motion": "Tea is better."}
OPEN = {"reason": "hm", "decided": False}
CLEAR = {"reason": "clear", "decided": True}


def test_the_judge_may_end_it_after_a_round() -> None:
    """Then it gives the verdict, which is the result."""
    script = {"affirmative": ["A1", "A2"], "negative": ["N1", "N2"], "judge": [OPEN, CLEAR, "Affirmative."]}
    played = play("debate-judge", script, ASKED)
    assert played.order == ["affirmative", "negative", "judge"] * 2 + ["judge"]
    assert (played.ended, played.result) == (("completed", "turns_done"), "Affirmative.")


def test_it_ends_after_the_last_round_all_the_same() -> None:
    """A judge that is never sure gives its verdict too."""
    script = {"affirmative": "A", "negative": "N", "judge": [OPEN, OPEN, "Negative."]}
    played = play("debate-judge", script, {**ASKED, "rounds": 2})
    assert played.order == ["affirmative", "negative", "judge"] * 2 + ["judge"]
    assert (played.ended, played.result) == (("completed", "turns_done"), "Negative.")


def test_the_sides_hear_each_other_and_not_the_judge() -> None:
    """What the judge thinks on the way is not theirs; the judge hears both, and what it said itself."""
    script = {"affirmative": ["A1", "A2"], "negative": ["N1", "N2"], "judge": [OPEN, CLEAR, "Negative."]}
    played = play("debate-judge", script, ASKED)
    assert played.sent("negative", 0).endswith("The motion: Tea is better.\n\nAffirmative: A1")
    assert played.sent("affirmative").endswith("The motion: Tea is better.\n----\nA1\n----\nNegative: N1")
    assert "decided" not in played.sent("negative")
    verdict = played.sent("judge")
    assert "Affirmative: A2\n\nNegative: N2" in verdict
    assert '"reason": "clear"' in verdict
    assert "The debate is over." in verdict


def test_what_the_judge_answers_is_structured_only_on_the_way() -> None:
    """The verdict is a text."""
    played = play("debate-judge", {"affirmative": "A", "negative": "N", "judge": [CLEAR, "Negative."]}, ASKED)
    assert [ask.format is not None for ask in played.asks] == [False, False, True, False]


def test_a_judge_that_fails_has_decided_nothing() -> None:
    """The debate goes on; without a verdict the result says so."""
    script = {"affirmative": "A", "negative": "N", "judge": [failed(), CLEAR, failed()]}
    played = play("debate-judge", script, ASKED)
    assert played.order == ["affirmative", "negative", "judge"] * 2 + ["judge"]
    assert (played.ended, played.result) == (("completed", "turns_done"), "The judge gave no verdict.")
