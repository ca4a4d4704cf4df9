"""The state: a value that holds all that what comes next depends on, and nothing that it does not."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_gc.core import Conversation
from llm_gc.protocol import Reply, Tokens
from tests.core.test_properties import ROLES, SETTINGS, documents, steps
from tests.talks import failed, said, talk

Replies = list[tuple[str, Reply]]


def after(turns: list[Any], *replies: str | Reply, **keys: Any) -> Conversation:
    """Return a conversation whose first pending ask was answered so often."""
    conversation = talk(turns, **keys)
    for reply in replies:
        ask = conversation.pending[0]
        conversation.answer(ask, reply if isinstance(reply, Reply) else said(reply))
    return conversation


def play(conversation: Conversation, replies: Replies) -> list[tuple[Any, Any]]:
    """Answer by id; return the states with what was pending, as far as the replies reach."""
    seen = [seen_now(conversation)]
    for id_, reply in replies:
        conversation.answer(next(ask for ask in conversation.pending if ask.id == id_), reply)
        seen.append(seen_now(conversation))
    return seen


def seen_now(conversation: Conversation) -> tuple[Any, Any]:
    """Return the state, and all that whoever answers can see of the asks."""
    asks = [
        (ask, ask.request.messages, ask.casting.model, ask.turn, ask.stops, ask.deadline)
        for ask in conversation.pending
    ]
    return conversation.state, asks


def recorded(document: dict[str, Any], salt: int) -> tuple[Replies, list[tuple[Any, Any]]]:
    """Run a document to its end, by few different replies that all cost the same."""
    conversation, replies = fresh(document), Replies()
    seen = [seen_now(conversation)]
    while conversation.outcome is None:
        ask = conversation.pending[0]
        reply = Random(f"{salt} {ask.id}").choice([said("yes"), said("no"), failed(tokens=said("").tokens)])
        replies.append((ask.id, reply))
        conversation.answer(ask, reply)
        seen.append(seen_now(conversation))
        assert len(replies) < 400
    return replies, seen


def fresh(document: dict[str, Any]) -> Conversation:
    """Begin a conversation over a document."""
    return talk(**{"roles": {name: {} for name in ROLES}, **document})


closed = st.builds(
    lambda inner, opening: {"scene": inner, "opening": opening, "result": "Over.", "limits": {"max_turns": 4}},
    st.lists(steps, min_size=1, max_size=3),
    st.sampled_from(["Go.", "You heard: {{ last }}"]),
)
"""Scenes of which nothing is known later but that they were: what was said in them may differ."""

forgetful = st.builds(
    lambda scenes, more, until: {
        "turns": [{"set": {"n": 0}}, {"repeat": scenes, **until}, {"parallel": scenes}, *more],
        "limits": {"max_turns": 16},
    },
    st.lists(closed, min_size=1, max_size=2),
    st.lists(steps, min_size=1, max_size=2),
    st.sampled_from([{}, {"times": 2}, {"until": "turn > 3"}]),
)


@settings(SETTINGS, max_examples=60)
@given(forgetful, st.integers(0, 1000))
def test_the_same_state_has_the_same_future(document: dict[str, Any], salt: int) -> None:
    """Where two runs have come to the same state by other replies, each can continue as the other did."""
    runs = [recorded(document, salt + number) for number in range(5)]
    places = {state: (replies, number) for replies, seen in runs for number, (state, _) in enumerate(seen)}
    for replies, seen in runs:
        for number, (state, _) in enumerate(seen):
            others, there = places[state]
            if others[:there] != replies[:number]:
                again = fresh(document)
                play(again, others[:there])
                assert play(again, replies[number:]) == seen[number:]
                break  # what follows has just been looked at


@SETTINGS
@given(documents, st.integers(0, 1000))
def test_a_state_can_be_hashed_and_compared(document: dict[str, Any], salt: int) -> None:
    """At every point of every conversation; no two points of one conversation are alike."""
    _, seen = recorded(document, salt)
    _, again = recorded(document, salt)
    assert [state for state, _ in seen] == [state for state, _ in again]
    assert len({state for state, _ in seen}) == len(seen)


SMALL = {"scene": [{"choose": ["anna", "ben"], "by": "anna"}], "limits": {"max_total_tokens": 30}, "result": "Over."}
LOOP = [{"repeat": [{**SMALL, "opening": "Go."}] * 2}]
ANNA = '{"next": "anna"}'
PICKED = (ANNA, "x")
"""A choice, and the turn that comes of it."""
COSTLY = Reply(ANNA, tokens=Tokens(20, 10), seconds=2.0)
"""A choice that ends its scene before anybody has spoken."""

SCENE = {"scene": ["anna", "anna"], "opening": "Go.", "stop": ["DONE"], "result": "Over."}
BRANCH = [{"parallel": [{"do": [SCENE, SCENE, "ben"]}, "anna"]}, "ben"]

WINDOW = {"anna": {"num_ctx": 1000}}
DROP = {"on_overflow": "drop_oldest"}
JSON = {"format": {"n": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(
            after([{"say": "anna", **JSON}, "ben"], "no"),
            after([{"say": "anna", **JSON}, "ben"], "nope"),
            id="the words in which a reply was refused",
        ),
        pytest.param(
            after([{"say": "anna", "instruction": "Say {{ n }}."}, "anna"], "x", inputs={"n": 1}),
            after([{"say": "anna", "instruction": "Say {{ n }}."}, "anna"], "x", inputs={"n": 2}),
            id="what a speaker was told",
        ),
        pytest.param(
            after([{"scene": ["anna", "ben"], "opening": "{{ n }}"}], "x", inputs={"n": 1}),
            after([{"scene": ["anna", "ben"], "opening": "{{ n }}"}], "x", inputs={"n": 2}),
            id="the opening of a scene",
        ),
        pytest.param(
            after(
                [{"scene": ["anna", "ben"], "opening": "Go.", "limits": {"timeout": "{{ n }}s"}}], "x", inputs={"n": 1}
            ),
            after(
                [{"scene": ["anna", "ben"], "opening": "Go.", "limits": {"timeout": "{{ n }}s"}}], "x", inputs={"n": 2}
            ),
            id="the limits of a scene",
        ),
        pytest.param(
            after(["anna", "ben"], failed(message="One.")),
            after(["anna", "ben"], failed(message="Another.")),
            id="what went wrong, while nobody has succeeded",
        ),
        pytest.param(
            after(LOOP, *PICKED, *PICKED, COSTLY),
            after(LOOP, *PICKED, COSTLY, *PICKED),
            id="whether anybody spoke in this round",
        ),
        pytest.param(
            after(BRANCH, "x", "x", "DONE"),
            after(BRANCH, "DONE", "x", "x"),
            id="which turn of a branch a scene has ended with",
        ),
        pytest.param(
            after([*["ben"] * 4, "anna", "anna"], *"abcd", failed("overflow"), "x", limits=DROP),
            after([*["ben"] * 4, "anna", "anna"], *"abcd", replace(said("x"), seconds=2.0), limits=DROP),
            id="what a speaker is no longer sent",
        ),
        pytest.param(
            after([{"parallel": ["anna", {"do": ["ben", "anna"]}]}, "ben"], "x", "x", "x"),
            after([{"do": ["anna", "ben", "anna"]}, "ben"], "x", "x", "x"),
            id="in which order a speaker is sent what was said",
        ),
        pytest.param(
            after(["anna", "anna"], Reply("x", tokens=Tokens(10, 5)), roles=WINDOW),
            after(["anna", "anna"], Reply("x", tokens=Tokens(12, 3)), roles=WINDOW),
            id="what a server has counted",
        ),
        pytest.param(
            after(["anna", "ben", "anna"], "x", "y", "z"),
            after(["anna", "ben", "anna"], "x", "y", "DONE", stop=["DONE"]),
            id="how it ended",
        ),
    ],
)
def test_what_differs_differs(one: Conversation, other: Conversation) -> None:
    """Whatever decides what comes next tells two states apart."""
    assert one.state != other.state
    assert one.state == one.state
    assert len({one.state, other.state}) == 2
