"""Slips and surprises: they end in an error that names its place, and lose nothing that was answered."""

from __future__ import annotations

from typing import Any

import pytest

from llm_gc.core import Conversation, Files
from tests.talks import answer_all, failed, pipeline, said, speakers, talk


def ended(conversation: Conversation, *replies: str) -> tuple[str, str]:
    """Return why and how it ended, once all is answered."""
    answer_all(conversation, *replies)
    assert conversation.outcome is not None
    return conversation.outcome.reason, conversation.outcome.detail


IDLE: list[dict[str, Any]] = [{"scene": [{"set": {"x": "1"}}]}, {"parallel": [{"set": {"x": "1"}}]}]


@pytest.mark.parametrize("step", IDLE)
def test_a_scene_or_a_block_that_asks_nothing_hides_no_endless_loop(step: dict[str, Any]) -> None:
    """Steps without an ask are counted through scenes and blocks."""
    reason, detail = ended(talk([{"repeat": [step], "times": 10**9}]))
    assert reason == "error"
    assert "10,000 steps" in detail


def test_a_block_of_absurdly_many_branches_is_an_error() -> None:
    """The branches are counted before any of them is made."""
    reason, detail = ended(talk([{"parallel": ["anna"], "times": "{{ 10 ** 15 }}"}]))
    assert (reason, detail) == ("error", "pipeline test, turns.0: there can be at most 10,000 branches")


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"multipleOf": 0.5}}},
        {"$ref": "#/nowhere"},
        {"$ref": "#"},
    ],
)
def test_a_reply_that_cannot_be_held_against_its_schema_does_not_fit(schema: dict[str, Any]) -> None:
    """Whatever the validator stumbles over is a misfit, never a crash."""
    conversation = talk([{"say": "anna", "format": schema}, "ben"], limits={"repairs": 0})
    answer_all(conversation, '{"a": 1' + "0" * 400 + "}")
    assert [turn.message.failed for turn in conversation.turns] == [True, False]


def test_no_repair_where_no_time_is_left() -> None:
    """A reply that does not fit is not asked for again with a deadline that is over."""
    conversation = talk([{"say": "anna", "format": {"a": {}}}, "ben"], limits={"max_time": "1s"})
    assert len(answer_all(conversation, "no JSON")) == 1


def test_a_turn_whose_result_cannot_be_rendered_is_recorded_all_the_same() -> None:
    """What was answered is in the turns, so that a record of them can be played again."""
    conversation = talk([{"say": "anna", "result": "{{ last.data.x + 1 }}"}, "ben"])
    assert ended(conversation, "hello")[0] == "error"
    assert [(turn.message.content, turn.heard) for turn in conversation.turns] == [("hello", False)]


def test_the_turn_in_a_label_and_a_result_is_the_one_that_they_belong_to() -> None:
    """As in the instruction of the same step."""
    step = {"say": "anna", "instruction": "I{{ turn }}", "result": "R{{ turn }}", "speaker": "S{{ turn }}"}
    conversation = talk([step])
    (ask,) = answer_all(conversation)
    (turn,) = conversation.turns
    assert (ask.request.messages[-1]["content"][-2:], turn.said, turn.message.label) == ("I1", "R1", "S1")


def test_a_temperature_that_is_no_number_is_an_error() -> None:
    """A step's temperature is read as a role's is."""
    step = {"say": "anna", "temperature": "{{ warmth }}"}
    assert ended(talk([step], {"warmth": "hot"}))[0] == "error"
    assert talk([step], {"warmth": "0.5"}).pending[0].options["temperature"] == 0.5


def test_messages_in_a_scenes_result_are_their_contents() -> None:
    """A list of messages is data like any other: JSON outside."""
    block = {"parallel": ["anna", "ben"], "as": "answers"}
    scene = {"scene": [block], "opening": "Begin.", "result": "{{ answers }}", "as": "all"}
    conversation = talk([scene, {"set": {"first": "all.data[0]"}}], result="{{ first }}")
    answer_all(conversation, "A", "B")
    assert conversation.outcome is not None
    assert conversation.outcome.result == "A"


def test_a_scenes_result_that_gives_none_is_heard_by_nobody() -> None:
    """None is no text, and not the word null."""
    scene = {"scene": ["anna"], "opening": "Begin.", "result": "{{ last.data.x }}"}
    asks = answer_all(talk([scene, "ben"]))
    assert asks[-1].request.messages == [{"role": "user", "content": "Begin."}]


def test_messages_are_given_to_another_pipeline_as_their_contents() -> None:
    """Also those in a list."""
    schema = {"type": "array", "items": {"type": "string"}}
    inner = pipeline(["anna"], inputs={"answers": schema}, opening="{{ answers | join('+') }}")
    block = {"parallel": ["anna", "ben"], "as": "both"}
    outer = pipeline([block, {"scene": "f.yaml", "with": {"answers": "{{ both }}"}}])
    asks = answer_all(Conversation(outer, {}, Files({}, {"f.yaml": (inner, Files())})), "A", "B")
    assert asks[-1].request.messages == [{"role": "user", "content": "A+B"}]


def test_a_steps_limits_are_laid_over_those_of_the_pipeline_that_it_plays() -> None:
    """What the step says nothing about stays as the file has it."""
    inner = pipeline([{"repeat": ["anna"], "times": 5}], limits={"max_turns": 2})
    outer = pipeline([{"scene": "f.yaml", "limits": {"reply_time": "10s"}}])
    asks = answer_all(Conversation(outer, {}, Files({}, {"f.yaml": (inner, Files())})))
    assert [ask.deadline for ask in asks] == [10, 10]


def test_a_pipeline_that_is_not_there_is_an_error() -> None:
    """Whoever builds a conversation by hand may have forgotten it."""
    assert ended(talk([{"scene": "x.yaml"}])) == (
        "error",
        "pipeline test, turns.0.scene: there is no pipeline 'x.yaml' here",
    )


def test_a_stop_that_is_no_regular_expression_is_an_error() -> None:
    """It ends the conversation in words, where no check has found it before."""
    assert ended(talk(["anna"], stop=[{"token": "(", "match": "regex"}]))[0] == "error"


def test_who_may_be_chosen_may_stand_in_a_file() -> None:
    """The rule that text in .j2 names a file holds for every template key."""
    conversation = talk([{"choose": "who.j2", "by": "random"}], prompts={"who.j2": "{{ ['ben'] }}"})
    assert speakers(answer_all(conversation)) == ["ben"]


def test_the_state_tells_how_a_branch_has_ended() -> None:
    """Two failures that look alike as messages are two states where one of them ends the block."""

    def after(kind: Any) -> Conversation:
        conversation = talk([{"parallel": ["anna", "ben"]}])
        conversation.answer(conversation.pending[0], failed(kind))
        return conversation

    gone, broken = after("unreachable"), after("server")
    assert gone.state != broken.state
    assert hash(gone.state) == hash(after("unreachable").state)
    assert ended(gone)[0] != ended(broken)[0]


def test_a_loop_that_is_over_is_forgotten() -> None:
    """Also one that ``until`` has ended: the state does not grow with the rounds."""
    inner = {"repeat": ["anna"], "times": 3, "until": "true"}
    conversation = talk([{"repeat": [inner], "times": 5}, "ben"])
    for _ in range(5):
        conversation.answer(conversation.pending[0], said("ok"))
    assert "times" not in str(conversation.state)


def test_what_one_branch_has_dropped_a_sibling_does_not_bring_back() -> None:
    """After the join a speaker is still not sent what overflowed in its own branch."""
    turns = ["ben", "ben", "ben", "ben", {"parallel": ["anna", "ben"]}, "anna"]
    conversation = talk(turns, limits={"on_overflow": "drop_oldest"})
    for reply in ("B1", "B2", "B3", "B4"):
        conversation.answer(conversation.pending[0], said(reply))
    anna, ben = conversation.pending
    (anna,) = conversation.answer(anna, failed("overflow"))
    assert "B1" not in str(anna.request.messages)
    conversation.answer(anna, said("A1"))
    (last,) = conversation.answer(ben, said("B5"))
    assert "B1" not in str(last.request.messages)
    assert "B3" in str(last.request.messages)
