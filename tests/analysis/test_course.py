"""The longest course: held against conversations in which every reply is as long as it may be, and case by case."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_gc.analysis import run_rules
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.analysis.worst_case import Overflow, WorstCase
from llm_gc.core import Conversation, Files
from llm_gc.errors import TemplateError
from llm_gc.language.pipeline import Pipeline
from llm_gc.protocol import Ask, Reply
from llm_gc.values.units import CHARACTERS_PER_TOKEN
from tests.talks import failed, pipeline, said

MANY = settings(max_examples=150, derandomize=True, deadline=None, database=None)

SEES = st.sampled_from(["all", "own", "others", "none", ["anna"], ["ben", "narrator"], {"from": "all", "last": 1}])
TURN: dict[str, Any] = {
    "instruction": st.sampled_from(["Go.", "Go on, and say more.", "{{ last }}", "{{ said.ben.content }} {{ x }}"]),
    "as": st.just("x"),
    "max_tokens": st.integers(1, 30),
    "sees": SEES,
    "result": st.just(""),
    "when": st.sampled_from(["turn > 2", "k", "last"]),
}


def steps(inner: Any) -> Any:
    """Return lists of the steps around others."""
    some = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        st.fixed_dictionaries({"do": some, "when": st.just("k")}, optional={"else": some}),
        st.fixed_dictionaries({"repeat": some, "times": st.sampled_from([0, 1, 3, "{{ k }}"])}),
        st.fixed_dictionaries({"repeat": some, "until": st.just("last.turn == 3"), "times": st.sampled_from([2, 4])}),
        st.fixed_dictionaries({"repeat": some, "for": st.just("item"), "in": st.just([1, 2])}),
        st.fixed_dictionaries({"parallel": some}, optional={"times": st.sampled_from([1, 3]), "as": st.just("x")}),
        st.fixed_dictionaries(
            {"scene": some, "opening": st.sampled_from(["Alone.", "{{ x }} {{ said.anna }}"])},
            optional={"limits": st.just({"max_turns": 3}), "result": st.just("{{ x }} {{ last }}"), "as": st.just("x")},
        ),
    )


STEP = st.recursive(
    st.one_of(
        st.fixed_dictionaries({"say": st.sampled_from(["anna", "ben"])}, optional=TURN),
        st.fixed_dictionaries({"say": st.sampled_from(["anna", "ben"])}),
        st.fixed_dictionaries({"post": st.sampled_from(["News for everybody.", "So: {{ x }}"])}),
        st.fixed_dictionaries({"set": st.sampled_from([{"x": "''"}, {"x": "last"}, {"x": "[x, last]"}])}),
        st.fixed_dictionaries(
            {"choose": st.just(["anna", "ben"]), "by": st.sampled_from(["random", "carl"])}, optional=TURN
        ),
    ),
    steps,
    max_leaves=7,
)


def made(turns: list[Any], window: int, most: int, **keys: Any) -> Pipeline:
    """Return a pipeline of these turns with context windows of one size."""
    roles = {
        "anna": {"prompt": "You are Anna, and like to talk.", "num_ctx": window},
        "ben": {"num_ctx": window, "max_tokens": 20, "model": "n"},
        "carl": {"num_ctx": window, "description": "Chooses.", "prompt": "You choose."},
    }
    inputs = {"k": {"type": "integer", "default": 2}}
    return pipeline(
        [{"set": {"x": "''"}}, *turns], roles, inputs=inputs, limits={"max_turns": most, "max_tokens": 25}, **keys
    )


def always(value: Any) -> Any:
    """Return steps without their conditions: nothing is left out, and no loop ends early."""
    if isinstance(value, dict):
        return {key: always(inner) for key, inner in value.items() if key not in ("when", "else", "until")}
    return [always(inner) for inner in value] if isinstance(value, list) else value


def answer(ask: Ask, chance: Random) -> Reply:
    """Answer as long as an ask allows; choose anybody who may be chosen; fail where there is nothing to answer."""
    try:
        _ = ask.request
    except TemplateError as error:
        return failed("template", error.message)
    if ask.is_pick:
        return said(json.dumps({"next": chance.choice(ask.format["properties"]["next"]["enum"])}))
    return said("word" * ask.options["num_predict"])


@MANY
@given(st.lists(STEP, min_size=1, max_size=4), st.integers(60, 400), st.integers(1, 40), st.integers(0, 10**6))
def test_no_conversation_is_longer(turns: list[Any], window: int, most: int, seed: int) -> None:
    """Where nothing is said of the context window, every prompt and its reply fit, as characters are counted.

    Not where turns that may be left out, or a loop that only its `until` ends, use up `max_turns`: with them the
    longest course need not be the longest.
    """
    typed = made(turns if most > 30 else always(turns), window, most if most <= 30 else 500)
    course = RuleContext(typed, {}).course
    if course.overflow is not None:
        return
    chance = Random(seed)
    conversation = Conversation(typed, {"k": 2}, Files({}))
    while conversation.outcome is None:
        ask = conversation.pending[0]
        reply = answer(ask, chance)
        if reply.failure is None and not ask.is_pick:
            size = sum(len(message["content"]) for message in ask.request.messages) + len(reply.content)
            assert size <= window * CHARACTERS_PER_TOKEN
        conversation.answer(ask, reply)


@MANY
@given(st.lists(STEP, min_size=1, max_size=3), st.integers(0, 10**6))
def test_who_has_nothing_to_answer_fails(turns: list[Any], seed: int) -> None:
    """A step of which that is said never reaches a reply."""
    typed = made(turns, 1000, 20, opening=None)
    silent = {problem.path for code, problem in run_rules(typed, {}) if code == "nothing-to-answer"}
    chance = Random(seed)
    conversation = Conversation(typed, {"k": 2}, Files({}))
    while conversation.outcome is None:
        ask = chance.choice(conversation.pending)
        conversation.answer(ask, answer(ask, chance))
    replied = {turn.exchange.ask.step for turn in conversation.turns if turn.exchange.failure is None}
    assert not silent & replied


# --- Case by case


def course(turns: list[Any], **keys: Any) -> WorstCase:
    """Compute the worst case of a pipeline of these turns."""
    return RuleContext(pipeline(turns, **keys), {}).course


ONE: dict[str, Any] = {"anna": {"num_ctx": 100, "max_tokens": 20}, "ben": {"max_tokens": 20, "model": "n"}}


@pytest.mark.parametrize(
    ("turns", "keys", "turn"),
    [
        ([{"repeat": ["anna", "ben"], "times": 9}], {}, 5),
        ([{"repeat": ["anna", "ben"], "times": 9}], {"limits": {"max_turns": 4}}, None),
        ([{"repeat": ["anna", "ben"], "times": 9}], {"limits": {"on_overflow": "drop_oldest"}}, None),
        ([{"repeat": ["anna", "ben"], "times": 9}], {"limits": {"max_tokens": 5}}, 13),
        ([{"repeat": ["anna", "ben"], "times": "{{ n }}"}], {"inputs": {"n": {"default": 2}}}, None),
        ([{"repeat": ["anna", "ben"], "times": "{{ n }}"}], {"inputs": {"n": {"default": 3}}}, 5),
        ([{"repeat": ["anna", "ben"], "times": "{{ n }}"}], {"inputs": {"n": {"minimum": 3}}}, 5),
        ([{"repeat": ["anna", "ben"], "times": "{{ n }}"}], {"inputs": {"n": {}}}, None),
        ([{"repeat": ["anna", {"say": "ben", "result": ""}], "times": 9}], {}, 9),
        ([{"repeat": [{"say": "anna", "sees": {"from": "all", "last": 1}}, "ben"], "times": 9}], {}, None),
        ([{"repeat": [{"say": "anna", "sees": "none"}, "ben"], "times": 9}], {}, None),
        ([{"repeat": [{"say": "anna", "max_tokens": 2}, {"say": "ben", "max_tokens": 2}], "times": 10}], {}, 19),
        ([{"parallel": ["ben"], "times": 3}, "anna"], {}, None),
        ([{"parallel": ["ben"], "times": 4}, "anna"], {}, 5),
        ([{"repeat": ["ben"], "for": "x", "in": [1, 2, 3, 4]}, "anna"], {}, 5),
        ([{"scene": [{"repeat": ["anna", "ben"], "times": 2}], "opening": "A."}] * 2, {}, None),
        ([{"scene": [{"repeat": ["anna", "ben"], "times": 3}], "opening": "A."}], {}, 5),
        ([{"do": ["ben"], "when": "turn > 1", "else": ["ben", "ben", "ben", "ben"]}, "anna"], {}, 5),
        ([{"choose": ["ben", "anna"], "by": "random"}] * 5, {}, 5),
        (["ben", {"post": "x" * 300}, "anna"], {}, 2),
        ([{"say": "anna", "instruction": "x" * 330}], {}, 1),
        (["anna"], {"opening": "x" * 330}, 1),
    ],
)
def test_the_first_turn_that_does_not_fit(turns: list[Any], keys: dict[str, Any], turn: int | None) -> None:
    """By the order of turns, what is seen, and the most tokens of each."""
    found = course(turns, roles=ONE, **keys).overflow
    assert (found.turn if found else None) == turn


def test_an_overflow_is_told_with_its_sizes() -> None:
    """Those of prompt, reply and window."""
    found = course([{"repeat": ["anna", "ben"], "times": 9}], roles=ONE).overflow
    assert found == Overflow("anna", turn=5, prompt=2 + 4 * 24, reply=20, num_ctx=100)


def test_a_course_has_an_end() -> None:
    """However often its loops go round."""
    loops: Any = ["anna", "ben"]
    for _ in range(5):
        loops = [{"repeat": loops, "times": 1000}]
    assert course(loops, roles={"anna": {"num_ctx": 10**9}, "ben": {}}, limits={"max_turns": 10**9}).overflow is None


TWICE: dict[str, Any] = {"anna": {}, "ben": {}, "carl": {"human": True}}


@pytest.mark.parametrize(
    ("turns", "places"),
    [
        (["anna", "anna"], [1]),
        (["anna", {"say": "anna", "instruction": "Go."}], []),
        (["anna", "ben", "anna"], []),
        (["anna", {"say": "ben", "result": ""}, "anna"], [2]),
        (["anna", {"say": "ben", "when": "last"}, "anna"], []),
        (["anna", {"post": "News."}, "anna"], []),
        (["anna", {"say": "anna", "when": "last"}], [1]),
        (["anna", {"say": "anna", "sees": "others"}], []),
        (["ben", "anna", {"say": "anna", "sees": "own"}], [2]),
        (["anna", "ben", {"say": "anna", "sees": ["anna"]}], [2]),
        (["anna", {"choose": ["anna", "ben"], "by": "random"}, "anna"], []),
        (["anna", {"scene": ["ben"], "opening": "A."}, "anna"], []),
        (["anna", {"scene": ["anna"], "opening": "A."}], []),
        ([{"parallel": ["anna"], "times": 2}, "anna"], []),
        (["carl", "carl"], []),
    ],
)
def test_who_speaks_with_nothing_new(turns: list[Any], places: list[int]) -> None:
    """Where the newest that a role sees is its own."""
    found = run_rules(pipeline(turns, TWICE), {})
    assert [problem.path for code, problem in found if code == "speaks-twice"] == [("turns", place) for place in places]


def test_a_loop_comes_round_to_who_spoke_last() -> None:
    """In its second round; where another may speak between, nothing is said."""
    assert [visits.again for visits in course([{"repeat": ["anna"], "times": 3}]).visits.values()] == [2]
    assert [visits.again for visits in course([{"repeat": ["anna", "ben"], "times": 3}]).visits.values()] == [0, 0]
