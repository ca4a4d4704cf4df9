"""group-chat-random: what its test file cannot say: that the draw is seeded and fair."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from tests.gallery.plays import Play, play

ROLES = {"gardener": "a seed", "engineer": "a gear", "poet": "a moon"}


def drawn(seed: int | None = None, ideas: int = 30) -> Play:
    """Return a conversation of so many ideas."""
    return play("group-chat-random", ROLES, {"topic": "kites", "ideas": ideas}, seed=seed)


def test_the_draw_is_seeded() -> None:
    """The same seed draws the same speakers, another one others."""
    assert drawn().order == drawn().order == drawn(7).order
    assert drawn(1).order != drawn(2).order


def test_nobody_twice_in_a_row_and_nobody_forgotten() -> None:
    """The newest speaker is left out of each draw; over many draws everybody comes."""
    order = drawn().order
    assert all(one != two for one, two in pairwise(order))
    assert min(Counter(order).values()) > 5
