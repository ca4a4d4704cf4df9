"""Copies: a conversation that is begun in the middle is where the first one does, and continues by itself."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_gc.core import Conversation, TraceEvent
from llm_gc.language.steps.do import Do
from llm_gc.protocol import Flow, Scope, TurnSpec
from tests.core.test_properties import SETTINGS, documents, reply_to
from tests.core.test_state import after, fresh, seen_now
from tests.talks import answer_all, failed, pipeline, said


def looked_at(conversation: Conversation) -> tuple[Any, ...]:
    """Return all that can be seen of a conversation, but in which order its turns were settled."""
    log = sorted((turn.exchange.ask.id, turn) for turn in conversation.log)
    return (*seen_now(conversation), conversation.turns, log, conversation.outcome)


@settings(SETTINGS, max_examples=100)
@given(documents, st.integers(0, 1000), st.integers(0, 1000))
def test_a_copy_stands_where_its_original_does(document: dict[str, Any], salt: int, order: int) -> None:
    """At every point of every conversation, copies of copies too; and what becomes of one concerns no other."""
    original, copied, chance = fresh(document), fresh(document), Random(order)
    while original.outcome is None:
        ask, strayed = chance.choice(original.pending), copied.copy()
        strayed.answer(ask, failed())
        copied = copied.copy()
        assert looked_at(copied) == looked_at(original)
        original.answer(ask, reply_to(ask, salt))
        copied.answer(ask, reply_to(ask, salt))
    assert looked_at(copied) == looked_at(original)


@pytest.mark.parametrize(
    "turns",
    [
        [{"set": {"n": 1}}, {"repeat": ["anna", {"set": {"n": 0}}, "ben"], "times": "{{ 2 // n }}"}],
        [{"set": {"n": 1}}, {"repeat": ["anna", {"set": {"n": 0}}, "ben"], "for": "x", "in": "[2 // n, 3]"}],
        [{"set": {"n": 1}}, {"do": ["anna", {"set": {"n": 0}}, "ben", "anna"], "when": "1 // n"}],
        [{"set": {"n": 1}}, {"do": ["anna"], "when": "2 // n > 2", "else": ["ben", {"set": {"n": 0}}, "anna"]}],
    ],
)
def test_what_is_under_way_is_not_evaluated_anew(turns: list[Any]) -> None:
    """Its templates may well give something else by now, or fail."""
    original = after(turns, "x")
    copied = original.copy()
    assert answer_all(copied) == answer_all(original)
    assert copied.outcome == original.outcome
    assert copied.outcome is not None
    assert copied.outcome.reason == "turns_done"


@pytest.mark.parametrize(
    "early",
    [
        lambda scope: scope.evaluate("when", "turn > 0"),
        lambda scope: scope.render("do", "{{ turn }}"),
        lambda scope: scope.number("tries", "{{ turn }}"),
        lambda scope: scope.items("from", "[turn]"),
        lambda scope: scope.previous(),
        lambda scope: scope.set("n", 1),
        lambda scope: scope.post("post", "Again."),
        lambda scope: next(scope.together("do", [], None, None)),
        lambda scope: next(scope.speak(TurnSpec("ben"))),
    ],
)
def test_a_kind_that_would_do_something_twice_is_refused(early: Callable[[Scope], Any], monkeypatch: Any) -> None:
    """What a step does before its steps was done already; it may well do something after them."""

    def late(step: Do, scope: Scope) -> Flow:
        yield from scope.run("do", step.do)
        early(scope)

    def both(step: Do, scope: Scope) -> Flow:
        early(scope)
        yield from scope.run("do", step.do)

    monkeypatch.setattr(Do, "run", late)
    copied = after([{"do": ["anna", "ben"]}], "x").copy()
    copied.answer(copied.pending[0], said("y"))
    monkeypatch.setattr(Do, "run", both)
    original = after([{"do": ["anna", "ben"]}], "x")
    with pytest.raises(AssertionError, match=r"turns\.0 is under way"):
        original.copy()


@pytest.mark.parametrize(
    "step",
    [
        {"repeat": [{"set": {"n": 7}}], "for": "item", "in": [3]},
        {"set": {"item": 7}},
        {"parallel": ["anna"], "as": "item"},
    ],
)
def test_a_loop_under_way_names_nothing_anew(step: dict[str, Any]) -> None:
    """Whoever gives its name another value in its round goes by that one."""
    original = after([{"repeat": [step, "anna", "ben"], "for": "item", "in": [1, 2]}], "x")
    copied = original.copy()
    assert copied.variables == original.variables
    assert looked_at(copied) == looked_at(original)


@pytest.mark.parametrize(
    "turns",
    [
        [{"parallel": ["anna", "ben"]}],
        [{"scene": [{"parallel": ["anna", "ben"]}], "opening": "Go."}],
        [{"parallel": [{"do": [{"parallel": ["anna", "ben"]}, "ben"]}, "anna"]}],
    ],
)
def test_a_copy_stands_in_its_block(turns: list[Any]) -> None:
    """With one branch over and another that waits: at the top, in a scene, in another block."""
    original = after(turns, "x")
    copied = original.copy()
    assert looked_at(copied) == looked_at(original)
    assert answer_all(copied) == answer_all(original)


@pytest.mark.parametrize(
    ("turns", "replies"),
    [
        ([{"scene": ["anna", "ben"], "opening": "Go."}], ["x"]),
        ([{"scene": ["anna", "ben"], "opening": "Go."}, {"scene": ["ben", "anna", "ben"]}], ["x", "y", "z", "x"]),
        ([{"choose": ["anna", "ben"], "by": "ben"}], ['{"next": "ben"}']),
        ([{"say": "anna", "format": {"n": {"type": "integer"}}}], ["no"]),
        ([*["ben"] * 4, "anna", "ben"], [*"abcd", failed("overflow"), "x"]),
        ([*["ben"] * 4, "anna", "ben", "anna"], [*"abcd", failed("overflow"), "x", "e"]),
    ],
)
def test_a_copy_stands_in_its_step(turns: list[Any], replies: list[Any]) -> None:
    """What was said and spent since the step began counts once: in a scene, after a choice, a repair, a drop."""
    original = after(turns, *replies, limits={"on_overflow": "drop_oldest"})
    copied = original.copy().copy()
    assert looked_at(copied) == looked_at(original)
    assert answer_all(copied) == answer_all(original)
    assert looked_at(copied) == looked_at(original)


def test_a_copy_knows_in_which_order_each_is_sent_what() -> None:
    """Also whoever was in a block, and is sent but the newest."""
    roles = {"anna": {"sees": {"from": "all", "last": 1}}, "ben": {}}
    original = after([{"parallel": ["ben", "anna"]}, "anna"], "x", "y", roles=roles)
    assert looked_at(original.copy()) == looked_at(original)


def test_a_copy_asks_what_was_asked() -> None:
    """It is the very same ask, for which nothing is worked out once more."""
    original = after([{"parallel": ["anna", "ben"]}], roles={"anna": {}, "ben": {"prompt": "You are {{ role.name }}."}})
    assert all(one is other for one, other in zip(original.copy().pending, original.pending, strict=True))


def test_what_has_ended_is_not_copied() -> None:
    """Not what was interrupted in a block either."""
    interrupted = after([{"parallel": ["anna", "ben"]}], "x")
    interrupted.interrupt("Enough.")
    for ended in (interrupted, after(["anna"], "x")):
        with pytest.raises(ValueError, match="has ended"):
            ended.copy()


def test_a_copy_drops_what_was_dropped() -> None:
    """What does not fit the window there does not come back."""
    roles = {"anna": {"num_ctx": 600, "max_tokens": 100}, "ben": {}}
    keys: dict[str, Any] = {"roles": roles, "limits": {"on_overflow": "drop_oldest"}}
    original = after([*["ben"] * 4, "anna", "ben", "anna"], *["word " * 100] * 4, **keys)
    assert original.pending[0].request.dropped
    copied = original.copy()
    assert looked_at(copied) == looked_at(original)
    assert answer_all(copied) == answer_all(original)
    assert looked_at(copied) == looked_at(original)


def test_a_copy_begins_at_the_newest_step() -> None:
    """However much was said before, nobody speaks in it once more but those who are asked now."""
    told: list[TraceEvent] = []
    turns = [{"repeat": ["anna", {"do": ["ben"]}], "times": 20}, {"parallel": ["anna"], "times": 9}]
    conversation = Conversation(pipeline(turns), {}, visit=told.append)
    while conversation.outcome is None:
        before = len(told)
        conversation.copy()
        assert [visit.kind for visit in told[before:]].count("spoke") == len(conversation.pending)
        conversation.answer(conversation.pending[0], said("x"))
