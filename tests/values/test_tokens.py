"""Tokens estimated from characters."""

from __future__ import annotations

import pytest

from llm_gc.values.units import as_tokens


@pytest.mark.parametrize(("characters", "tokens"), [(0, 0), (1, 1), (4, 1), (5, 2), (4_000, 1_000)])
def test_begun_tokens_count(characters: int, tokens: int) -> None:
    """What is left over after whole tokens takes one more; nothing takes none."""
    assert as_tokens(characters) == tokens
