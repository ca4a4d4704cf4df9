"""map-reduce: a list is split, each item is worked on at once, and one text is made of the results."""

from __future__ import annotations

from tests.gallery.plays import play
from tests.talks import failed

ASKED = {"items": "tea\n\n  milk \nrye\n"}


def test_one_worker_for_each_line_then_the_reducer() -> None:
    """Blank lines are no items; the reducer's text is the result."""
    played = play("map-reduce", {"worker": ["W1", "W2", "W3"], "reducer": "All."}, ASKED)
    assert played.order == ["worker"] * 3 + ["reducer"]
    assert [ask.speaker.copy for ask in played.asks[:3]] == [0, 1, 2]
    assert (played.ended, played.result) == (("completed", "turns_done"), "All.")


def test_a_worker_is_sent_its_item_alone() -> None:
    """The reducer all items with their results, once."""
    inputs = {**ASKED, "each": "Translate it.", "together": "List them."}
    played = play("map-reduce", {"worker": ["W1", "W2", "W3"], "reducer": "All."}, inputs)
    assert "Translate it." in played.sent("worker", 0)
    assert [played.asks[n].request.messages[1:] for n in (0, 1)] == [
        [{"role": "user", "content": "The item: tea"}],
        [{"role": "user", "content": "The item: milk"}],
    ]
    assert "List them." in played.sent("reducer")
    results = "Item: tea\nResult: W1\n\nItem: milk\nResult: W2\n\nItem: rye\nResult: W3"
    assert [m["content"] for m in played.asks[3].request.messages[1:]] == [results]


def test_an_empty_list_ends_at_once() -> None:
    """Nobody is asked, and the reason says why."""
    played = play("map-reduce", {}, {"items": " \n\n"})
    assert (played.asks, played.ended) == ([], ("completed", "end_step"))
    assert played.outcome.detail == "The list is empty."


def test_an_item_that_failed_is_left_out() -> None:
    """The others stay with their own items."""
    played = play("map-reduce", {"worker": ["W1", failed(), "W3"], "reducer": "Two."}, ASKED)
    assert played.sent("reducer").endswith("----\nItem: tea\nResult: W1\n\nItem: rye\nResult: W3")
    assert played.result == "Two."


def test_without_any_result_there_is_nothing_to_reduce() -> None:
    """It has failed."""
    played = play("map-reduce", {"worker": failed()}, ASKED)
    assert (played.order, played.ended, played.result) == (["worker"] * 3, ("failed", "error"), "")


def test_without_a_reducer_the_results_stand_as_they_are() -> None:
    """One after the other."""
    played = play("map-reduce", {"worker": ["W1", failed(), "W3"], "reducer": failed()}, ASKED)
    assert (played.ended, played.result) == (("completed", "turns_done"), "W1\n\nW3")


def test_a_long_list_has_turns_enough() -> None:
    """As many as it has items, and one more."""
    played = play("map-reduce", {"worker": "W", "reducer": "All."}, {"items": "\n".join(map(str, range(150)))})
    assert (len(played.asks), played.ended) == (151, ("completed", "turns_done"))
