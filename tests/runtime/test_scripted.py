"""The scripted driver: who gets which reply, what a reply in a test file becomes, and where the script breaks off."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_gc.protocol import Failure, Reply, Tokens
from llm_gc.testing.scripted import MAX_ASKS, Played, Script, play
from llm_gc.transcript.cases import Case
from tests.talks import talk


def played(turns: list[Any], replies: dict[str, Any], **keys: Any) -> Played:
    """Play a conversation by replies as a test file has them."""
    case = Case.model_validate({"name": "c", "replies": replies})
    return play(talk(turns, **keys), Script(case.replies))


def said(one: Played) -> list[str]:
    """Return what was said."""
    return [message.content for message in one.conversation.messages]


def reply(line: Any, turns: list[Any] | None = None, **keys: Any) -> Reply:
    """Return what one reply became."""
    return played(turns or ["anna"], {"anna": [line]}, **keys).conversation.turns[0].exchange.reply


def test_each_role_has_its_replies_in_order() -> None:
    """However the roles take turns."""
    one = played([{"repeat": ["anna", "ben"], "times": 2}], {"ben": ["B1", "B2"], "anna": ["A1", "A2"]})
    assert said(one) == ["A1", "B1", "A2", "B2"]
    assert (one.missing, one.left, one.endless) == (None, (), False)
    assert [ask.speaker.role for ask in one.asks] == ["anna", "ben", "anna", "ben"]


def test_a_reply_in_no_list_is_given_each_time() -> None:
    """But one that nobody asks for is left."""
    one = played([{"repeat": ["anna"], "times": 3}], {"anna": "A", "ben": "B"})
    assert said(one) == ["A", "A", "A"]
    assert one.left == (("ben",),)


def test_what_nobody_asked_for_is_left() -> None:
    """Each reply by its place."""
    assert played(["anna"], {"anna": ["A", "B", "C"]}).left == (("anna", 1), ("anna", 2))


def test_a_missing_reply_breaks_it_off() -> None:
    """At the ask that it was for; the conversation has not ended."""
    one = played(["anna", "ben"], {"anna": ["A"]})
    assert one.missing is not None
    assert one.missing.speaker.role == "ben"
    assert one.conversation.outcome is None
    again = played([{"repeat": ["anna"], "times": 2}], {"anna": ["A"]})
    assert again.missing is not None
    assert again.missing.id == "turns.0.repeat:2.0"


def test_copies_take_from_the_roles_list_in_declared_order() -> None:
    """And each from a list of its own where it has one."""
    block = [{"parallel": [{"do": ["anna", "anna"]}], "times": 3}]
    assert said(played(block, {"anna": ["1", "2", "3", "4", "5", "6"]})) == ["1", "2", "3", "4", "5", "6"]
    own = played(block, {"anna": ["1", "2", "3", "4"], "anna#2": ["x", "y"]})
    assert said(own) == ["1", "2", "x", "y", "3", "4"]
    assert said(played(block, {"anna#1": "a", "anna#2": "b", "anna#3": "c"})) == ["a", "a", "b", "b", "c", "c"]


def test_a_copy_is_who_it_is_after_the_block() -> None:
    """Of a list, of items, by whether it speaks at all, and in a later block."""
    listed = played([{"parallel": ["anna", "ben", "anna"]}], {"anna#1": "A1", "anna#2": "A2", "ben": "B"})
    assert (said(listed), listed.left) == (["A1", "B", "A2"], ())
    step = {"say": "anna", "when": "n > 1"}
    block = {"parallel": ["ben", step], "for": "n", "in": [1, 2, 3]}
    twice = played([block, block], {"anna#1": ["A", "B"], "anna#2": ["C", "D"], "ben": "b"})
    assert (said(twice), twice.left) == (["b", "b", "A", "b", "C", "b", "b", "B", "b", "D"], ())


def test_to_choose_a_name_is_enough() -> None:
    """A text that is to be sent as it is is given as one."""
    turns = [{"choose": ["anna", "ben"], "by": "carl"}]
    roles = ["anna", "ben", "carl"]
    one = played(turns, {"carl": ["ben"], "ben": ["B"]}, roles=roles)
    assert [turn.exchange.reply.content for turn in one.conversation.turns] == ['{"next": "ben"}', "B"]
    raw = played(turns, {"carl": [{"text": "ben"}, {"data": {"next": "ben"}}], "ben": ["B"]}, roles=roles)
    assert [ask.attempt for ask in raw.asks] == [1, 2, 1]
    assert said(raw) == ["B"]


@pytest.mark.parametrize(
    ("line", "content", "done"),
    [
        ("Yes.", "Yes.", "stop"),
        ({"text": "Yes."}, "Yes.", "stop"),
        ({"text": "Ye", "cut": True}, "Ye", "length"),
        ({"text": "Yes.", "done_reason": "unload"}, "Yes.", "unload"),
        ({"thinking": "hm", "cut": True}, "", "length"),
    ],
)
def test_a_reply_is_what_it_says(line: Any, content: str, done: str) -> None:
    """Its text, and why it ends."""
    given = reply(line)
    assert (given.content, given.done_reason, given.failure) == (content, done, None)
    assert given.thinking == ("hm" if isinstance(line, dict) and "thinking" in line else "")


def test_data_is_a_structured_reply() -> None:
    """Null too."""
    given = reply({"data": {"a": "é"}}, [{"say": "anna", "format": {"a": {"type": "string"}}}])
    assert given.content == '{"a": "é"}'
    assert json.loads(reply({"data": None}, [{"say": "anna", "format": {"type": "null"}}]).content) is None


def test_figures_count_for_the_limits() -> None:
    """Tokens and time; what is not said costs nothing."""
    given = reply({"text": "A", "tokens": {"prompt": 20, "completion": 5}, "seconds": "2m"})
    assert (given.tokens, given.seconds, given.latency.total) == (Tokens(20, 5), 120.0, 120.0)
    assert reply({"text": "A", "tokens": 7, "seconds": 1.5}).tokens == Tokens(None, 7)
    assert reply("A").tokens == Tokens(None, None)
    late = played([{"repeat": ["anna"]}], {"anna": {"text": "A", "seconds": 2}}, limits={"max_time": "3s"})
    assert late.conversation.outcome is not None
    assert late.conversation.outcome.reason == "max_time"
    assert len(late.asks) == 2


def test_an_error_is_a_failure_of_its_kind() -> None:
    """With the message that is given, or one that says where it is from; what had arrived is kept."""
    given = reply({"error": "timeout", "message": "Too slow.", "text": "Ye"})
    assert (given.failure, given.content, given.done_reason) == (Failure("timeout", "Too slow."), "Ye", None)
    assert reply({"error": "server"}).failure == Failure("server", "The script says: server.")


def test_a_request_that_cannot_be_made_is_kept_as_what_it_is() -> None:
    """No reply is taken for it."""
    one = played([{"say": "anna", "instruction": "{{ nothing }}"}], {"anna": ["A"]})
    assert one.error is not None
    assert one.asks == []
    assert one.left == (("anna", 0),)
    assert one.conversation.outcome is not None
    assert one.conversation.outcome.failure == "template"


def test_what_has_no_end_is_given_up() -> None:
    """After so many asks."""
    one = played([{"repeat": ["anna"]}], {"anna": "A"}, limits={"max_turns": MAX_ASKS + 1})
    assert one.endless
    assert len(one.asks) == MAX_ASKS
