"""What a join keeps: a role that spoke in a branch continues there, copies stay apart, every turn has its number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from llm_gc.core import Conversation
from llm_gc.core.history import HearingOrder, joined
from llm_gc.protocol import Ask
from tests.growing import extends, messages
from tests.talks import answer_all, failed, said, talk


def asks_by_id(conversation: Conversation, replies: Mapping[str, Any] | None = None) -> dict[str, Ask]:
    """Answer everything, each ask with its id where no reply is given; return the asks by id."""
    found: dict[str, Ask] = {}
    while conversation.outcome is None:
        ask = conversation.pending[0]
        found[ask.id] = ask
        _ = ask.request
        conversation.answer(ask, (replies or {}).get(ask.id, said(ask.id)))
    return found


def test_a_speaker_goes_on_from_its_own_branch() -> None:
    """What it was sent there comes first in its later requests, the siblings after it; templates keep the order."""
    step = {"say": "ben", "instruction": "{{ messages | join(', ') }}"}
    conversation = talk([{"parallel": ["anna", {"do": ["ben", "anna"]}]}, step])
    asks = answer_all(conversation, "A1", "B1", "A2")
    assert messages(asks[2]) == [("user", "Begin.\n\nben: B1")]
    assert messages(asks[3]) == [
        ("user", "Begin."),
        ("assistant", "B1"),
        ("user", "anna: A2\n\nanna: A1\n\nA1, B1, A2"),
    ]
    assert [message.content for message in conversation.messages[:3]] == ["A1", "B1", "A2"]


def test_whoever_was_in_no_branch_hears_them_as_declared() -> None:
    """So does everybody who comes later."""
    asks = answer_all(talk([{"parallel": ["anna", "ben"]}, "cleo"], roles=["anna", "ben", "cleo"]), "A", "B")
    assert messages(asks[-1]) == [("user", "Begin.\n\nanna: A\n\nben: B")]


def test_a_role_that_spoke_in_several_branches_is_numbered_in_each() -> None:
    """It continues as itself from the first of them; the others are copies, and heard under their own labels."""
    conversation = talk([{"parallel": ["ben", "anna", "ben", "anna"]}, "anna"])
    asks = answer_all(conversation, "B1", "A1", "B2", "A2")
    assert [ask.label for ask in asks[:4]] == ["ben", "anna", "ben", "anna"]
    assert messages(asks[-1]) == [
        ("user", "Begin."),
        ("assistant", "A1"),
        ("user", "ben: B1\n\nben 2: B2\n\nanna 2: A2"),
    ]
    assert [(turn.message.label, turn.copy) for turn in conversation.turns] == [
        ("ben", 0),
        ("anna", 0),
        ("ben 2", 1),
        ("anna 2", 1),
        ("anna", 0),
    ]


@pytest.mark.parametrize("branches", [["anna", "ben"], ["ben", "anna"], [{"do": ["ben", "ben", "anna"]}, "ben"]])
def test_a_role_that_spoke_in_one_branch_alone_is_itself(branches: list[Any]) -> None:
    """Wherever that is; what it said before the block, in it and after it are its own words."""
    conversation = talk(["anna", {"parallel": branches}, {"say": "anna", "instruction": "Go on."}])
    own = [ask for ask in answer_all(conversation) if ask.speaker.role == "anna"]
    assert {(turn.message.label, turn.copy) for turn in conversation.turns if turn.message.role == "anna"} == {
        ("anna", 0)
    }
    assert [sum(kind == "assistant" for kind, _ in messages(ask)) for ask in own] == [0, 1, 2]
    assert extends(messages(own[2]), messages(own[1]))


def test_a_role_of_another_item_alone_is_itself() -> None:
    """So it is in the next round, where it speaks for another item."""
    step = {"say": "anna", "when": "item == word"}
    block = {"parallel": [step, {"say": "ben", "when": "item != word"}], "for": "item", "in": ["x", "y", "z"]}
    turns = [{"repeat": [block], "for": "word", "in": ["y", "z"]}, {"say": "anna", "instruction": "Go on."}]
    conversation = talk(turns)
    own = [ask for ask in answer_all(conversation) if ask.speaker.role == "anna"]
    assert [turn.copy for turn in conversation.turns if turn.message.role == "anna"] == [0, 0, 0]
    assert extends(messages(own[1]), messages(own[0]))
    assert extends(messages(own[2]), messages(own[1]))


def test_who_only_chose_is_numbered_after_who_spoke() -> None:
    """A role that spoke in one branch is itself there, though it chose in an earlier one."""
    choice = {"choose": ["ben", "cleo"], "by": "anna"}
    conversation = talk([{"parallel": [choice, "anna"]}, "anna"], roles=["anna", "ben", "cleo"])
    found = asks_by_id(conversation, {"turns.0.parallel.0.by": said('{"next": "ben"}')})
    assert {turn.exchange.ask.id: turn.copy for turn in conversation.turns} == {
        "turns.0.parallel.0.by": 1,
        "turns.0.parallel.0": 0,
        "turns.0.parallel.1": 0,
        "turns.1": 0,
    }
    assert extends(messages(found["turns.1"]), messages(found["turns.0.parallel.1"]))


def test_whoever_was_in_a_branch_goes_on_hearing_it_as_it_was_called_there() -> None:
    """Everybody else hears the number; in the transcript is what each was sent."""
    block = {"parallel": [{"do": ["anna", "ben"]}, {"do": ["anna", "cleo"]}]}
    conversation = talk([block, "ben", "cleo", "dan"], roles=["anna", "ben", "cleo", "dan"])
    found = asks_by_id(conversation)
    inside, after = found["turns.0.parallel.1.do.1"], found["turns.2"]
    assert messages(inside) == [("user", "Begin.\n\nanna: turns.0.parallel.1.do.0")]
    assert messages(after)[0] == messages(inside)[0]
    assert "anna 2: turns.0.parallel.1.do.0" in messages(found["turns.1"])[-1][1]
    assert "anna 2: turns.0.parallel.1.do.0" in messages(found["turns.3"])[-1][1]


def test_copies_go_on_in_the_next_block_of_the_same_items() -> None:
    """Whatever else that lists, and in whichever round; a copy that was not needed keeps its number."""
    first = {"parallel": ["anna"], "times": 3}
    other = {"parallel": ["ben", {"say": "anna", "when": "round == 1 or item > 0"}], "for": "item", "in": [0, 1, 2]}
    conversation = talk([first, {"repeat": [other], "times": 2}])
    asks = {ask.id: ask for ask in answer_all(conversation)}
    copies = {turn.exchange.ask.id: turn.copy for turn in conversation.turns if turn.message.role == "anna"}
    assert copies == {
        **{f"turns.0.parallel:{item + 1}.0": item for item in range(3)},
        **{f"turns.1.repeat:1.0.parallel:{item + 1}.1": item for item in range(3)},
        **{f"turns.1.repeat:2.0.parallel:{item + 1}.1": item for item in (1, 2)},
    }
    for item in (2, 3):
        one, two = (asks[f"turns.{at}.parallel:{item}.{step}"] for at, step in (("0", 0), ("1.repeat:2.0", 1)))
        assert extends(messages(two), messages(one))


def test_blocks_inside_blocks_are_gone_on_from_too() -> None:
    """The innermost branch comes first, then its siblings, then the branches around it."""
    inner = {"parallel": ["anna", {"do": ["cleo", "ben"]}]}
    conversation = talk([{"parallel": ["anna", {"do": ["anna", inner, "ben"]}]}, "ben"], roles=["anna", "ben", "cleo"])
    found = asks_by_id(conversation)
    own = [messages(ask) for ask in found.values() if ask.speaker.role == "ben"]
    assert len(own) == 3
    assert extends(own[1], own[0])
    assert extends(own[2], own[1])
    texts = [text for kind, text in own[2] if kind == "user"]
    assert texts[-1] == "anna: turns.0.parallel.0"


@pytest.mark.parametrize("drops", [1, 2])
def test_what_a_branch_dropped_stays_dropped_in_its_own_order(drops: int) -> None:
    """Half of what was before the block, or of the branch itself; the siblings are not counted among it."""
    branch = {"do": ["anna", "anna", "anna", "anna"]}
    conversation = talk([*["ben"] * 2, {"parallel": ["ben", branch]}, "anna"], limits={"on_overflow": "drop_oldest"})
    last = "turns.2.parallel.1.do.3"
    replies = {last: failed("overflow"), f"{last}#2": failed("overflow")}
    found = asks_by_id(conversation, dict(list(replies.items())[:drops]))
    inside, after = found[f"{last}#{drops + 1}"], found["turns.3"]
    assert extends(messages(after), messages(inside))
    assert "turns.1" not in str(messages(after))
    assert "ben: turns.2.parallel.0" in messages(after)[-1][1]


def test_last_n_is_counted_as_declared_and_sent_in_the_speakers_order() -> None:
    """A view of the newest few has them from whoever spoke last in declared order."""
    roles = {"anna": {}, "ben": {"sees": {"last": 1}}, "cleo": {}}
    turns = [{"parallel": ["anna", {"do": ["ben", "cleo"]}, "anna"]}, "ben"]
    asks = answer_all(talk(turns, roles=roles), "A1", "B1", "C1", "A2")
    assert messages(asks[-1])[1:] == [("assistant", "B1"), ("user", "cleo: C1\n\nanna: A1\n\nanna 2: A2")]


def test_copies_inside_copies_are_all_different() -> None:
    """At the join every line that continued side by side has a number of its own; so has each branch for its seed."""
    inner = {"parallel": ["anna"], "for": "n", "in": "range(n0)"}
    block = {"parallel": [{"do": [inner, "anna"]}], "for": "n0", "in": "[3, 2, 4]"}
    conversation = talk([block, block], roles={"anna": {"seed": 5}})
    seeds: dict[str, set[int]] = {}
    while conversation.outcome is None:
        ask = conversation.pending[-1]
        seeds.setdefault(ask.branch, set()).add(ask.options["seed"])
        conversation.answer(ask, said("ok"))
    assert all(len(found) == 1 for found in seeds.values())
    turns = {turn.exchange.ask.id: turn for turn in conversation.turns}
    copies: dict[int | None, set[str]] = {}
    for turn in conversation.turns[:12]:
        copies.setdefault(turn.copy, set()).add(turn.exchange.ask.id.split(".do")[0])
        again = turns[turn.exchange.ask.id.replace("turns.0", "turns.1", 1)]
        assert (again.copy, again.message.label) == (turn.copy, turn.message.label)
    assert sorted(copies) == list(range(3 + 2 + 4))  # type: ignore[type-var]
    assert all(len(branches) == 1 for branches in copies.values()), "two branches of the outer block share a speaker"
    labels = {turn.message.label for turn in conversation.turns}
    assert labels == {"anna", *(f"anna {number}" for number in range(2, 10))}


def test_the_first_copy_goes_on_as_the_role_itself() -> None:
    """What the role said before the block is the own word of all of them, there and later."""
    block = {"parallel": ["anna"], "times": 3}
    conversation = talk(["anna", block, block])
    asks = answer_all(conversation, *"zabcdef")
    assert [turn.message.label for turn in conversation.turns] == ["anna", *["anna", "anna 2", "anna 3"] * 2]
    assert extends(messages(asks[6]), messages(asks[3]))
    assert [text for kind, text in messages(asks[6]) if kind == "assistant"] == ["z", "c"]
    assert "anna: a\n\nanna 2: b" in messages(asks[6])[-1][1]


def test_what_a_copy_said_before_it_was_one_counts_once() -> None:
    """Among the newest few of its own; it is not also the newest of who it was."""
    again = {"parallel": [{"say": "anna", "sees": {"last": 2}}], "times": 2}
    asks = answer_all(talk(["anna", {"parallel": ["anna"], "times": 2}, again]), "A", failed(), "B")
    assert [text for kind, text in messages(asks[4]) if kind == "assistant"] == ["A", "B"]


def test_in_a_scene_inside_a_branch_everybody_is_itself() -> None:
    """The record tells the copies by the branches; labels stay as they were heard."""
    scene = {"scene": ["anna", "ben", "anna"], "opening": "In."}
    conversation = talk([{"parallel": [scene, "anna"], "times": 2}, "anna"])
    asks = answer_all(conversation)
    assert {turn.message.label for turn in conversation.turns if "scene" in turn.exchange.ask.id} == {"anna", "ben"}
    copies = [(turn.message.role, turn.copy) for turn in conversation.turns if "scene" in turn.exchange.ask.id]
    assert copies == [("anna", 0), ("ben", 0), ("anna", 0), ("anna", 1), ("ben", 1), ("anna", 1)]
    assert messages(asks[2])[1:] == [("assistant", "ok"), ("user", "ben: ok")]


def test_a_scenes_message_in_a_branch_is_numbered_at_the_join() -> None:
    """It has the number of the scene's last turn, as outside of branches; so has what `as` gives."""
    scene = {"scene": ["anna", "ben"], "opening": "Agree.", "result": "Agreed."}
    block = {"parallel": ["anna", {"do": [scene, {"say": "ben", "result": ""}]}, scene], "as": "ends"}
    turns = [block, {"say": "anna", "instruction": "{{ messages | map(attribute='turn') | join(' ') }}"}, scene]
    conversation = talk(
        turns, result="{{ messages | map(attribute='turn') | list + ends | map(attribute='turn') | list }}"
    )
    asks = answer_all(conversation)
    assert messages(asks[6])[-1][1].endswith("1 3 4 6")
    assert conversation.outcome is not None
    assert conversation.outcome.result == [1, 3, 4, 6, 7, 9, 1, 4, 6]


def test_an_order_is_a_permutation_that_can_be_read_from_both_ends() -> None:
    """Each rank has one position, any part of it is that part, and ranks are found again."""
    order, size = HearingOrder(), 30
    order.add(5, joined([(1, 3), (0, 1)], 7, 3, 5, 18))
    order.add(20, joined([(0, 4)], 22, 4, 20, 27))
    order.add(27, joined([(0, 3)], 27, 3, 27, size))  # as it is: nothing to remember
    whole = [position for one, other in order.spans(0, size) for position in range(one, other)]
    assert whole == [*range(5), 8, 9, 7, 5, 6, *range(10, 20), *range(22, 26), 20, 21, *range(26, 30)]
    assert [order.rank(position) for position in whole] == list(range(size))
    for start in range(size):
        for end in range(start, size + 1):
            part = [position for one, other in order.spans(start, end) for position in range(one, other)]
            assert part == whole[start:end]
