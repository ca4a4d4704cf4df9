"""delphi: estimates at once and unseen; statistics only go on; it ends when the spread is small."""

from __future__ import annotations

from typing import Any

from tests.gallery.plays import play, text_of
from tests.talks import failed

ASKED = {"question": "How many?", "experts": 3, "rounds": 3}


def estimates(*figures: float) -> list[Any]:
    """Give the experts' replies."""
    return [{"reason": f"because {figure}", "estimate": figure} for figure in figures]


def test_it_ends_when_the_spread_is_small() -> None:
    """The median is the result, and the reason names both."""
    played = play("delphi", {"expert": estimates(10, 50, 90, 95, 100, 105)}, ASKED)
    assert played.order == ["expert"] * 6
    assert (played.ended, played.result) == (("completed", "end_step"), 100)
    assert played.outcome.detail == "The spread is small: 5 around 100, after 2 rounds."


def test_it_ends_after_the_rounds() -> None:
    """With the median of the last one."""
    played = play("delphi", {"expert": estimates(1, 5, 9) * 2 + estimates(1, 4, 9)}, ASKED)
    assert played.order == ["expert"] * 9
    assert (played.ended, played.result) == (("completed", "turns_done"), 4)


def test_only_statistics_go_on() -> None:
    """An expert hears its own estimates and the figures of each round, and no word of another."""
    played = play("delphi", {"expert": estimates(10, 50, 90) * 2 + estimates(60, 60, 60)}, ASKED)
    assert [text_of(ask).endswith("----\nQuestion: How many?") for ask in played.asks[:3]] == [True] * 3
    second = played.asks[4].request.messages
    assert [m["role"] for m in second] == ["system", "user", "assistant", "user"]
    assert "because 50" in second[2]["content"]
    assert second[3]["content"].startswith("Narrator: The facilitator's statistics of round 1:\nestimates 3; ")
    assert "smallest 10; largest 90; median 50; standard deviation 40." in second[3]["content"]
    assert not [other for other in ("because 10", "because 90", "Expert") if other in text_of(played.asks[7])]
    assert "round 2" in text_of(played.asks[7])


def test_an_estimate_that_failed_does_not_count() -> None:
    """One alone has no spread, and ends nothing."""
    played = play("delphi", {"expert": [failed(), *estimates(7), failed(), *estimates(7, 7), failed()]}, ASKED)
    assert "estimates 1; smallest 7; largest 7; median 7.\nNow" in text_of(played.asks[3])
    assert (played.ended, played.result) == (("completed", "end_step"), 7)


def test_a_round_in_which_all_failed_changes_nothing() -> None:
    """The figures of the round before stand."""
    played = play("delphi", {"expert": [*estimates(1, 5, 9), *[failed()] * 6]}, ASKED)
    assert (played.ended, played.result) == (("completed", "turns_done"), 5)
    late = play("delphi", {"expert": [*[failed()] * 3, *estimates(5, 5, 5)]}, ASKED)
    assert (late.ended, late.result) == (("completed", "end_step"), 5)


def test_how_small_is_an_input() -> None:
    """A share of the median; nought asks for one and the same estimate."""
    wide = play("delphi", {"expert": estimates(1, 5, 9)}, {**ASKED, "spread": 0.8})
    assert (wide.ended, wide.result) == (("completed", "end_step"), 5)
    same = play("delphi", {"expert": estimates(0, 0, 0)}, {**ASKED, "spread": 0})
    assert (same.ended, same.result) == (("completed", "end_step"), 0)
