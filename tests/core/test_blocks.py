"""parallel: branches side by side that do not hear one another, and a join in declared order."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from llm_gc.core import Conversation
from llm_gc.protocol import Ask
from tests.talks import answer_all, failed, said, talk


def texts(ask: Ask) -> str:
    """Return all that an ask sends, as one text."""
    return "\n".join(message["content"] for message in ask.request.messages)


def outcome(conversation: Conversation) -> tuple[str, str]:
    """Return why it ended."""
    assert conversation.outcome is not None
    return conversation.outcome.reason, conversation.outcome.detail


def test_branches_do_not_hear_each_other() -> None:
    """Each branch's request holds only what was said before the block; the order is declared, not that of arrival."""
    conversation = talk(["ben", {"parallel": ["anna", "ben"]}, "anna"])
    conversation.answer(conversation.pending[0], said("before"))
    anna, ben = conversation.pending
    conversation.answer(ben, said("mine"))
    assert "before" in texts(anna)
    assert "mine" not in texts(anna)
    conversation.answer(anna, said("yours"))
    assert [message.role for message in conversation.messages] == ["ben", "anna", "ben"]
    assert [message.turn for message in conversation.messages] == [1, 2, 3]
    (after,) = conversation.pending
    assert "ben: mine" in texts(after)


def test_a_branch_of_several_steps_moves_on_alone() -> None:
    """A slow branch holds nobody up."""
    conversation = talk([{"parallel": [{"do": ["anna", "anna"]}, "ben"]}])
    anna, ben = conversation.pending
    (again,) = conversation.answer(anna, said("A1"))
    assert again.speaker.role == "anna"
    conversation.answer(again, said("A2"))
    assert conversation.pending == (ben,)
    conversation.answer(ben, said("B"))
    assert [message.content for message in conversation.messages] == ["A1", "A2", "B"]


def test_times_makes_copies_with_seeds_of_their_own() -> None:
    """Inside each is the role itself; later they hear one another as others, numbered from the second on."""
    conversation = talk([{"parallel": ["anna"], "times": 3, "as": "answers"}, "anna"], result="{{ answers }}")
    asks = conversation.pending
    assert [ask.id for ask in asks] == ["turns.0.parallel:1.0", "turns.0.parallel:2.0", "turns.0.parallel:3.0"]
    assert len({ask.options["seed"] for ask in asks}) == 3
    assert [ask.label for ask in asks] == ["anna", "anna", "anna"]
    for ask, word in zip(asks, "abc", strict=True):
        conversation.answer(ask, said(word))
    (last,) = conversation.pending
    assert [m["role"] for m in last.request.messages] == ["user", "assistant", "user"]
    assert last.request.messages[-1]["content"] == "anna 2: b\n\nanna 3: c"
    conversation.answer(last, said("done"))
    assert conversation.outcome is not None
    assert [message.content for message in conversation.outcome.result] == ["a", "b", "c"]


def test_a_roles_own_seed_is_sent_plus_the_number_of_the_branch() -> None:
    """So that branches differ, whoever speaks in them, and a rerun repeats."""
    conversation = talk([{"parallel": ["anna"], "times": 3}], roles={"anna": {"seed": 5}})
    assert [ask.options["seed"] for ask in conversation.pending] == [5, 6, 7]
    listed = talk([{"parallel": ["anna", "ben", "anna"]}], roles={"anna": {"seed": 5}, "ben": {}})
    assert [ask.options["seed"] for ask in listed.pending if ask.speaker.role == "anna"] == [5, 7]


def test_for_gives_each_branch_its_item() -> None:
    """Item by item, each listed step once; an empty list is no branch at all."""
    step = {"say": "anna", "instruction": "Do {{ part }}."}
    conversation = talk(
        [{"parallel": [step, "ben"], "for": "part", "in": "parts", "as": "done"}], {"parts": ["x", "y"]}
    )
    asks = conversation.pending
    assert [ask.speaker.role for ask in asks] == ["anna", "ben", "anna", "ben"]
    assert "Do x." in texts(asks[0])
    assert "Do y." in texts(asks[2])
    empty = talk([{"parallel": [step], "for": "part", "in": "parts"}, "ben"], {"parts": []})
    assert [ask.speaker.role for ask in empty.pending] == ["ben"]


def test_what_a_branch_sets_stays_inside() -> None:
    """Only the block's own ``as`` leaves it."""
    turns = [
        {"set": {"n": 1}},
        {"parallel": [{"do": [{"set": {"n": 2}}, {"say": "anna", "as": "inside"}]}], "as": "out"},
        {"say": "ben", "instruction": "{{ n }} {{ inside is defined }} {{ out[0].content }}"},
    ]
    asks = answer_all(talk(turns), "A")
    assert texts(asks[-1]).endswith("1 False A")


def test_a_branch_that_said_nothing_is_an_empty_message() -> None:
    """And one whose turn failed is a failed one."""
    turns = [{"parallel": [{"say": "anna", "when": "false"}, "ben"], "as": "both"}, "anna"]
    conversation = talk(turns, result="{{ both | map(attribute='failed') }}")
    answer_all(conversation, failed())
    assert conversation.outcome is not None
    assert conversation.outcome.result == [False, True]


def test_a_stop_inside_a_branch_ends_that_branch_alone() -> None:
    """Its siblings finish, then the first ending in declared order ends the conversation."""
    turns = [{"parallel": [{"do": ["anna", "anna"]}, {"do": ["ben", "ben"]}]}, "anna"]
    conversation = talk(turns, stop=["DONE"])
    anna, ben = conversation.pending
    conversation.answer(ben, said("DONE"))
    (after,) = conversation.answer(anna, said("A1"))
    conversation.answer(after, said("A2"))
    assert outcome(conversation) == ("stop_token", "ben said DONE")
    assert [message.content for message in conversation.messages] == ["A1", "A2", "DONE"]


def test_what_is_left_of_max_turns_is_shared() -> None:
    """Equally among the branches, the first ones first; the join is then at the limit."""
    conversation = talk([{"parallel": [{"repeat": ["anna"]}], "times": 3}], limits={"max_turns": 8})
    answer_all(conversation)
    assert [turn.copy for turn in conversation.turns] == [0, 0, 0, 1, 1, 1, 2, 2]
    assert outcome(conversation)[0] == "max_turns"


def test_what_branches_cost_is_counted_after_the_join() -> None:
    """Tokens and seconds of all branches, side by side or not."""
    conversation = talk([{"parallel": ["anna"], "times": 3}, "ben"], limits={"max_total_tokens": 45})
    assert len(answer_all(conversation)) == 3
    assert outcome(conversation)[0] == "max_total_tokens"


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_any_order_of_replies_gives_the_same(order: tuple[int, ...]) -> None:
    """Outcome, turns, requests and state depend on the declared order alone."""
    turns: list[Any] = [
        {"parallel": [{"do": ["anna", "ben"]}, {"repeat": ["cleo"], "times": 2}, "ben"], "as": "all"},
        {"say": "anna", "instruction": "{{ all | map(attribute='content') | join(',') }}"},
    ]

    def run(order: tuple[int, ...]) -> Any:
        conversation = talk(turns, roles=["anna", "ben", "cleo"])
        requests = {}
        while conversation.outcome is None:
            pending = conversation.pending
            ask = pending[order[0] % len(pending)] if len(pending) > 1 else pending[0]
            order = (*order[1:], order[0])
            requests[ask.id] = ask.request.messages
            conversation.answer(ask, said(f"reply to {ask.id}"))
        return conversation.outcome, conversation.turns, requests, conversation.state

    assert run(order) == run((0, 1, 2))


def test_blocks_inside_blocks() -> None:
    """Branches of branches move on by themselves, and are joined inside out."""
    inner = {"parallel": ["anna", "ben"], "as": "pair"}
    conversation = talk([{"parallel": [{"do": [inner, "anna"]}, "ben"]}, "ben"])
    ids = [ask.id for ask in conversation.pending]
    assert ids == ["turns.0.parallel.0.do.0.parallel.0", "turns.0.parallel.0.do.0.parallel.1", "turns.0.parallel.1"]
    answer_all(conversation)
    assert [turn.number for turn in conversation.turns] == [1, 2, 3, 4, 5]


def test_an_open_block_is_in_the_turns() -> None:
    """What was said in a block that is interrupted is not lost."""
    conversation = talk(["ben", {"parallel": ["anna", "ben"]}])
    conversation.answer(conversation.pending[0], said("before"))
    conversation.answer(conversation.pending[1], said("in the block"))
    conversation.interrupt("stopped")
    assert [turn.message.content for turn in conversation.turns] == ["before", "in the block"]
