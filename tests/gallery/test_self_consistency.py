"""self-consistency: samples of one prompt with seeds of their own; the majority of their answers."""

from __future__ import annotations

from tests.gallery.plays import play
from tests.talks import failed

ASKED = {"question": "3 + 4?"}


def test_every_sample_is_the_same_prompt_with_another_seed() -> None:
    """None hears another."""
    asks = play("self-consistency", {"solver": "Answer: 7"}, ASKED).asks
    assert len(asks) == 5
    assert len({str(ask.request.messages) for ask in asks}) == 1
    assert len({ask.options["seed"] for ask in asks}) == 5


def test_the_majority_of_the_answers_is_the_result() -> None:
    """Whatever stands before the answer; what fails or has no answer's line does not count."""
    solver = ["So.\nAnswer: 8", "Answer: 7.", "**Final answer: 7**", "It is 8.", failed()]
    played = play("self-consistency", {"solver": solver}, ASKED)
    assert (played.ended, played.result) == (("completed", "turns_done"), "7")
    negative = play("self-consistency", {"solver": "**Answer**: -7.5"}, {**ASKED, "samples": 1})
    assert negative.result == "-7.5"


def test_without_any_answers_line_a_text_stands_in() -> None:
    """The one that most have, or the first."""
    played = play("self-consistency", {"solver": [failed(), "Perhaps 7.", "Perhaps 8."]}, {**ASKED, "samples": 3})
    assert (played.ended, played.result) == (("completed", "turns_done"), "Perhaps 7.")


def test_it_stops_at_a_failure_if_told_so() -> None:
    """The other samples finish first, and the last of them stands in."""
    solver = ["Answer: 7", failed(), "Answer: 8"]
    played = play("self-consistency", {"solver": solver}, {**ASKED, "samples": 3}, on_error="stop")
    assert (played.ended, played.result) == (("failed", "error"), "Answer: 8")
