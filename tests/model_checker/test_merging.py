"""Merging loses nothing: whatever an exploration without merging reaches, one with merging reaches as well."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings

from llm_gc.core import Files
from llm_gc.errors import TemplateError
from llm_gc.language.pipeline import Pipeline
from llm_gc.model_checker.search import Exploration, Search
from llm_gc.model_checker.state_key import States
from tests.core.test_properties import documents
from tests.model_checker.exploring import Unmerged
from tests.talks import pipeline

ROLES = ("anna", "ben", "cleo")
MOST = 60
"""Without merging there are soon more states than this; such pipelines are left out."""


def explored(made: Pipeline, states: type[States] = States) -> Exploration:
    """Explore it."""
    return Search(made, {}, Files(), max_states=MOST, states=states).run()


def come_to(exploration: Exploration) -> dict[str, set[Any]]:
    """Return what an exploration came to, as far as it does not depend on the way."""
    told = ("step", "when", "until", "spoke", "stop", "ended")
    return {
        "visits": {visit for visit in exploration.seen.visits if visit.kind in told},
        "endings": {(end.reason, end.failure, end.turns) for end in exploration.seen.order},
        "faults": {what.partition(":")[0] for _, what in exploration.seen.faults},
    }


def compare(document: dict[str, Any]) -> None:
    """Explore a pipeline with and without merging, and see that both come to the same."""
    document["limits"]["max_turns"] = min(document["limits"]["max_turns"], 4)
    made = pipeline(**{"roles": {name: {} for name in ROLES}, **document})
    try:
        whole = explored(made, Unmerged)
    except TemplateError:
        assume(False)
        raise
    assume(whole.is_whole)
    merged = explored(made)
    assert len(merged.nodes) <= len(whole.nodes)
    assert come_to(merged) == come_to(whole)


SETTINGS = settings(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@settings(SETTINGS, max_examples=25)
@given(documents)
def test_merging_loses_nothing(document: dict[str, Any]) -> None:
    """Steps, branches, stops, endings with their turns, and failures are the same without merging."""
    compare(document)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@settings(SETTINGS, max_examples=300)
@given(documents)
def test_merging_loses_nothing_of_many(document: dict[str, Any]) -> None:
    """So it is for many pipelines."""
    compare(document)
