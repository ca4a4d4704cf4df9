"""Merging loses nothing: whatever an exploration without merging comes to, one with merging comes to as well."""

from __future__ import annotations

from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_gc.conversation import Conversation, Files
from llm_gc.drivers.explore import search as searching
from llm_gc.drivers.explore.search import Exploration, Search
from llm_gc.drivers.explore.state import Key
from llm_gc.errors import TemplateError
from llm_gc.pipeline import Pipeline
from tests.conversation.test_properties import documents
from tests.talks import pipeline

ROLES = ("anna", "ben", "cleo")
MOST = 1500


def unmerged(made: Pipeline) -> Exploration:
    """Explore with each state new, and every loop followed in all ways."""
    search, numbers = Search(made, {}, Files(), max_states=MOST), count()

    def key(_: Conversation) -> Key:
        return Key(next(numbers), None)

    search._states.key = key  # type: ignore[method-assign]
    return search.run()


def come_to(exploration: Exploration) -> dict[str, set[Any]]:
    """Give what an exploration came to, as far as it does not tell on which way."""
    seen = exploration.seen
    told = ("step", "when", "until", "spoke", "stop", "ended")
    return {
        "visits": {visit for visit in seen.visits if visit.kind in told},
        "endings": {(end.reason, end.failure, end.turns) for end in seen.order},
        "faults": {what.partition(":")[0] for _, what in seen.faults},
    }


@settings(max_examples=120, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(documents, st.none())
def test_merging_loses_nothing(document: dict[str, Any], _: None) -> None:
    """Steps, branches, stops, endings with their turns, and failures are the same without merging."""
    document["limits"]["max_turns"] = min(document["limits"]["max_turns"], 5)
    made = pipeline(roles={name: {} for name in ROLES}, **document)
    try:
        whole = unmerged(made)
    except TemplateError:
        return
    if not whole.is_whole:
        return
    merged = Search(made, {}, Files(), max_states=MOST).run()
    assert merged.is_whole
    assert len(merged.nodes) <= len(whole.nodes)
    assert come_to(merged) == come_to(whole)


assert searching.FULL
