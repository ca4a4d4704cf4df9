"""What templates see of a message: what the others are sent of it, and why a turn failed."""

from __future__ import annotations

from typing import Any

import pytest

from llm_gc.protocol import NOTHING
from tests.talks import answer_all, failed, talk

PARTS = "{{ [last.content, last.heard, last.error] }}"


def seen(turns: list[Any], *replies: Any, text: str = PARTS, **keys: Any) -> Any:
    """Return what comes of a text at the end."""
    conversation = talk(turns, result=text, **keys)
    answer_all(conversation, *replies)
    assert conversation.outcome is not None
    return conversation.outcome.result


@pytest.mark.parametrize(
    ("step", "reply", "parts"),
    [
        ("anna", "A plan.", ["A plan.", "A plan.", None]),
        ("anna", "anna: A plan.", ["anna: A plan.", "A plan.", None]),
        ({"say": "anna", "result": ""}, "A plan.", ["A plan.", "", None]),
        ({"say": "anna", "result": "{{ last.content | upper }} {{ last.heard }}"}, "a", ["a", "A a", None]),
        ("anna", failed(message="It broke.", content="half"), ["", "", "It broke."]),
        ({"post": "Listen."}, "", ["Listen.", "Listen.", None]),
        ({"scene": ["anna"], "opening": "In.", "result": "So: {{ last }}"}, "a", ["So: a", "So: a", None]),
        ({"scene": ["anna"], "opening": "In.", "result": "{{ [1, 2] }}"}, "a", ["[1, 2]", "[1, 2]", None]),
        ({"scene": [{"say": "anna", "result": "heard"}], "opening": "In."}, "all", ["all", "heard", None]),
        ({"scene": ["anna", {"end": "No.", "failed": True}], "opening": "In."}, "a", ["", "", "No."]),
        ({"scene": ["anna"], "opening": "In."}, failed(message="It broke."), ["", "", "It broke."]),
    ],
)
def test_what_is_heard_and_why_it_failed(step: Any, reply: Any, parts: list[str | None]) -> None:
    """Of a turn, a post and a scene; the others are sent exactly what is there as heard."""
    assert seen(["ben", step], "B", reply) == parts
    conversation = talk(["ben", step, {"say": "ben", "instruction": "Go on."}])
    last = answer_all(conversation, "B", *([reply] if reply else []))[-1]
    sent = [text for message in last.request.messages for text in message["content"].split("\n\n")]
    assert [text.partition(": ")[2] for text in sent if ": " in text] == ([parts[1]] if parts[1] else [])


def test_in_a_block_as_well() -> None:
    """`as` gives the messages of the branches with all their parts."""
    block = {"parallel": ["anna", {"say": "anna", "result": "less"}, "ben"], "as": "all"}
    text = "{{ all | map(attribute='heard') | list }}"
    assert seen([block], "A", "More.", failed(), text=text) == ["A", "less", ""]
    assert seen([block], "A", "More.", failed(), text="{{ all | map(attribute='error') | list }}")[2] == "It broke."


def test_who_has_not_spoken_has_nothing_of_it() -> None:
    """An empty text, and none."""
    assert seen(["ben"], text="{{ [said.anna.heard, said.anna.error] }}") == ["", None]
    assert (NOTHING.heard, NOTHING.error) == ("", None)


@pytest.mark.parametrize(
    ("result", "heard"),
    [
        ("Nothing was done.", ["scene: Nothing was done."]),
        ("{{ 'Done.' if last else 'Nothing.' }}", ["scene: Nothing."]),
        ("", []),
        ("{{ last.content }}", []),
        ("{{ verdict.data.ok }}", []),
        (None, []),
    ],
)
def test_a_result_is_heard_though_nobody_spoke(result: str | None, heard: list[str]) -> None:
    """Where it gives a text; one that needs what was not said gives none."""
    scene = {
        "scene": [{"say": "anna", "when": "false", "as": "verdict"}],
        **({"result": result} if result is not None else {}),
    }
    conversation = talk([scene, "ben"], result="{{ messages | map(attribute='turn') | list }}")
    (ask,) = answer_all(conversation)
    assert ask.request.messages[0]["content"].split("\n\n") == ["Begin.", *heard]
    assert conversation.outcome is not None
    assert conversation.outcome.result == [*[None for _ in heard], 1]
    assert conversation.outcome.status == "completed"
