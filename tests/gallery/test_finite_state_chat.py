"""finite-state-chat: a table of who may follow whom, to its sink."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.gallery.plays import play
from tests.talks import failed

TOPIC = {"topic": "kites"}
MAY_FOLLOW = {"asker": {"expert"}, "expert": {"asker", "doubter", "editor"}, "doubter": {"expert"}, "editor": set()}


def test_the_chair_picks_among_the_allowed_until_the_sink() -> None:
    """Where one alone may follow nobody is asked; after the editor nobody may, and so it ends."""
    script = {
        "asker": ["Why?"],
        "expert": ["So.", "Proved."],
        "doubter": ["Really?"],
        "editor": ["All in all."],
        "chair": [{"next": "doubter"}, {"next": "editor"}],
    }
    played = play("finite-state-chat", script, TOPIC)
    assert played.order == ["asker", "expert", "chair", "doubter", "expert", "chair", "editor"]
    picks = [ask.format["properties"]["next"]["enum"] for ask in played.asks if ask.format]
    assert picks == [["asker", "doubter", "editor"]] * 2
    assert "Asker: Why?\n\nExpert: So.\n\nDoubter: Really?\n\nExpert: Proved." in played.sent("editor")
    assert played.ended == ("completed", "turns_done")
    assert played.result == "All in all."


@pytest.mark.parametrize("seed", range(10))
def test_chance_picks_among_the_allowed(seed: int) -> None:
    """No chair is asked; every step is one of the table, to the sink or the last turn."""
    script = {"asker": "Why?", "expert": "So.", "doubter": "Really?", "editor": "All in all."}
    played = play("finite-state-chat", script, {**TOPIC, "by_chance": True, "most_turns": 30}, seed=seed)
    assert played.order[0] == "asker"
    assert all(after in MAY_FOLLOW[before] for before, after in pairwise(played.order))
    assert (played.ended == ("completed", "turns_done")) == (played.order[-1] == "editor")


def test_it_stops_when_the_turns_are_used_up() -> None:
    """A chair that never comes to the end does not talk for ever."""
    script = {"asker": "Why?", "expert": "So.", "chair": {"next": "asker"}}
    played = play("finite-state-chat", script, {**TOPIC, "most_turns": 5})
    assert played.turns == ["asker", "expert", "asker", "expert", "asker"]
    assert played.ended == ("stopped", "max_turns")


def test_who_fails_has_had_its_turn() -> None:
    """The table goes on from whoever was asked; if the editor fails, what was said last is the result."""
    script = {"asker": failed(), "expert": ["So."], "chair": {"next": "editor"}, "editor": failed()}
    played = play("finite-state-chat", script, TOPIC)
    assert played.turns == ["asker", "expert", "editor"]
    assert played.ended == ("completed", "turns_done")
    assert played.result == "So."
