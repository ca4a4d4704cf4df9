"""What differs, said so that it can be read: values by their places, texts by their words."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gc.transcript.differences import ABSENT, Change, changes, marked, message_lines, pipeline_changes
from llm_gc.transcript.records import PipelineRecord
from llm_gc.values.frozen import freeze
from tests.transcript.test_transcript import FAST

OLD: dict[str, Any] = {
    "roles": {"anna": {"temperature": 0.2, "model": "m"}},
    "turns": ["anna", {"repeat": ["ben"]}, "anna"],
    "limits": {"max_turns": 4},
}


def told(old: Any, new: Any) -> list[str]:
    """Return the changes in words."""
    return [line for change in changes(old, new) for line in change.lines()]


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (("roles", "anna", "temperature"), 0.7, "roles.anna.temperature: 0.2 -> 0.7"),
        (("roles", "anna", "label"), "A", 'roles.anna.label: (absent) -> "A"'),
        (("limits",), {}, "limits.max_turns: 4 -> (absent)"),
        (("turns",), ["anna", "anna"], 'turns.1: {"repeat": ["ben"]} -> (absent)'),
        (("turns",), [*OLD["turns"], "ben"], 'turns.3: (absent) -> "ben"'),
        (("turns", 1, "repeat"), ["cleo"], 'turns.1.repeat.0: "ben" -> "cleo"'),
        (("limits", "max_turns"), True, "limits.max_turns: 4 -> true"),
    ],
)
def test_a_value_that_differs(path: tuple[Any, ...], value: Any, line: str) -> None:
    """One line with the place, what was there and what is; nothing else is told."""
    new = deepcopy(OLD)
    node: Any = new
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    assert told(OLD, new) == [line]


def test_true_is_not_one() -> None:
    """As in JSON."""
    assert told({"a": 1}, {"a": True}) == ["a: 1 -> true"]
    assert told({"a": 1}, {"a": 1.0}) == []


def test_a_long_text_is_shown_by_its_words() -> None:
    """Below its place, with what is around."""
    text = "You review a plan for its risks.\nName at most three of them.\nEnd with APPROVED where there is none."
    change = Change(("prompts", "a.j2"), text, text.replace("three", "five"))
    assert change.lines() == [
        "prompts.a.j2:",
        "    You review a plan for its risks.",
        "  - Name at most [-three-] of them.",
        "  + Name at most {+five+} of them.",
        "    End with APPROVED where there is none.",
    ]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "a", "b c", "x\ny"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=10,
)


@FAST
@given(VALUES, VALUES)
def test_equal_values_have_no_changes_and_others_do(old: Any, new: Any) -> None:
    """Nothing is notified of two values exactly if they are the same JSON; frozen or not makes no difference."""
    same = json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True)
    assert (list(changes(old, freeze(new))) == []) == same
    assert list(changes(old, deepcopy(old))) == []


TEXTS = st.text(alphabet="ab \n.{+-[", max_size=30)


@FAST
@given(TEXTS, TEXTS)
def test_marked_lines_hold_both_texts(old: str, new: str) -> None:
    """Lines are marked exactly where there is a difference, and without the marks each side's own are there."""
    lines = marked(old, new)
    assert (lines == []) == (old == new)
    if old.splitlines() != new.splitlines():
        gone = [line for line in lines if line.startswith("- ")]
        come = [line for line in lines if line.startswith("+ ")]
        assert gone or come
        for side, text, marks in ((gone, old, ("[-", "-]")), (come, new, ("{+", "+}"))):
            for line in side:
                bare = line[2:]
                assert bare in text.splitlines() or any(mark in bare for mark in marks)


def test_lines_far_from_a_difference_are_left_out() -> None:
    """Two are shown before it and after it, and a mark where others are not."""
    old = [f"line {number}" for number in range(20)]
    new = [*old[:10], "line ten", *old[11:]]
    assert marked("\n".join(old), "\n".join(new)) == [
        "  …", "  line 8", "  line 9", "- line [-10-]", "+ line {+ten+}", "  line 11", "  line 12"
    ]  # fmt: skip


def test_lines_with_nothing_in_common_are_shown_whole() -> None:
    """Marks between every other letter would help nobody."""
    assert marked("All is well.", "x = {}; y = []") == ["- All is well.", "+ x = {}; y = []"]


def test_line_ends_alone() -> None:
    """A difference that no line shows is shown all the same."""
    assert marked("a\n", "a") == ["- 'a\\n'", "+ 'a'"]


def test_messages_that_differ() -> None:
    """With number and role, those that only one side has too; equal ones are left out."""
    system = {"role": "system", "content": "You are brief."}
    old = [system, {"role": "user", "content": "Plan it."}]
    new = [system, {"role": "user", "content": "Plan that."}, {"role": "assistant", "content": "Yes."}]
    assert message_lines(old, new) == [
        "@@ message 2, user @@", "- Plan [-it-].", "+ Plan {+that+}.", "@@ message 3, assistant @@", "+ Yes."
    ]  # fmt: skip
    assert message_lines(new, old)[-2:] == ["@@ message 3, assistant @@", "- Yes."]
    assert message_lines([system], [{**system, "role": "user"}]) == ["@@ message 1, system -> user @@"]


def test_pipelines_that_differ() -> None:
    """In a prompt, in a scene's pipeline, or in whether there is one."""
    inner = PipelineRecord("inner", "inner.yaml", "0", {"seed": 1})
    old = PipelineRecord("p", "p.yaml", "0", OLD, {"a.j2": "One."}, {"inner.yaml": inner})
    changed = PipelineRecord("inner", "inner.yaml", "1", {"seed": 2})
    new = PipelineRecord("p", "p.yaml", "1", OLD, {"a.j2": "Two."}, {"inner.yaml": changed})
    assert [change.lines() for change in pipeline_changes(old, new)] == [
        ['prompts.a.j2: "One." -> "Two."'],
        ["scenes.inner.yaml.seed: 1 -> 2"],
    ]
    alone = PipelineRecord("p", "p.yaml", "1", OLD, {"a.j2": "One."})
    assert list(pipeline_changes(old, alone)) == [Change(("scenes", "inner.yaml"), "…", ABSENT)]
