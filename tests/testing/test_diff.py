"""Diffs: expected and actual line by line, and the place where a text comes nearest to what it was to contain."""

from __future__ import annotations

from typing import Any

import pytest

from llm_gc.testing.comparing import MAX_LINES, diff, nearest, shown


@pytest.mark.parametrize(
    ("expected", "actual", "lines"),
    [
        ("a\nb\nc", "a\nB\nc", ["  a", "- b", "+ B", "  c"]),
        ("", "a", ["- (empty)", "+ a"]),
        (["a", "b"], ["b", "c"], ["- a", "  b", "+ c"]),
        ([], ["a"], ["- (none)", "+ a"]),
        ([1, None], [1, {"a": 2}], ["  1", "- null", '+ {"a": 2}']),
        ({"a": 1}, {"a": 2}, ["  {", '-   "a": 1', '+   "a": 2', "  }"]),
        ("7", 7, ['- "7"', "+ 7"]),
        (None, "", ["- null", '+ ""']),
        ("a b \nc", "a b\nc", ["- a·b·", "+ a·b", "  c"]),
        ("a\tb", "a b", ["- a→b", "+ a·b"]),
        ("a\u00a0b", "a b", ["- a⍽b", "+ a·b"]),
        ("a\n", "a", ["- a↵", "+ a"]),
        ("a\r\nb", "a\nb", ["- a␍↵", "+ a↵", "  b"]),
        ("é", ["é"], ['- "é"', "+ [", '+   "é"', "+ ]"]),
    ],
)
def test_how_values_differ(expected: Any, actual: Any, lines: list[str]) -> None:
    """Texts and lists by their lines and items, anything else as JSON; a number is not its text."""
    assert list(diff(expected, actual)) == lines


def test_a_long_diff_is_cut() -> None:
    """It says how much more there is."""
    lines = diff("a", "\n".join(map(str, range(100))))
    assert len(lines) == MAX_LINES + 1
    assert lines[-1] == "  … 61 more lines"


def test_where_a_text_comes_nearest() -> None:
    """Two lines around what the two have in common; all of it where that is nothing."""
    text = "\n".join("abcdefghij")
    assert list(nearest("e\nX\ng", text)) == ["  …", "+ c", "+ d", "  e", "- X", "+ f", "  g", "+ h", "+ i", "  …"]
    assert list(nearest("X", "a\nb\nc")) == ["- X", "+ a", "+ b", "+ c"]


def test_a_value_in_a_line() -> None:
    """With line breaks shown, and cut where it is long."""
    assert shown("a\nb") == '"a\\nb"'
    assert shown({"a": None}) == '{"a": null}'
    assert len(shown("x" * 200)) == 80
