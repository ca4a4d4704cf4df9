"""nested-team: a team talks in private, and one message of it is heard outside."""

from __future__ import annotations

from tests.gallery.plays import play
from tests.talks import failed

TASK = {"task": "A poem."}


def test_outside_one_message_is_heard() -> None:
    """The client hears the team's last version under the team's label: no draft, no critic."""
    script = {"writer": ["W1", "W2"], "critic": ["Shorter.", "GOOD ENOUGH"], "client": ["Thanks.\nACCEPTED"]}
    played = play("nested-team", script, TASK)
    assert played.order == ["writer", "critic", "writer", "critic", "client"]
    assert played.sent("client").endswith("What the client wants: A poem.\n\nTeam: W2")
    assert not any(word in played.sent("client") for word in ("W1", "Shorter.", "GOOD"))
    assert played.ended == ("completed", "stop_token")
    assert played.result == "W2"


def test_inside_they_start_fresh_with_what_was_delivered_and_said() -> None:
    """In the second round the team knows its own delivery and the client's words, and not its earlier talk."""
    script = {
        "writer": ["W1", "W2", "W3"],
        "critic": ["Shorter.", "GOOD ENOUGH", "GOOD ENOUGH"],
        "client": ["Make it rhyme.", "ACCEPTED"],
    }
    played = play("nested-team", script, TASK)
    assert played.order == ["writer", "critic", "writer", "critic", "client", "writer", "critic", "client"]
    assert played.sent("writer").endswith(
        "What the client wants: A poem.\n\nWhat the team delivered before:\nW2\n\n"
        "What the client said to it:\nMake it rhyme."
    )
    assert "Shorter." not in played.sent("critic")
    assert played.sent("client").endswith("Team: W2\n----\nMake it rhyme.\n----\nTeam: W3")
    assert played.result == "W3"


def test_the_team_delivers_after_its_revisions() -> None:
    """A critic that is never content holds nothing up."""
    script = {"writer": ["W1", "W2", "W3"], "critic": "Shorter.", "client": ["ACCEPTED"]}
    played = play("nested-team", script, TASK)
    assert played.order == ["writer", "critic", "writer", "critic", "writer", "client"]
    assert played.result == "W3"


def test_it_ends_after_its_rounds() -> None:
    """The last delivery is the result, accepted or not."""
    script = {"writer": ["W1", "W2"], "client": "Make it rhyme."}
    played = play("nested-team", script, {**TASK, "rounds": 2, "revisions": 0})
    assert played.order == ["writer", "client"] * 2
    assert played.ended == ("completed", "turns_done")
    assert played.result == "W2"


def test_what_fails_inside_is_not_heard_outside() -> None:
    """A revision that fails leaves the draft; a team that has nothing delivers nothing, and the client waits."""
    script = {
        "writer": ["W1", failed(), failed(), failed(), "W2"],
        "critic": ["Shorter.", "GOOD ENOUGH"],
        "client": ["No.", "ACCEPTED"],
    }
    played = play("nested-team", script, {**TASK, "rounds": 3, "revisions": 1})
    assert played.order == ["writer", "critic", "writer", "client", "writer", "writer", "writer", "critic", "client"]
    assert played.sent("client").endswith("Team: W1\n----\nNo.\n----\nTeam: W2")
