"""map-reduce: what its test file cannot say briefly: how long a list may be."""

from __future__ import annotations

from tests.gallery.plays import play


def test_a_long_list_has_turns_enough() -> None:
    """As many as it has items, and one more."""
    played = play("map-reduce", {"worker": "W", "reducer": "All."}, {"items": "\n".join(map(str, range(150)))})
    assert (len(played.asks), played.ended) == (151, ("completed", "turns_done"))
