"""For any pipeline and any replies: the order of answers does not matter, and a record answers as the first run did."""

from __future__ import annotations

import json
from itertools import pairwise
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_gc.core import Conversation
from llm_gc.protocol import Ask, Reply, Speaker, Tokens
from tests.growing import extends, messages, pairs, sees_all
from tests.talks import failed, pipeline, talk

ROLES = ("anna", "ben", "cleo")
FORMAT = {"score": {"type": "integer", "default": 1}, "next": {"enum": ["anna", "ben", "nobody"], "default": "nobody"}}
SEES = ["all", "none", "own", "others", ["anna"], ["narrator", "ben"], {"from": "all", "last": 2}]
EXPRESSIONS = [
    "turn is not defined or turn < 6",
    "last.content | length > 3",
    "n > 1",
    "said.ben.data.score == 2",
    "'no' in messages | map(attribute='content') | join",
    "last.failed",
]

names = st.sampled_from(ROLES)
expressions = st.sampled_from(EXPRESSIONS)
turn_keys = st.fixed_dictionaries(
    {},
    optional={
        "instruction": st.sampled_from(["Be brief.", "You heard: {{ last }}.", "{{ n }}"]),
        "sees": st.sampled_from(SEES),
        "format": st.just(FORMAT),
        "as": st.sampled_from(["one", "two"]),
        "result": st.sampled_from(["", "{{ last.content }}!"]),
        "speaker": st.sampled_from(["Somebody", "{{ last.label }}"]),
        "max_tokens": st.just(50),
        "temperature": st.sampled_from([0.5, "{{ n / 10 }}"]),
        "when": expressions,
    },
)
choices = st.fixed_dictionaries({}, optional={"allow_repeat": st.booleans(), "else": names})
leaves = st.one_of(
    names,
    st.builds(lambda role, keys: {"say": role, **keys}, names, turn_keys),
    st.builds(
        lambda choice, by, more, keys: {"choose": choice, "by": by, **more, **keys},
        st.sampled_from([list(ROLES), {"anna": ["ben"], "ben": [], "cleo": ["anna", "ben"]}, "{{ ['anna', 'ben'] }}"]),
        st.sampled_from(["cleo", "random", "{{ said.anna.data.next }}"]),
        choices,
        turn_keys,
    ),
    st.just({"set": {"n": "n + 1"}}),
    st.just({"post": "Now it is {{ n }}."}),
    st.builds(lambda when: {"end": "enough", "when": when}, expressions),
)
scene_limits = st.fixed_dictionaries(
    {"max_turns": st.integers(1, 4)},
    optional={
        "on_error": st.sampled_from(["stop", "continue"]),
        "max_total_tokens": st.integers(10, 60),
        "max_time": st.sampled_from(["1s", "3s"]),
        "repetition": st.just(2),
        "repairs": st.integers(0, 2),
    },
)
scene_keys = st.fixed_dictionaries(
    {},
    optional={
        "speaker": st.sampled_from(["Team", "ben", "{{ last.label }}"]),
        "result": st.sampled_from(["{{ said.ben.data }}", "{{ messages | length }}", "{{ last.content }}?"]),
        "stop": st.sampled_from([["yes"], [{"token": "no", "match": "contains", "role": "ben"}]]),
        "as": st.just("three"),
        "when": expressions,
    },
)


def containers(steps: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return steps that hold steps."""
    lists = st.lists(steps, min_size=1, max_size=3)
    return st.one_of(
        st.builds(lambda inner, when, other: {"do": inner, "when": when, "else": other}, lists, expressions, lists),
        st.builds(lambda inner, times: {"repeat": inner, "times": times}, lists, st.integers(0, 3)),
        st.builds(lambda inner, until: {"repeat": inner, "until": until}, lists, expressions),
        st.builds(lambda inner: {"repeat": inner, "for": "item", "in": ["x", "y"]}, lists),
        st.builds(lambda inner: {"parallel": inner, "as": "all"}, lists),
        st.builds(lambda inner, times: {"parallel": inner, "times": times}, lists, st.integers(1, 3)),
        st.builds(lambda inner: {"parallel": inner, "for": "item", "in": "[n, n + 1]", "as": "all"}, lists),
        st.builds(
            lambda inner, limits, keys: {"scene": inner, "opening": "Inside: {{ last }}", "limits": limits, **keys},
            lists,
            scene_limits,
            scene_keys,
        ),
    )


roles = st.fixed_dictionaries(
    {},
    optional={
        "sees": st.sampled_from(SEES),
        "label": st.sampled_from(["Anna", "Ben"]),
        "prompt": st.just("You are {{ role.label }}."),
        "format": st.just(FORMAT),
        "seed": st.integers(0, 9),
        "api": st.just("generate"),
    },
)
steps = st.recursive(leaves, containers, max_leaves=8)
documents = st.fixed_dictionaries(
    {
        "turns": st.lists(steps, min_size=1, max_size=3).map(lambda steps: [{"set": {"n": 0}}, *steps]),
        "limits": st.fixed_dictionaries(
            {"max_turns": st.integers(1, 14)},
            optional={
                "on_error": st.just("stop"),
                "max_total_tokens": st.integers(20, 200),
                "repetition": st.just(3),
                "on_overflow": st.just("drop_oldest"),
                "max_time": st.sampled_from(["2s", "4s"]),
                "repairs": st.integers(0, 2),
            },
        ),
        "stop": st.sampled_from(
            [[], ["DONE"], [{"when": "messages | length > 7"}], [{"token": "n[io]", "match": "regex", "role": "ben"}]]
        ),
        "seed": st.integers(0, 5),
        "roles": st.fixed_dictionaries({}, optional=dict.fromkeys(ROLES, roles)).map(
            lambda given: {name: given.get(name, {}) for name in ROLES}
        ),
    }
)

spoken = st.one_of(
    names,
    names.map(lambda role: {"say": role, "instruction": "Round {{ round | default('none') }}."}),
    names.map(lambda role: {"choose": list(ROLES), "by": role}),
    st.just({"post": "Mind the time."}),
)


def blocks(steps: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return steps with branches, in which everybody sees all."""
    lists = st.lists(steps, min_size=1, max_size=3)
    return st.one_of(
        st.builds(lambda inner: {"do": inner}, lists),
        st.builds(lambda inner: {"parallel": inner}, lists),
        st.builds(lambda inner, times: {"parallel": [{"do": inner}], "times": times}, lists, st.integers(2, 3)),
        st.builds(lambda inner: {"repeat": inner, "times": 2}, lists),
        st.builds(lambda inner: {"scene": inner, "opening": "Inside: {{ last }}", "speaker": "ben"}, lists),
    )


crowds = st.fixed_dictionaries(
    {
        "turns": st.lists(st.recursive(spoken, blocks, max_leaves=10), min_size=1, max_size=3).map(
            lambda steps: [*steps, {"parallel": [{"do": ["anna", "ben"]}, {"do": ["ben", "cleo"]}, "cleo"]}, *ROLES]
        ),
        "limits": st.just({"max_turns": 60, "on_overflow": "drop_oldest"}),
    }
)

WORDS = [
    "yes",
    "no, not yet",
    "DONE",
    "a longer answer\nwith lines",
    "anna: as another",
    json.dumps({"score": 2, "next": "ben"}),
]


def reply_to(ask: Ask, salt: int) -> Reply:
    """Return a reply that depends on the ask and the salt alone, whatever the order in which asks are answered."""
    chance = Random(f"{salt} {ask.id}")
    if chance.random() < 0.15:
        return failed(chance.choice(["server", "timeout", "overflow"]), content="half")
    if ask.format is not None and chance.random() < 0.7:
        enum = ask.format.get("properties", {}).get("next", {}).get("enum", ["anna"])
        content = json.dumps({"score": chance.randint(0, 3), "next": chance.choice(enum)})
    else:
        content = chance.choice(WORDS)
    return Reply(content, done_reason="stop", tokens=Tokens(chance.randint(1, 9), chance.randint(1, 9)), seconds=0.5)


def run(
    document: dict[str, Any], salt: int, order: Random | None
) -> tuple[Conversation, dict[str, Any], list[tuple[Ask, Reply]]]:
    """Run a document to its end; ``order`` chooses whom to answer next, none answers the first."""
    conversation = talk(**{"roles": {name: {} for name in ROLES}, **document})
    requests: dict[str, Any] = {}
    replies: list[tuple[Ask, Reply]] = []
    for _ in range(400):
        if conversation.outcome is not None:
            return conversation, requests, replies
        pending = conversation.pending
        ask = order.choice(pending) if order else pending[0]
        assert ask.id not in requests, "two asks have the same id"
        requests[ask.id] = (ask.request.messages, dict(ask.options), ask.deadline)
        reply = reply_to(ask, salt)
        replies.append((ask, reply))
        conversation.answer(ask, reply)
    raise AssertionError("it does not end")


SETTINGS = settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@SETTINGS
@given(documents, st.integers(0, 1000), st.integers(0, 1000))
def test_any_order_of_answers_gives_the_same(document: dict[str, Any], salt: int, order: int) -> None:
    """Outcome, turns, requests and state are those of the declared order."""
    one, requests, _ = run(document, salt, None)
    two, others, _ = run(document, salt, Random(order))
    assert one.outcome == two.outcome
    assert requests == others
    assert one.turns == two.turns
    assert one.state == two.state


@SETTINGS
@given(documents, st.integers(0, 1000))
def test_a_record_answers_as_the_first_run_did(document: dict[str, Any], salt: int) -> None:
    """Feeding the replies back by id gives the same conversation, also when no request is read on the way."""
    one, _, replies = run(document, salt, None)
    again = talk(**{"roles": {name: {} for name in ROLES}, **document})
    by_id = {ask.id: reply for ask, reply in replies}
    while again.outcome is None:
        ask = again.pending[0]
        again.answer(ask, by_id[ask.id])
    assert again.outcome == one.outcome
    assert again.turns == one.turns
    assert [turn.exchange.ask.request.messages for turn in again.turns] == [
        turn.exchange.ask.request.messages for turn in one.turns
    ]


@SETTINGS
@given(documents, st.integers(0, 1000))
def test_what_is_sent_is_well_formed(document: dict[str, Any], salt: int) -> None:
    """Kinds alternate, system comes first alone, the last is user; and no end is a template's failure."""
    conversation, requests, _ = run(document, salt, None)
    for sent, options, deadline in requests.values():
        kinds = [message["role"] for message in sent]
        assert kinds[-1] == "user"
        assert "system" not in kinds[1:]
        assert all(one != two for one, two in pairwise(kinds))
        assert options["num_predict"] >= 1
        assert deadline is None or deadline > 0
    assert conversation.outcome is not None
    assert conversation.outcome.failure != "template", conversation.outcome.detail
    numbers = [turn.number for turn in conversation.turns if not turn.is_pick]
    assert numbers == list(range(1, len(numbers) + 1))


@SETTINGS
@given(st.one_of(crowds, documents), st.integers(0, 1000))
def test_requests_only_grow_at_their_end(document: dict[str, Any], salt: int) -> None:
    """While a speaker sees all, what it is sent begins with what it was sent before, across blocks, until it drops."""
    conversation, _, replies = run(document, salt, None)
    pipeline, numbers = conversation.stage.pipeline, {ask.id: number for number, (ask, _) in enumerate(replies)}
    overflows = [
        (number, ask.speaker.role)
        for number, (ask, reply) in enumerate(replies)
        if reply.failure is not None and reply.failure.kind == "overflow"
    ]
    for earlier, later in pairs(conversation, lambda ask: sees_all(pipeline, ask)):
        between = range(numbers[earlier.id], numbers[later.id])
        if not any(number in between and role == later.speaker.role for number, role in overflows):
            assert extends(messages(later), messages(earlier)), f"{later.id} does not begin with {earlier.id}"


@SETTINGS
@given(st.one_of(crowds, documents), st.integers(0, 1000))
def test_who_speaks_is_known_beforehand_in_declared_order(document: dict[str, Any], salt: int) -> None:
    """Which copy of its role: by it a test file tells whose replies they are. Who only chooses is numbered last."""
    conversation = talk(**{"roles": {name: {} for name in ROLES}, **document})
    told: dict[str, Speaker] = {}
    while conversation.outcome is None:
        ask = conversation.pending[0]
        told[ask.id] = conversation.speaker_of(ask)
        conversation.answer(ask, reply_to(ask, salt))
    turns = [turn for turn in conversation.turns if turn.exchange.ask.id in told and not turn.is_pick]
    assert {turn.exchange.ask.id: told[turn.exchange.ask.id] for turn in turns} == {
        turn.exchange.ask.id: turn.speaker for turn in turns
    }
    assert not any(turn.is_open for turn in turns)


def test_the_same_pipeline_twice_shares_nothing() -> None:
    """Two conversations over one pipeline object do not disturb each other."""
    made = pipeline(["anna", "ben"])
    one, two = Conversation(made, {}), Conversation(made, {})
    one.answer(one.pending[0], Reply("only here", done_reason="stop"))
    assert [ask.speaker.role for ask in two.pending] == ["anna"]
    assert two.turns == ()
