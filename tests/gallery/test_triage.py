"""triage: what its test file cannot say: the classifier can name the specialists only."""

from __future__ import annotations

from tests.gallery.plays import play


def test_the_classifier_can_name_the_specialists_only() -> None:
    """Its reply is one of the names."""
    played = play("triage", {"classifier": [{"field": "coder"}], "coder": ["x"]}, {"question": "What is 7 times 13?"})
    assert played.asks[0].format["properties"]["field"]["enum"] == ["coder", "mathematician", "writer", "generalist"]
