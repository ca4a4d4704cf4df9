"""The name that was meant."""

from __future__ import annotations

import pytest

from llm_gc.values.did_you_mean import near, nearest


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("revewer", "reviewer"),
        ("Reviewer", "reviewer"),
        ("REVIEWRE", "reviewer"),
        ("xyz", ""),
        ("", ""),
        ("max", "Max"),
    ],
)
def test_the_nearest_name(word: str, found: str) -> None:
    """Whatever its case; None where none is near."""
    assert nearest(word, ["implementer", "reviewer", "Max"]) == found


def test_it_is_asked_for() -> None:
    """As a question, or not at all."""
    assert near("bem", ["anna", "ben"]) == "Did you mean 'ben'?"
    assert near("carl", ["anna", "ben"]) == ""
    assert near("anna", []) == ""
