"""debate: blind answers at once, rounds in which each hears the others' newest answers only, then a vote."""

from __future__ import annotations

from tests.gallery.plays import play, text_of
from tests.talks import failed

ANSWERS = ["First.\nAnswer: 4", "Second.\nAnswer: 5", "Third.\nAnswer: 5"]
AGAIN = ["One.\n**Answer:** 5", "Two.\nAnswer: 5.", "Three.\nanswer: 4"]
LAST = ["Uno.\nAnswer: 6", "Dos.\nAnswer: 7", "Tres.\nAnswer: 7"]

ASKED = {"question": "2 + 3?"}


def test_all_answer_blind_at_once() -> None:
    """Each is sent the question alone, with a seed of its own."""
    asks = play("debate", {"debater": [*ANSWERS, *AGAIN, *LAST]}, ASKED).asks[:3]
    assert [ask.speaker.copy for ask in asks] == [0, 1, 2]
    assert [ask.request.messages[1:] for ask in asks] == [[{"role": "user", "content": "Question: 2 + 3?"}]] * 3
    assert len({ask.options["seed"] for ask in asks}) == 3


def test_each_hears_the_newest_answers_only() -> None:
    """The others' under their labels, its own as its own; nothing older, and nothing of the same round."""
    played = play("debate", {"debater": [*ANSWERS, *AGAIN, *LAST]}, ASKED)
    assert [message["role"] for message in played.asks[3].request.messages] == ["system", "user", "assistant", "user"]
    second = text_of(played.asks[4])
    assert "Debater: First." in second
    assert "\nSecond." in second
    assert "Debater 3: Third." in second
    assert "One." not in second
    final = text_of(played.asks[8])
    assert "Debater: One." in final
    assert "Debater 2: Two." in final
    assert not [old for old in ("First.", "Second.", "Third.", "Uno.", "Dos.") if old in final]
    assert final.count("These are the newest answers") == 1


def test_it_ends_after_the_rounds_with_a_vote() -> None:
    """The answer that most of the last ones come to is the result, however the line was marked up."""
    played = play("debate", {"debater": [*ANSWERS, *AGAIN, *LAST]}, ASKED)
    assert played.order == ["debater"] * 9
    assert (played.ended, played.result) == (("completed", "turns_done"), "7")
    short = play("debate", {"debater": [*ANSWERS, *AGAIN]}, {**ASKED, "rounds": 1})
    assert (short.ended, short.result) == (("completed", "turns_done"), "5")


def test_a_debater_that_fails_is_heard_and_counted_by_its_answer_before() -> None:
    """The others go on hearing it, and its vote is not lost."""
    played = play("debate", {"debater": [*ANSWERS, failed(), *AGAIN[1:], *LAST[:2], failed()]}, ASKED)
    assert "Debater: First." in text_of(played.asks[7])
    assert played.result == "6"
    votes = play("debate", {"debater": [*ANSWERS, failed(), *AGAIN[1:]]}, {**ASKED, "rounds": 1})
    assert votes.result == "4"


def test_without_any_answers_line_the_first_text_stands_in() -> None:
    """There is always a result."""
    played = play("debate", {"debater": ["a", "b", "c", "d"]}, {**ASKED, "debaters": 2, "rounds": 1})
    assert (played.ended, played.result) == (("completed", "turns_done"), "c")
