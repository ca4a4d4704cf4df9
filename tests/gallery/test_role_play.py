"""role-play: a specifier sharpens the task once; a user and an assistant alternate to a done token."""

from __future__ import annotations

from tests.gallery.plays import play
from tests.talks import failed

ASKED = {"task": "Develop a trading bot."}


def test_it_ends_when_the_user_says_that_it_is_done() -> None:
    """The specifier speaks once, then the two in turn; the assistant's last solution is the result."""
    script = {"specifier": "A small bot.", "user": ["Begin.", "Go on.", "TASK_DONE"], "assistant": ["S1", "S2"]}
    played = play("role-play", script, ASKED)
    assert played.order == ["specifier", "user", "assistant", "user", "assistant", "user"]
    assert (played.ended, played.result) == (("completed", "stop_token"), "S2")


def test_it_ends_after_the_rounds() -> None:
    """Without the token."""
    played = play("role-play", {"specifier": "B", "user": "On.", "assistant": ["S1", "S2"]}, {**ASKED, "rounds": 2})
    assert played.order == ["specifier", "user", "assistant", "user", "assistant"]
    assert (played.ended, played.result) == (("completed", "turns_done"), "S2")


def test_both_hear_the_sharpened_task_and_each_other() -> None:
    """Their requests only grow at the end, so that a server can reuse what it has read."""
    script = {"specifier": "A small bot.", "user": ["Begin.", "TASK_DONE"], "assistant": ["S1"]}
    played = play("role-play", script, ASKED)
    both = "----\nTask: Develop a trading bot.\n\nTask, sharpened: A small bot."
    assert played.sent("user", 0).endswith(both)
    assert played.sent("assistant").endswith(f"{both}\n\nUser: Begin.")
    assert played.sent("user").endswith(f"{both}\n----\nBegin.\n----\nAssistant: S1")


def test_the_prompts_say_who_they_are() -> None:
    """And who the other one is."""
    inputs = {**ASKED, "user_is": "Trader", "assistant_is": "Analyst"}
    played = play("role-play", {"specifier": "B", "user": ["On.", "TASK_DONE"], "assistant": "S"}, inputs)
    assert played.sent("user").startswith("You are the User, and you lead. Your profession: Trader.")
    assert played.sent("assistant").startswith("You are the Assistant, and you do the work. Your profession: Analyst.")
    assert "The Assistant's profession: Analyst." in played.sent("user")
    assert "The User's profession: Trader." in played.sent("assistant")


def test_the_token_counts_only_as_a_line_of_the_users() -> None:
    """Neither in a sentence nor from the assistant."""
    script = {"specifier": "TASK_DONE", "user": ["It is not TASK_DONE yet.", "**TASK_DONE**"], "assistant": "TASK_DONE"}
    played = play("role-play", script, ASKED)
    assert played.order == ["specifier", "user", "assistant", "user"]
    assert played.ended == ("completed", "stop_token")


def test_a_specifier_that_fails_leaves_the_task_as_it_is() -> None:
    """And a turn that fails in the middle is passed over."""
    script = {"specifier": failed(), "user": ["Begin.", failed(), "TASK_DONE"], "assistant": ["S1", failed()]}
    played = play("role-play", script, ASKED)
    assert played.sent("user", 0).endswith("----\nTask: Develop a trading bot.")
    assert (played.ended, played.result) == (("completed", "stop_token"), "S1")


def test_it_may_be_done_before_anything_is_solved() -> None:
    """Then the result is empty."""
    played = play("role-play", {"specifier": "B", "user": "TASK_DONE"}, ASKED)
    assert (played.ended, played.result) == (("completed", "stop_token"), "")
