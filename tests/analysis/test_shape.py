"""What the shape of a document is told: the alternative that was meant, at its place, in words."""

from __future__ import annotations

from typing import Any

import pytest

from llm_gc.analysis import shape
from llm_gc.analysis.wording import as_name, one_of, shown, within

BASE: dict[str, Any] = {"name": "x", "roles": {"anna": {"model": "m"}, "ben": {"model": "m"}}, "turns": ["anna"]}


def told(**keys: Any) -> list[tuple[str, str, str]]:
    """Return path, message and hint of all that is wrong with a document."""
    return [(".".join(map(str, p.path)), p.message, p.hint) for p in shape.check(BASE | keys)]


def role(**keys: Any) -> list[tuple[str, str, str]]:
    """Return what is wrong with a role."""
    return told(roles={"anna": {"model": "m", **keys}, "ben": {"model": "m"}})


def test_nothing_is_told_of_what_is_right() -> None:
    """Not a word."""
    assert told() == []


WORDS = "one of all, none, own, others"
NO_NAME = "is no name; a name has small letters, digits and _, and begins with a letter"
NAME = "a name of small letters, digits and _"
NUMBER = "a whole number or a template in {{ }}"


@pytest.mark.parametrize(
    ("value", "path", "message"),
    [
        ("othrs", "", f"'othrs' was given in 'anna.sees', and {WORDS}, a list, or a map was expected"),
        (["Ben"], ".0", f"'Ben' {NO_NAME}"),
        ([3], ".0", f"3 was given in 'anna.sees', and {NAME} was expected"),
        ({"form": "all"}, ".form", "unknown key 'form' in 'anna.sees'"),
        ({"last": 0}, ".last", "0 was given in 'sees.last', and at least 1 was expected"),
        ({"from": "al"}, ".from", f"'al' was given in 'sees.from', and {WORDS}, or a list was expected"),
        ({"from": [["a"]]}, ".from.0", f"a list was given in 'sees.from', and {NAME} was expected"),
        (None, "", "the key 'sees' has no value"),
    ],
)
def test_the_alternative_that_was_meant(value: Any, path: str, message: str) -> None:
    """Is told by the type of what was given; where none fits, all of them are named."""
    ((found, text, _),) = role(sees=value)
    assert (found, text) == (f"roles.anna.sees{path}", message)


@pytest.mark.parametrize(
    ("value", "shown_as", "wanted", "hint"),
    [
        ("ten", "'ten'", NUMBER, ""),
        ("10", "'10'", NUMBER, "Leave the quotes out."),
        (-1, "-1", "at least 0", ""),
        (2.5, "2.5", NUMBER, ""),
        ([], "an empty list", NUMBER, ""),
        (True, "true", NUMBER, ""),
    ],
)
def test_a_number_or_a_template(value: Any, shown_as: str, wanted: str, hint: str) -> None:
    """What is neither is notified of both; what is too small, of that alone."""
    message = f"{shown_as} was given in 'limits.max_turns', and {wanted} was expected"
    assert told(limits={"max_turns": value}) == [("limits.max_turns", message, hint)]


def test_a_step_of_two_kinds_is_told_once() -> None:
    """And not of each kind that the other's keys are unknown to it."""
    message = "a step is one thing, and this one has the keys 'say' and 'repeat'"
    assert told(turns=[{"say": "anna", "repeat": ["ben"], "nonsense": 1}]) == [("turns.0.repeat", message, "")]


def test_a_step_speaks_of_its_own_kind() -> None:
    """The one whose key it has, however deep it is."""
    inner = {"repeat": [{"do": [{"choose": ["anna"], "by": "ben", "until": "x"}]}]}
    ((path, message, hint),) = told(turns=[inner])
    assert (path, message) == ("turns.0.repeat.0.do.0.until", "unknown key 'until' in 'repeat.do'")
    assert hint == "It is a key of 'repeat'."


def test_a_role_that_was_meant() -> None:
    """Is asked for where a role's name can be."""
    assert told(turns=["Anna"])[0][2] == "Did you mean 'anna'?"
    assert told(turns=["Carl Friedrich"])[0][2] == "Write 'carl_friedrich'."


@pytest.mark.parametrize("depth", [1, 10, 45])
@pytest.mark.parametrize("kind", ["do", "repeat", "parallel", "scene"])
def test_deep_steps(depth: int, kind: str) -> None:
    """What is wrong at the bottom is told at the bottom."""
    steps: Any = [{"sya": "anna"}]
    for _ in range(depth):
        steps = [{kind: steps}]
    ((path, _, hint),) = told(turns=steps)
    assert path == ".".join(["turns.0", *[f"{kind}.0"] * depth, "sya"])
    assert hint == "Did you mean 'say'?"


def test_deeper_than_can_be_checked() -> None:
    """Is told as that."""
    steps: Any = ["anna"]
    for _ in range(2000):
        steps = [{"do": steps}]
    assert told(turns=steps) == [("", "the steps are nested too deeply to be checked", "")]


@pytest.mark.parametrize("name", ["m1\n", "x\n\n"])
def test_the_end_of_a_text_is_its_end(name: str) -> None:
    """A line break behind a name is part of it."""
    assert told(name=name)[0][0] == "name"


@pytest.mark.parametrize(
    ("value", "text"),
    [({}, "an empty map"), ([1], "a list"), (None, "nothing"), (True, "true"), ("", "an empty text"), ("a'b", '"a\'b"'),
     (0.5, "0.5"), ("x" * 100, "'" + "x" * 56 + "…'")],
)  # fmt: skip
def test_values_as_they_are_shown(value: Any, text: str) -> None:
    """Shortly, and never as Python has them."""
    assert shown(value) == text


def test_small_words() -> None:
    """Lists of words, places, names."""
    assert one_of(["a list", "a map", "a list"]) == "a list or a map"
    assert one_of(["text"]) == "text"
    assert one_of(["one of a, b", "a map"]) == "one of a, b, or a map"
    assert within(("turns", 0, "repeat", 1, "say")) == " in 'repeat.say'"
    assert within((0,)) == ""
    assert [as_name(text) for text in ("Chief Editor!", "2nd", "  ", "Über-Ich", "a__b")] == [
        "chief_editor", "", "", "ber_ich", "a_b"]  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "hints"),
    [
        ({"timeout": "3s"}, ["It is a key of 'limits'."]),
        ({"model": "m"}, ["It is a key of a role or 'defaults'."]),
        ({"max_tokens": 3}, ["It is a key of a role, 'defaults' or 'limits'."]),
        ({"max_turns": 3}, ["It is a key of 'limits'."]),
        ({"limits": {"num_ctx": 3}, "defaults": {"top_p": 1}},
         ["Write it under 'options': options: {top_p: …}.", "It is a key of a role or 'defaults'."]),
        ({"turns": [{"say": "anna", "top_k": 3}, {"do": ["anna"], "timeout": "3s"}]},
         ["The keys here are when, instruction, sees, format, max_tokens, temperature, as, result, speaker, say.",
          "It is a key of 'limits'."]),
        ({"turns": [{"do": ["anna"], "sees": "none"}, {"repeat": ["anna"], "instruction": "Go."}]},
         ["It is a key of 'say', 'choose', a role or 'defaults'.", "It is a key of 'say' or 'choose'."]),
        ({"stop": [{"token": "x", "seed": 3}]}, ["The keys here are token, match, role, when."]),
    ],
)  # fmt: skip
def test_a_key_that_stands_in_the_wrong_place(keys: dict[str, Any], hints: list[str]) -> None:
    """Its place is told, before keys with a name like it."""
    assert [hint for _, _, hint in told(**keys)] == hints
