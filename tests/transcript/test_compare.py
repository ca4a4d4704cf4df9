"""Two transcripts compared: the same conversation, or where they part and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from llm_gc.transcript.compare import Comparison, compare
from llm_gc.transcript.records import Resumption, Transcript, Versions
from llm_gc.transcript.replies import replies
from tests.talks import failed, said, talk
from tests.transcript.test_transcript import FAST, Case, cases, drive, transcript

LINES = ["One.", "Two.", "Three."]


def had(lines: Any = LINES, **keys: Any) -> Transcript:
    """Return the transcript of a conversation in which these lines were said."""
    conversation = talk(keys.pop("turns", ["anna", "ben", "anna"]), **keys)
    drive(conversation, [said(line) if isinstance(line, str) else line for line in lines])
    return transcript(conversation)


def causes(found: Comparison) -> list[tuple[str, ...]]:
    """Return each turn's causes."""
    return [pair.causes for pair in found.pairs]


@FAST
@given(cases())
def test_a_conversation_is_the_same_as_itself(case: Case) -> None:
    """Whatever is in it; times and ids do not count."""
    made, _, _ = case.play()
    later = replace(made, id="later", started_at="2027-01-01T00:00:00.000Z")
    found = compare(made, later)
    assert not found.differs
    assert (found.same, found.parting, found.end) == (len(made.turns), None, ())


def test_another_reply() -> None:
    """The turn at which it was given, and then what follows from it."""
    found = compare(had(), had(["One.", "Two, or so.", "Three."]))
    assert causes(found) == [(), ("reply",), ("request",)]
    assert (found.same, found.differs) == (1, True)
    assert found.parting is not None
    assert found.parting.place == "turn 2, ben"
    assert found.parting.lines == ("@@ reply @@", "- Two.", "+ Two{+, or so+}.")
    assert found.pairs[2].lines == ()


def test_another_seed() -> None:
    """It is told apart from another request; the reply may be the same all the same."""
    found = compare(had(seed=1), had(seed=2))
    assert causes(found) == [("seed",)] * 3
    assert found.parting is not None
    assert found.parting.lines[0].startswith("seed: ")


@pytest.mark.parametrize(
    ("keys", "cause", "line"),
    [
        ({"opening": "Start."}, "request", "+ {+Start+}."),
        ({"roles": {"anna": {"temperature": 0.5}, "ben": {}}}, "request", "options.temperature: (absent) -> 0.5"),
        ({"roles": {"anna": {"model": "n"}, "ben": {}}}, "model", 'model: "m" -> "n"'),
        ({"turns": [{"say": "anna", "format": {"ok": {}}}, "ben", "anna"]}, "request", "format: null -> {"),
        ({"turns": ["ben", "ben", "anna"]}, "step", "+ ben at turns.0"),
    ],
)
def test_another_request(keys: Any, cause: str, line: str) -> None:
    """What was asked of whom, and how."""
    lines = ['{"ok": 1}', *LINES[1:]]
    found = compare(had(lines), had(lines, **keys))
    assert found.same == 0
    assert found.parting is not None
    assert cause in found.parting.causes
    assert any(shown.startswith(line) for shown in found.parting.lines), found.parting.lines


def test_another_digest() -> None:
    """The same request to a model that has changed since; after a resumption the newer one counts."""
    one = replace(had(), versions=Versions("0", "b", None, {"m": "old"}))
    other = replace(one, versions=Versions("0", "b", None, {"m": "new"}))
    assert causes(compare(one, other)) == [("digest",)] * 3
    resumed = replace(one, resumed=(Resumption("2026-01-01T00:00:00.000Z", 2, other.versions),))
    assert causes(compare(one, resumed)) == [(), (), ("digest",)]


def test_a_failed_reply() -> None:
    """Its error and what had arrived are parts of the reply."""
    found = compare(had(), had(["One.", failed("timeout", "Late.", content="Tw"), "Three."]))
    assert found.parting is not None
    assert found.parting.causes == ("reply",)
    assert 'error: null -> {"kind": "timeout", "message": "Late."}' in found.parting.lines


def test_one_is_longer() -> None:
    """What only one of them has is told as such, and so is another end."""
    found = compare(had(LINES[:2]), had())
    assert causes(found) == [(), (), ("missing",)]
    assert found.parting is not None
    assert (found.parting.first, found.parting.place) == (None, "turn 3, anna")
    assert [change.place for change in found.end] == [
        "status", "ended_by.reason", "ended_by.detail", "result"
    ]  # fmt: skip


def test_what_took_part() -> None:
    """Another version of llm-gc or of the server is told, and does not make it another conversation."""
    one = had()
    found = compare(one, replace(one, versions=replace(one.versions, llm_gc="9", server="8")))
    assert [change.place for change in found.around] == ["versions.llm_gc", "versions.server"]
    assert not found.differs


def test_inputs_and_pipelines() -> None:
    """They are compared as documents."""
    one = had()
    pipeline = replace(one.pipeline, document={"name": "other"})
    found = compare(one, replace(one, inputs={"task": "Else."}, pipeline=pipeline))
    assert [change.lines() for change in found.inputs] == [['task: "Do it." -> "Else."']]
    assert [change.lines() for change in found.pipeline] == [['name: "test" -> "other"']]
    assert found.differs
    assert found.parting is None


def test_a_transcript_that_was_changed_is_refused() -> None:
    """Where it shows: what is to be rebuilt is not what was sent."""
    one = had()
    assert list(replies(one.turns)) == ["turns.0", "turns.1", "turns.2"]
    turns = (replace(one.turns[0], content="Else."), *one.turns[1:])
    with pytest.raises(ValueError, match="the transcript was changed"):
        compare(replace(one, turns=turns), had(opening="Start."))
