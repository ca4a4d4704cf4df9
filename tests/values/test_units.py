"""Durations: what is one, what is none, and that the schema's pattern says the same."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_gc.values.units import PATTERN, seconds

QUICK = settings(max_examples=100, derandomize=True, deadline=None, database=None)


@pytest.mark.parametrize(
    ("text", "value"),
    [("30s", 30.0), ("2m", 120.0), ("1h", 3600.0), ("500ms", 0.5), ("0.5s", 0.5), ("1.25m", 75.0), (" 30s\n", 30.0)],
)
def test_durations(text: str, value: float) -> None:
    """Milliseconds, seconds, minutes, hours; space around them, as a template may leave it, does not matter."""
    assert seconds(text) == value


@pytest.mark.parametrize(
    "text",
    ["", "30", 30, "s", "30 s", "30sec", "-1s", "+1s", "1h30m", ".5s", "1.s", "1e3s", "٣s", "0s", "0.0h", "inf", None,
     "9" * 400 + "h", "30S", "30s2"],
)  # fmt: skip
def test_no_durations(text: object) -> None:
    """Nothing lasts no time at all, or for ever; and a figure alone is none."""
    with pytest.raises(ValueError, match="is no duration; write 30s, 2m or 1h"):
        seconds(text)


@QUICK
@given(st.from_regex(PATTERN, fullmatch=True))
def test_what_fits_the_pattern_is_a_duration(text: str) -> None:
    """The schema promises nothing that is refused later."""
    assert 0 < seconds(text) < math.inf


@QUICK
@given(st.from_regex(r"[0-9]{0,3}(\.[0-9]{0,3})?(ms|s|m|h|d)?", fullmatch=True))
def test_the_pattern_and_the_reader_agree(text: str) -> None:
    """What the one takes the other takes."""
    try:
        seconds(text)
    except ValueError:
        assert not re.search(PATTERN, text)
    else:
        assert re.search(PATTERN, text)
