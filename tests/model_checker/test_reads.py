"""What is read, by whom, and up to where."""

from __future__ import annotations

from typing import Any

import pytest

from llm_gc.core import Files
from llm_gc.model_checker.condition_vars import Read, reads
from llm_gc.model_checker.liveness import Liveness
from llm_gc.templates import Templates
from tests.talks import pipeline


def live(turns: list[Any], at: tuple[Any, ...] = ("turns", 0), **keys: Any) -> set[tuple[str, bool]]:
    """Return what may be read from a step's request on, as dotted chains with whether something depends on them."""
    files = keys.pop("files", Files())
    found = Liveness(pipeline(turns, **keys), files).at[at, False]
    return {(".".join(chain), decides) for chain, decides in found}


@pytest.mark.parametrize(
    ("text", "chains"),
    [
        ("last.data.score > 3", {"last.data.score"}),
        ("notes[key].text", {"notes", "key"}),
        ("drafts | map(attribute='content') | join", {"drafts"}),
        ("said['ben'].failed", {"said.ben.failed"}),
    ],
)
def test_an_item_that_is_not_fixed_ends_the_chain(text: str, chains: set[str]) -> None:
    """All of what is before it is read."""
    assert {".".join(read.chain) for read in reads(Templates(), text, "expression", decides=True)} == chains


def test_what_cannot_be_compiled_reads_nothing() -> None:
    """Nor does what is no text."""
    assert reads(Templates(), "last.", "expression", decides=True) == frozenset()
    assert reads(Templates(), 3, "expression", decides=True) == frozenset()
    assert Read(("x",), False) in reads(Templates(), "{{ x }}", "template", decides=False)


def test_a_condition_decides_and_a_prompt_shows() -> None:
    """The same name may be read both ways."""
    turns = [{"say": "anna", "as": "a"}, "ben", {"say": "ben", "when": "a.data.ok", "instruction": "{{ a }}"}]
    assert live(turns, ("turns", 1)) == {("a.data.ok", True), ("a", False)}


def test_what_is_set_anew_is_not_read_before() -> None:
    """Neither a variable, nor the newest message, nor that of the role that speaks."""
    turns = ["anna", {"set": {"n": "said.anna.data.x"}}, {"say": "ben", "when": "n > 1 and last"}]
    assert live(turns, ("turns", 0)) == set()
    assert live(turns, ("turns", 2)) == set()


def test_a_variable_that_nothing_hangs_on_makes_its_expression_show() -> None:
    """It decides only where the variable does."""
    shown = ["anna", "ben", {"set": {"n": "said.anna.data.x"}}, {"say": "ben", "instruction": "{{ n }}"}]
    decides = ["anna", "ben", {"set": {"n": "said.anna.data.x"}}, {"say": "ben", "when": "n"}]
    assert live(shown) == set()  # anna's answer sets it again
    assert live(shown, ("turns", 1)) == {("said.anna.data.x", False)}
    assert live(decides, ("turns", 1)) == {("said.anna.data.x", True)}


def test_a_loop_reads_what_its_next_round_reads() -> None:
    """Also what is before, in the document."""
    turns = [{"repeat": [{"say": "anna", "when": "ready"}, "ben", {"set": {"ready": "true"}}], "times": 2}]
    assert live(turns, ("turns", 0, "repeat", 0)) == set()  # it is set again on every way
    turns = [{"repeat": [{"say": "anna", "when": "ready"}, "ben", {"set": {"other": "true"}}], "times": 2}]
    assert ("ready", True) in live(turns, ("turns", 0, "repeat", 1))


def test_a_branch_leaves_what_is_around_it_alone() -> None:
    """What it sets stays inside, so what is read behind the block is read of what was there before."""
    inner = {"do": ["anna", {"set": {"n": "2"}}, "anna"]}
    turns = [{"parallel": [inner, "ben"], "as": "all"}, {"say": "ben", "when": "n > 1 and all"}]
    found = live(turns, ("turns", 0, "parallel", 0, "do", 0))
    assert ("n", True) in found
    assert ("<joined>", True) in found


def test_the_result_is_read_wherever_it_may_end() -> None:
    """It may end at any turn, by a stop or a limit."""
    assert live(["anna", "ben"], ("turns", 0), result="{{ said.ben }}{{ x }}") == {("said.ben", False), ("x", False)}


def test_a_scene_reads_its_own_messages() -> None:
    """What is read of messages inside is not read of those outside, and what decides outside decides inside."""
    scene = {"scene": ["anna", {"say": "ben", "when": "last"}], "opening": "{{ x }}", "as": "s"}
    turns = ["ben", scene, {"say": "ben", "when": "s.data.ok"}]
    assert live(turns, ("turns", 0)) == {("x", False)}
    assert ("<heard>", True) in live(turns, ("turns", 1, "scene", 1))


def test_who_spoke_last_is_read_by_a_choice() -> None:
    """Until somebody speaks again."""
    turns = ["anna", {"choose": ["anna", "ben"], "by": "random"}, "anna"]
    assert ("<previous>", True) not in live(turns, ("turns", 1))
    found = Liveness(pipeline(turns), Files()).at[("turns", 1), True]
    assert Read(("<previous>",), True) in found


def test_the_pipeline_of_a_scene_is_gone_through_too() -> None:
    """Its steps are below the scene."""
    team = pipeline([{"say": "carl", "as": "c"}, "carl", {"say": "carl", "when": "c"}], roles=["carl"])
    found = live(
        [{"scene": "team.yaml"}],
        ("turns", 0, "scene", "turns", 1),
        files=Files({}, {"team.yaml": (team, Files())}),
    )
    assert ("c", True) in found
