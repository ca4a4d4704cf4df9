"""triage: a classifier's enum chooses one specialist."""

from __future__ import annotations

import pytest

from tests.gallery.plays import play
from tests.talks import failed

QUESTION = {"question": "What is 7 times 13?"}


@pytest.mark.parametrize("field", ["coder", "mathematician", "writer", "generalist"])
def test_the_field_chooses_one_specialist(field: str) -> None:
    """It alone is asked, hears the question alone, and its answer is the result."""
    played = play("triage", {"classifier": [{"field": field}], field: ["91"]}, QUESTION)
    assert played.order == ["classifier", field]
    assert played.asks[1].request.messages[1:] == [{"role": "user", "content": "What is 7 times 13?"}]
    assert played.ended == ("completed", "turns_done")
    assert played.result == "91"


def test_the_classifier_can_name_the_specialists_only() -> None:
    """Its reply is one of the names, whose descriptions it reads."""
    played = play("triage", {"classifier": [{"field": "coder"}], "coder": ["x"]}, QUESTION)
    assert played.asks[0].format["properties"]["field"]["enum"] == ["coder", "mathematician", "writer", "generalist"]
    assert "- coder: Programs, commands" in played.sent("classifier")


def test_where_the_classifier_fails_the_generalist_answers() -> None:
    """So it is if it names a field that there is not, twice."""
    assert play("triage", {"classifier": [failed()], "generalist": ["91"]}, QUESTION).result == "91"
    stray = {"classifier": {"field": "cook"}, "generalist": ["91"]}
    assert play("triage", stray, QUESTION).turns == ["classifier", "generalist"]


def test_where_the_specialist_fails_there_is_no_answer() -> None:
    """The classifier's word is not taken for one."""
    assert play("triage", {"classifier": [{"field": "coder"}], "coder": [failed()]}, QUESTION).result == ""
