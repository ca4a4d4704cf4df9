"""group-chat: a moderator picks from the descriptions, nobody twice in a row."""

from __future__ import annotations

from tests.gallery.plays import play
from tests.talks import failed

TOPIC = {"topic": "Which kite?"}


def pick(name: str) -> dict[str, str]:
    """Give the moderator's choice."""
    return {"next": name}


def test_the_moderator_picks_until_a_decision_is_made() -> None:
    """All hear all but the picks; the token ends it."""
    script = {
        "moderator": [pick("engineer"), pick("treasurer"), pick("engineer")],
        "engineer": ["E1", "It is the red one.\nDECIDED"],
        "treasurer": ["T1"],
    }
    played = play("group-chat", script, TOPIC)
    assert played.turns == ["engineer", "treasurer", "engineer"]
    assert played.order == ["moderator", "engineer", "moderator", "treasurer", "moderator", "engineer"]
    assert played.sent("engineer").endswith("Which kite?\n----\nE1\n----\nTreasurer: T1")
    assert played.ended == ("completed", "stop_token")


def test_it_picks_from_the_descriptions_and_nobody_twice_in_a_row() -> None:
    """Whoever spoke last is not offered; the moderator itself never is."""
    script = {"moderator": [pick("engineer"), pick("advocate")], "engineer": ["E1"], "advocate": ["A1"]}
    played = play("group-chat", script, {**TOPIC, "most_turns": 2})
    assert [ask.format["properties"]["next"]["enum"] for ask in played.asks if ask.format] == [
        ["advocate", "engineer", "treasurer"],
        ["advocate", "treasurer"],
    ]
    assert "- treasurer: Knows what it costs, now and later" in played.sent("moderator", 0)
    assert "Engineer: E1" in played.sent("moderator")
    assert "- engineer: " not in played.sent("moderator").partition("Engineer: E1")[2]


def test_it_ends_when_the_turns_are_used_up() -> None:
    """Without a decision the last contribution is the result."""
    script = {"moderator": [pick("engineer"), pick("advocate")], "engineer": ["E1"], "advocate": ["A1"]}
    played = play("group-chat", script, {**TOPIC, "most_turns": 2})
    assert played.ended == ("completed", "turns_done")
    assert played.result == "A1"


def test_a_pick_that_fails_goes_to_the_first_allowed() -> None:
    """A moderator that is silent does not silence the others."""
    script = {"moderator": failed(), "advocate": ["A1", "A2"], "engineer": ["E1"]}
    played = play("group-chat", script, {**TOPIC, "most_turns": 3})
    assert played.turns == ["advocate", "engineer", "advocate"]
