"""-k: words of names, joined by and, or, not and brackets."""

from __future__ import annotations

import pytest

from llm_gc.testing.selection import read

NAMES = ["m1 It ends.", "m1 It fails.", "debate It ends.", "debate All vote."]


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("m1", [0, 1]),
        ("IT", [0, 1, 2]),
        ("m1 and ends", [0]),
        ("m1 or vote", [0, 1, 3]),
        ("not m1", [2, 3]),
        ("not not m1", [0, 1]),
        ("m1 or debate and vote", [0, 1, 3]),
        ("(m1 or debate) and ends", [0, 2]),
        ("not (m1 or vote)", [2]),
        ("not m1 and not vote", [2]),
        ("nothing", []),
        ("ends.", [0, 2]),
    ],
)
def test_which_are_meant(text: str, chosen: list[int]) -> None:
    """As pytest has it: not binds more closely than and, and than or; capitals do not matter."""
    assert [number for number, name in enumerate(NAMES) if read(text)(name)] == chosen


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no word in it"),
        ("m1 and", "a word is missing at its end"),
        ("and m1", "a word is missing before 'and'"),
        ("not", "a word is missing at its end"),
        ("(m1", r"a '\)' is missing"),
        ("m1)", r"'\)' is not allowed there"),
        ("m1 ends", "'ends' is not allowed there"),
    ],
)
def test_what_is_none(text: str, message: str) -> None:
    """Is refused with what is wrong."""
    with pytest.raises(ValueError, match=message):
        read(text)
