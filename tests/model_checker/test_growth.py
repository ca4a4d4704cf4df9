"""States grow with the length of a conversation, not with the number of ways through it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from llm_gc.model_checker.state_key import States
from tests.model_checker.exploring import Unmerged, explore

ROUNDS = (2, 4, 8)


def states(rounds: int, kind: type[States] = States) -> int:
    """Count the states of two who speak so many rounds, each of whom may be stopped."""
    turns = [{"repeat": ["anna", "ben"], "times": rounds}]
    return len(explore(turns, stop=["DONE"], states=kind, max_states=3000).nodes)


def is_linear(counts: list[int]) -> bool:
    """Return whether twice the rounds make about twice the states."""
    return all(later <= 2.2 * earlier for earlier, later in pairwise(counts))


def test_twice_the_rounds_make_twice_the_states() -> None:
    """Merging keeps it from doubling with each round."""
    assert is_linear([states(rounds) for rounds in ROUNDS])


def test_without_merging_it_is_not_so() -> None:
    """So it is the merging that keeps it."""
    assert not is_linear([states(rounds, Unmerged) for rounds in ROUNDS[:2]])


@pytest.mark.parametrize("rounds", ROUNDS)
def test_every_way_ends_all_the_same(rounds: int) -> None:
    """All endings are found: by the stop at any turn, by the last turn, and where nobody ever succeeded."""
    turns = [{"repeat": ["anna", "ben"], "times": rounds}]
    found = explore(turns, stop=["DONE"])
    assert found.is_whole
    assert {(end.status, end.reason, end.turns) for end in found.seen.order} == {
        ("completed", "stop_token", (1, 2 * rounds - 1)),
        ("completed", "stop_token", (2, 2 * rounds)),
        ("completed", "turns_done", (2 * rounds, 2 * rounds)),
        ("failed", "turns_done", (2 * rounds, 2 * rounds)),
    }
