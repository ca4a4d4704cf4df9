"""How much everybody has been told: a copy of it continues in a way of its own."""

from __future__ import annotations

from llm_gc.analysis.context_size import ContextEstimate


def test_a_copy_goes_its_own_way() -> None:
    """What is said, told and held there is not said, told or held here, and it begins with all that was here."""
    told = ContextEstimate(opening=3)
    told.say("anna", 10)
    told.instruct("anna", 2)
    told.held["draft"] = 10
    before, way = told.copy(), told.copy()
    assert (before, way) == (told, told)
    way.say("ben", 20)
    way.say("anna", 30)
    way.instruct("anna", 5)
    way.held["draft"] = 30
    assert told == before
    assert (told.held, told.piles["anna"].told) == ({"draft": 10}, 2)
    assert way.piles["anna"].heard == 40
