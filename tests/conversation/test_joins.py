"""What a join keeps: whoever spoke in a branch goes on from there, copies stay apart, and every turn has its number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from llm_gc.conversation import Conversation
from llm_gc.conversation.order import Order, joined
from llm_gc.protocol import Ask
from tests.growing import extends, messages
from tests.talks import answer_all, failed, said, talk


def asks_by_id(conversation: Conversation, replies: Mapping[str, Any] | None = None) -> dict[str, Ask]:
    """Answer everything, each ask with its id where no reply is given; give the asks by id."""
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


def test_a_speaker_of_several_branches_goes_on_from_the_first() -> None:
    """Its branches come in declared order, then whatever is left between them."""
    asks = answer_all(talk([{"parallel": ["ben", "anna", "ben", "anna"]}, "anna"]), "B1", "A1", "B2", "A2")
    assert messages(asks[-1]) == [
        ("user", "Begin."),
        ("assistant", "A1\n\nA2"),
        ("user", "ben: B1\n\nben: B2"),
    ]


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
    assert messages(asks[-1])[1:] == [("assistant", "B1"), ("user", "cleo: C1\n\nanna: A2")]


def test_copies_inside_copies_are_all_different() -> None:
    """No two lines that go on side by side have a speaker in common; labels, seeds and ids differ as well."""
    inner = {"parallel": ["anna"], "for": "n", "in": "range(n0)"}
    block = {"parallel": [{"do": [inner, "anna"]}], "for": "n0", "in": "[3, 2, 4]"}
    conversation = talk([block], roles={"anna": {"seed": 5}})
    copies: dict[int, set[str]] = {}
    labels, ids = set(), set()
    while conversation.outcome is None:
        ask = conversation.pending[-1]
        copies.setdefault(ask.speaker.copy, set()).add(ask.id.split(".do")[0])
        labels.add(ask.label)
        ids.add(ask.id)
        assert ask.options["seed"] == 5 + ask.speaker.copy
        conversation.answer(ask, said("ok"))
    assert len(ids) == 3 + 2 + 4 + 3
    assert all(len(branches) == 1 for branches in copies.values()), "two branches of the outer block share a speaker"
    assert len(copies) == len(labels) == 3 + 2 + 4
    assert {"anna", "anna 2", "anna 3"} <= labels


def test_the_first_copy_goes_on_as_the_role_itself() -> None:
    """In a block of one level copies are numbered from the second on, and are the same ones in the next block."""
    block = {"parallel": ["anna"], "times": 3}
    asks = answer_all(talk(["anna", block, block]), *"zabcdef")
    assert [ask.label for ask in asks] == ["anna", *["anna", "anna 2", "anna 3"] * 2]
    assert extends(messages(asks[6]), messages(asks[3]))
    assert ("assistant", "c") in messages(asks[6])


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
    order, size = Order(), 30
    order.add(5, joined([[(0, 2)], [(1, 3), (0, 1)]], [7, 12], [2, 3], 5, 18))
    order.add(20, joined([[(0, 4)]], [22], [4], 20, 27))
    order.add(27, joined([[(0, 3)]], [27], [3], 27, size))  # as it stands: nothing to remember
    whole = [position for one, other in order.spans(0, size) for position in range(one, other)]
    assert whole == [
        *range(5),
        7,
        8,
        13,
        14,
        12,
        5,
        6,
        9,
        10,
        11,
        *range(15, 20),
        *range(22, 26),
        20,
        21,
        *range(26, 30),
    ]
    assert [order.rank(position) for position in whole] == list(range(size))
    for start in range(size):
        for end in range(start, size + 1):
            part = [position for one, other in order.spans(start, end) for position in range(one, other)]
            assert part == whole[start:end]
