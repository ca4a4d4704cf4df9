"""What a speaker is sent: visibility, labels, instructions, and lists that only grow at their end."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from llm_gc.errors import TemplateError
from tests.growing import extends, messages
from tests.talks import answer_all, failed, said, talk


def last_request(turns: list[Any], *replies: Any, **keys: Any) -> list[tuple[str, str]]:
    """Return what the last speaker of a conversation was sent."""
    return messages(answer_all(talk(turns, **keys), *replies)[-1])


def test_own_words_are_assistant_and_the_others_are_labelled() -> None:
    """The system prompt, the opening, own messages as assistant, the others' as user with their label."""
    roles = {"anna": {"prompt": "You are {{ role.label }}.", "label": "Anna"}, "ben": {"label": "Dr. Ben"}}
    assert last_request(["anna", "ben", "anna"], "Hello.", "Hm.", roles=roles) == [
        ("system", "You are Anna."),
        ("user", "Begin."),
        ("assistant", "Hello."),
        ("user", "Dr. Ben: Hm."),
    ]


def test_space_around_a_prompt_and_an_opening_is_not_sent() -> None:
    """What a template's last lines leave behind is nothing to read; space alone is no opening at all."""
    roles = {"anna": {"prompt": "\nYou are Anna.\n\n"}, "ben": {"prompt": " \n"}}
    assert last_request(["anna"], roles=roles, opening="Begin.\n") == [("system", "You are Anna."), ("user", "Begin.")]
    assert last_request(["anna", "ben"], "A", roles=roles, opening="Begin.\n") == [("user", "Begin.\n\nanna: A")]
    with pytest.raises(TemplateError, match="nothing to answer"):
        _ = talk(["ben"], roles=roles, opening=" \n").pending[0].request


def test_neighbours_of_one_kind_are_merged() -> None:
    """Kinds always alternate: what two others said is one user message, a blank line between."""
    sent = last_request(["anna", "ben", "cleo"], "A", "B", roles=["anna", "ben", "cleo"])
    assert sent == [("user", "Begin.\n\nanna: A\n\nben: B")]


def test_an_instruction_is_for_one_pair_of_eyes_and_stays() -> None:
    """It comes last, stays in the role's own later requests, and is never shown to others."""
    turns = [{"say": "anna", "instruction": "Be brief."}, "ben", {"say": "anna", "instruction": "Again."}]
    asks = answer_all(talk(turns), "A1", "B1")
    assert messages(asks[1]) == [("user", "Begin.\n\nanna: A1")]
    assert messages(asks[2]) == [
        ("user", "Begin.\n\nBe brief."),
        ("assistant", "A1"),
        ("user", "ben: B1\n\nAgain."),
    ]


def test_an_instruction_stays_after_a_failed_turn() -> None:
    """The turn failed, but what was asked for it was asked."""
    turns = [{"say": "anna", "instruction": "One."}, {"say": "anna", "instruction": "Two."}]
    assert last_request(turns, failed()) == [("user", "Begin.\n\nOne.\n\nTwo.")]


def test_an_instruction_is_rendered_as_things_stood_at_its_turn() -> None:
    """Also when its request is first read later."""
    turns = ["ben", {"say": "anna", "instruction": "Answer {{ last.content }}."}, "ben", "anna"]
    conversation = talk(turns)
    asks = []
    for word in ("B1", "A1", "B2", "A2"):  # nothing is rendered on the way
        ask = conversation.pending[0]
        conversation.answer(ask, said(word))
        asks.append(ask)
    assert ("user", "Begin.\n\nben: B1\n\nAnswer B1.") in messages(asks[3])
    assert messages(asks[1]) == [("user", "Begin.\n\nben: B1\n\nAnswer B1.")]


def test_go_on_where_the_last_message_is_ones_own() -> None:
    """A role that speaks twice running is told to continue, and the words stay, so that the list only grows."""
    asks = answer_all(talk(["anna", "anna", "anna"]), "A1", "A2", "A3")
    assert messages(asks[2]) == [
        ("user", "Begin."),
        ("assistant", "A1"),
        ("user", "Go on."),
        ("assistant", "A2"),
        ("user", "Go on."),
    ]


def test_a_failed_turn_is_sent_to_nobody() -> None:
    """Neither to the others nor to the role itself."""
    assert last_request(["anna", "anna", "ben"], failed(content="half"), "whole") == [("user", "Begin.\n\nanna: whole")]


def test_a_leading_own_label_is_dropped_for_the_others_alone() -> None:
    """Models like to write their name; the others would read it twice, the role itself keeps what it wrote."""
    roles = {"anna": {"label": "Anna"}, "ben": {}}
    asks = answer_all(talk(["anna", "ben", "anna"], roles=roles), "**Anna:** Hello. Anna: twice")
    assert messages(asks[1]) == [("user", "Begin.\n\nAnna: Hello. Anna: twice")]
    assert ("assistant", "**Anna:** Hello. Anna: twice") in messages(asks[2])


def test_speaking_as_another_is_warned_of() -> None:
    """A line that opens with another's label is kept, and noted in the turn."""
    conversation = talk(["anna", "ben"])
    answer_all(conversation, "Hello.\nben: I agree with myself.")
    assert conversation.turns[0].warnings == ("a line of the reply speaks as ben",)
    assert conversation.turns[1].warnings == ()


def test_nothing_to_answer_is_an_error() -> None:
    """No opening, nothing heard and no instruction: the request cannot be rendered, and says so."""
    conversation = talk(["anna"], opening=None)
    with pytest.raises(TemplateError, match="nothing to answer"):
        _ = conversation.pending[0].request


@pytest.mark.parametrize(
    ("sees", "heard"),
    [
        ("all", ["A1", "B1", "C1", "A2", "B2"]),
        ("none", []),
        ("own", ["C1"]),
        ("others", ["A1", "B1", "A2", "B2"]),
        (["anna"], ["A1", "A2"]),
        (["anna", "cleo"], ["A1", "C1", "A2"]),
        ({"from": "all", "last": 1}, ["C1", "A2", "B2"]),
        ({"from": ["anna"], "last": 1}, ["A2"]),
    ],
)
def test_sees(sees: Any, heard: list[str]) -> None:
    """Each form of sees shows what it says and nothing else; the opening is before it."""
    roles = {"anna": {}, "ben": {}, "cleo": {"sees": sees}}
    turns = ["anna", "ben", "cleo", "anna", "ben", {"say": "cleo", "instruction": "Now you."}]
    sent = last_request(turns, "A1", "B1", "C1", "A2", "B2", roles=roles)
    text = "\n".join(content for _, content in sent)
    assert [word for word in ["A1", "B1", "C1", "A2", "B2"] if word in text] == heard
    assert text.startswith("Begin.")
    assert sent[-1][0] == "user"


def test_sees_without_the_opening() -> None:
    """opening: false leaves it out."""
    roles = {"anna": {"sees": {"from": "all", "opening": False}}, "ben": {}}
    assert last_request(["ben", "anna"], "B1", roles=roles) == [("user", "ben: B1")]


def test_a_steps_sees_replaces_its_roles() -> None:
    """For that turn alone."""
    turns = ["ben", {"say": "anna", "sees": "none"}, "anna"]
    asks = answer_all(talk(turns), "B1", "A1")
    assert messages(asks[1]) == [("user", "Begin.")]
    assert messages(asks[2])[0] == ("user", "Begin.\n\nben: B1")


def test_what_a_model_wrote_is_never_rendered() -> None:
    """Braces in a reply are text."""
    assert last_request(["anna", "ben"], "{{ 7 * 7 }} {% for %}") == [("user", "Begin.\n\nanna: {{ 7 * 7 }} {% for %}")]


def test_requests_only_grow_at_their_end() -> None:
    """While sees is all, each request of a role begins with its last one: instructions, failures and all."""
    step = {"say": "anna", "instruction": "Round {{ round }}."}
    turns = [{"repeat": [step, "ben", "ben", "cleo"], "times": 4}]
    replies = [failed() if n % 5 == 3 else f"reply {n}" for n in range(16)]
    asks = answer_all(talk(turns, roles=["anna", "ben", "cleo"]), *replies)
    for role in ("anna", "ben", "cleo"):
        own = [messages(ask) for ask in asks if ask.speaker.role == role]
        assert len(own) >= 4
        assert all(extends(later, earlier) for earlier, later in pairwise(own))


def test_kinds_alternate_and_the_last_is_user() -> None:
    """Whatever is said and fails, no two neighbours are of one kind, and a model always has something to answer."""
    turns = [{"repeat": ["anna", "anna", {"say": "ben", "instruction": "Yes?"}], "times": 3}]
    for ask in answer_all(talk(turns), "1", failed(), "2", failed(), failed(), "3"):
        kinds = [kind for kind, _ in messages(ask)]
        assert all(one != two for one, two in pairwise(kinds))
        assert kinds[-1] == "user"


def test_an_overflow_drops_the_older_half_at_once() -> None:
    """With drop_oldest the same speaker is asked again with half the history; the opening and its prompt stay."""
    roles = {"anna": {"prompt": "You are Anna."}, "ben": {}}
    turns = ["ben", "ben", "ben", "ben", "anna", "anna"]
    conversation = talk(turns, roles=roles, limits={"on_overflow": "drop_oldest"})
    asks = answer_all(conversation, "B1", "B2", "B3", "B4", failed("overflow"), "A1", "A2")
    assert asks[5].id == "turns.4#2"
    assert messages(asks[5]) == [("system", "You are Anna."), ("user", "Begin.\n\nben: B3\n\nben: B4")]
    assert messages(asks[6])[:2] == messages(asks[5])
    assert len(conversation.turns) == 6
    assert len(conversation.turns[4].attempts) == 1


def test_an_overflow_stops_where_it_is_said_to() -> None:
    """on_overflow: stop is the default."""
    conversation = talk(["anna", "ben"])
    answer_all(conversation, "A1", failed("overflow", "633 tokens do not fit into 512."))
    assert conversation.outcome is not None
    assert (conversation.outcome.status, conversation.outcome.reason) == ("stopped", "overflow")
    assert "633" in conversation.outcome.detail
