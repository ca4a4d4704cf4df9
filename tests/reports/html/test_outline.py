"""Rounds, branches and scenes are read from the ids that the core gives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from llm_gc.reports.html.outline import Beside, Block, Inside, OutlinePlace, Round, outline, way
from llm_gc.transcript.records import TurnRecord
from tests.shown import rich
from tests.talks import answer_all, talk
from tests.transcript.test_transcript import transcript


def drawn(blocks: tuple[Block, ...]) -> list[Any]:
    """Return an outline in a form that can be read."""
    found: list[Any] = []
    for block in blocks:
        match block:
            case TurnRecord():
                found.append(f"{block.label} picks" if block.is_pick else block.label)
            case Round(numbers):
                found.append(numbers)
            case Beside(branches):
                found.append([drawn(branch) for branch in branches])
            case Inside(step, inner):
                found.append((step, drawn(inner)))
    return found


def outlined(turns: list[Any], **keys: Any) -> list[Any]:
    """Walk a conversation of these steps to its end, and return its outline."""
    conversation = talk(turns, roles=("a", "b"), **keys)
    answer_all(conversation)
    return drawn(outline(transcript(conversation).turns))


def test_turns_one_after_the_other() -> None:
    """A flat conversation stays flat; groups make no level."""
    assert outlined(["a", {"do": ["b", {"do": ["a"]}]}]) == ["a", "b", "a"]


def test_rounds() -> None:
    """Each begins with its number, inner ones with that of the outer round before it."""
    assert outlined([{"repeat": ["a", "b"], "times": 2}, "a"]) == [(1,), "a", "b", (2,), "a", "b", "a"]
    inner = {"repeat": ["b"], "times": 2}
    assert outlined([{"repeat": ["a", inner], "times": 2}]) == [
        (1,), "a", (1, 1), "b", (1, 2), "b", (2,), "a", (2, 1), "b", (2, 2), "b",
    ]  # fmt: skip


def test_branches() -> None:
    """Each branch is whole, items and copies too; a block in a branch is one in it."""
    assert outlined([{"parallel": ["a", {"do": ["b", "b"]}]}, "a"]) == [[["a"], ["b", "b"]], "a"]
    assert outlined([{"parallel": ["a"], "times": 2}]) == [[["a"], ["a 2"]]]
    nested = {"parallel": ["a", {"parallel": ["a", "b"]}]}
    assert outlined([nested]) == [[["a"], [[["a 2"], ["b"]]]]]


def test_branches_in_rounds() -> None:
    """Two blocks that follow each other stay two."""
    assert outlined([{"repeat": [{"parallel": ["a", "b"]}], "times": 2}]) == [
        (1,), [["a"], ["b"]], (2,), [["a"], ["b"]],
    ]  # fmt: skip
    assert outlined([{"parallel": ["a"]}, {"parallel": ["b"]}]) == [[["a"]], [["b"]]]


def test_a_scene() -> None:
    """It is a conversation inside, at its place in the document."""
    assert outlined(["a", {"scene": ["a", {"repeat": ["b"], "times": 1}], "opening": "x"}]) == [
        "a", ("turns.1.scene", ["a", (1,), "b"]),
    ]  # fmt: skip


def test_choices_and_repairs_stand_where_their_turn_does() -> None:
    """Neither changes where a turn is."""
    kinds = drawn(outline(rich().turns))
    assert kinds[2] == [["critic"], ["critic 2"], ["critic 3"]]
    assert kinds[3:7] == [(1,), "moderator picks", "tester", "critic"]
    assert kinds[-2:] == [("turns.4.scene", ["tester", "coder"]), "judge"]


def test_a_journal_in_order_of_arrival() -> None:
    """Branches whose turns arrived in turn are put side by side as declared."""
    conversation = talk([{"parallel": [{"do": ["a", "a"]}, {"do": ["b", "b"]}]}], roles=("a", "b"))
    answer_all(conversation)
    a1, a2, b1, b2 = transcript(conversation).turns
    assert drawn(outline([b1, a1, b2, a2])) == [[["a", "a"], ["b", "b"]]]


@pytest.mark.parametrize("id_", ["", "x", "turns", "turns.x", "turns.0.by.by", "turns.0.repeat:x.1"])
def test_an_id_that_is_none(id_: str) -> None:
    """Whoever writes a transcript by hand still sees its turns."""
    assert way(id_) == ()
    turn = replace(rich().turns[0], id=id_)
    assert outline([turn]) == (turn,)


def test_an_id_is_a_way() -> None:
    """Keys, rounds and places; marks at the end are no part of it."""
    assert way("turns.1.repeat:2.0.by#3") == (OutlinePlace("turns", None, 1), OutlinePlace("repeat", 2, 0))
