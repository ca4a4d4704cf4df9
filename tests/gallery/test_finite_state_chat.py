"""finite-state-chat: what its test file cannot say: that chance keeps to the table too."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.gallery.plays import play

TOPIC = {"topic": "kites"}
MAY_FOLLOW = {"asker": {"expert"}, "expert": {"asker", "doubter", "editor"}, "doubter": {"expert"}, "editor": set()}


@pytest.mark.parametrize("seed", range(10))
def test_chance_picks_among_the_allowed(seed: int) -> None:
    """No chair is asked; every step is one of the table, to the sink or the last turn."""
    script = {"asker": "Why?", "expert": "So.", "doubter": "Really?", "editor": "All in all."}
    played = play("finite-state-chat", script, {**TOPIC, "by_chance": True, "most_turns": 30}, seed=seed)
    assert played.order[0] == "asker"
    assert all(after in MAY_FOLLOW[before] for before, after in pairwise(played.order))
    assert (played.ended == ("completed", "turns_done")) == (played.order[-1] == "editor")
