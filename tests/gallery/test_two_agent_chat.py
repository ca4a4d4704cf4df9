"""two-agent-chat: two in turn who hear everything, to a stop token or the last turn."""

from __future__ import annotations

from tests.gallery.plays import play

TOPIC = {"topic": "kites"}


def test_they_alternate_and_hear_everything_until_one_says_goodbye() -> None:
    """Either of them can end it; each is sent all that was said, and never told what only the other is."""
    played = play("two-agent-chat", {"dreamer": ["D1", "D2"], "sceptic": ["S1", "S2\n\nGOODBYE"]}, TOPIC)
    assert played.order == ["dreamer", "sceptic", "dreamer", "sceptic"]
    assert played.ended == ("completed", "stop_token")
    assert "Topic: kites\n\nDreamer: D1\n----\nS1\n----\nDreamer: D2" in played.sent("sceptic")
    assert "what it would cost" not in played.sent("dreamer")


def test_the_dreamer_can_end_it_too() -> None:
    """The token stops it whoever says it, on a line of its own alone."""
    played = play("two-agent-chat", {"dreamer": ["I say GOODBYE to doubt.", "GOODBYE"], "sceptic": ["S1"]}, TOPIC)
    assert played.order == ["dreamer", "sceptic", "dreamer"]
    assert played.ended == ("completed", "stop_token")


def test_it_stops_when_the_turns_are_used_up() -> None:
    """At max turns, whoever is next."""
    played = play("two-agent-chat", {"dreamer": ["D1", "D2"], "sceptic": ["S1"]}, {**TOPIC, "most_turns": 3})
    assert played.order == ["dreamer", "sceptic", "dreamer"]
    assert played.ended == ("stopped", "max_turns")
    assert played.result == "D2"
