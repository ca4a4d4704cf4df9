"""scene: fresh messages inside, one message outside, and limits of its own that count outside too."""

from __future__ import annotations

from typing import Any

import pytest

from llm_gc.core import Conversation, Files
from llm_gc.protocol import Ask
from tests.talks import answer_all, failed, pipeline, speakers, talk


def texts(ask: Ask) -> str:
    """Return all that an ask sends, as one text."""
    return "\n".join(message["content"] for message in ask.request.messages)


def reason(conversation: Conversation) -> str:
    """Return why it ended."""
    assert conversation.outcome is not None
    return conversation.outcome.reason


def test_messages_are_fresh_inside_and_one_is_heard_outside() -> None:
    """Inside nobody hears what was said before; outside only the result is heard, under the scene's label."""
    turns: list[Any] = [
        "anna",
        {"scene": ["ben", "ben"], "opening": "About {{ last.content }}.", "speaker": "Team", "as": "team"},
        "anna",
    ]
    conversation = talk(turns)
    asks = answer_all(conversation, "outside", "B1", "B2")
    assert texts(asks[1]) == "About outside."
    assert [m["content"] for m in asks[3].request.messages][-1] == "Team: B2"
    assert "B1" not in texts(asks[3])
    assert [turn.number for turn in conversation.turns] == [1, 2, 3, 4]


def test_the_result_is_rendered_inside() -> None:
    """Over the scene's own messages; data become the message's data, and text for those who hear it."""
    turns: list[Any] = [
        {"scene": ["ben", "anna"], "opening": "In.", "result": "{{ messages | length }}", "as": "count"},
        {"say": "anna", "instruction": "{{ count.data + 1 }} {{ last.content }}"},
    ]
    assert texts(answer_all(talk(turns))[-1]).endswith("3 2")


def test_a_role_can_lend_its_name() -> None:
    """A speaker that names a role makes the result that role's message: its own, for itself."""
    conversation = talk(
        [{"scene": ["ben"], "opening": "In.", "speaker": "anna"}, {"say": "anna", "instruction": "And?"}]
    )
    asks = answer_all(conversation, "from inside")
    assert {"role": "assistant", "content": "from inside"} in asks[-1].request.messages


def test_end_and_stop_inside_end_the_scene_alone() -> None:
    """The conversation around it continues."""
    turns: list[Any] = [
        {"scene": [{"repeat": ["ben"]}], "opening": "In.", "stop": ["DONE"]},
        {"scene": ["ben", {"end": "enough"}, "ben"], "opening": "In."},
        "anna",
    ]
    conversation = talk(turns, stop=["STOP"])
    asks = answer_all(conversation, "one", "STOP", "DONE")
    assert speakers(asks) == ["ben", "ben", "ben", "ben", "anna"]
    assert reason(conversation) == "turns_done"


def test_its_limits_end_it_and_count_outside() -> None:
    """Its own limit ends the scene; one of the conversation around it ends that."""
    inner: list[Any] = [{"scene": [{"repeat": ["ben"]}], "opening": "In.", "limits": {"max_turns": 2}}, "anna"]
    conversation = talk(inner)
    assert speakers(answer_all(conversation)) == ["ben", "ben", "anna"]
    outer = talk([{"scene": [{"repeat": ["ben"]}], "opening": "In."}, "anna"], limits={"max_turns": 3})
    assert speakers(answer_all(outer)) == ["ben"] * 3
    assert reason(outer) == "max_turns"


def test_a_scene_in_which_nobody_spoke_is_not_heard() -> None:
    """Its name is the empty message."""
    turns: list[Any] = [
        "anna",
        {"scene": [{"say": "ben", "when": "false"}], "as": "nobody"},
        {"say": "anna", "instruction": "{{ 'said' if nobody else 'silence' }} {{ last.content }}"},
    ]
    assert texts(answer_all(talk(turns), "A1")[-1]).endswith("silence A1")


def test_a_scene_in_which_all_failed_is_a_failed_message() -> None:
    """Nobody is sent it."""
    turns: list[Any] = [
        "anna",
        {"scene": ["ben"], "opening": "In.", "as": "team", "result": "{{ last.content }}!"},
        "anna",
    ]
    conversation = talk(turns, result="{{ team.failed }}")
    asks = answer_all(conversation, "A1", failed())
    assert "!" not in texts(asks[-1])
    assert conversation.outcome is not None
    assert conversation.outcome.result is True


def test_an_end_inside_that_has_failed_is_a_failed_message() -> None:
    """Nobody is sent it; with on_error: stop what is around it ends too, and has failed."""
    scene = {"scene": ["ben", {"end": "Not safe.", "failed": True}], "opening": "In.", "as": "team", "result": "R"}
    conversation = talk([scene, "anna"], result="{{ team.failed }} {{ team.content }}")
    asks = answer_all(conversation, "B1")
    assert asks[-1].request.messages == [{"role": "user", "content": "Begin."}]
    assert conversation.outcome is not None
    assert (conversation.outcome.status, conversation.outcome.result) == ("completed", "True ")
    stopped = talk([scene, "anna"], limits={"on_error": "stop"})
    assert speakers(answer_all(stopped)) == ["ben"]
    assert stopped.outcome is not None
    assert (stopped.outcome.status, stopped.outcome.reason) == ("failed", "end_step")


def test_without_a_result_what_was_heard_last_inside_is_heard() -> None:
    """Not what a step inside hides."""
    scene = {"scene": ["ben", {"say": "anna", "result": ""}], "opening": "In.", "as": "team"}
    conversation = talk([scene], result="{{ team }}")
    answer_all(conversation, "B1", "secret")
    assert conversation.outcome is not None
    assert conversation.outcome.result == "B1"


def test_an_early_end_may_undo_the_result() -> None:
    """The last message that did not fail stands in for it."""
    turns: list[Any] = [
        {
            "scene": ["ben", {"say": "ben", "as": "verdict"}],
            "opening": "In.",
            "result": "{{ verdict }}",
            "stop": ["DONE"],
            "as": "x",
        }
    ]
    conversation = talk(turns, result="{{ x.content }}")
    answer_all(conversation, "DONE")
    assert conversation.outcome is not None
    assert conversation.outcome.result == "DONE"


def test_what_is_set_inside_stays_inside() -> None:
    """Outer names are read inside, and not changed from there."""
    turns: list[Any] = [
        {"set": {"n": 1}},
        {"scene": [{"set": {"n": "n + 1"}}, {"say": "ben", "instruction": "{{ n }}"}]},
        {"say": "anna", "instruction": "{{ n }}"},
    ]
    asks = answer_all(talk(turns))
    assert texts(asks[0]).endswith("2")
    assert texts(asks[1]).endswith("1")


def test_the_round_around_it_is_read_inside() -> None:
    """A loop's round is an outer name too; a loop inside has rounds of its own."""
    inner = [
        {"say": "ben", "instruction": "{{ round }}"},
        {"repeat": [{"say": "anna", "instruction": "{{ round }}"}], "times": 1},
    ]
    scene = {"scene": inner, "result": "{{ round }}", "as": "number"}
    conversation = talk([{"repeat": [scene], "times": 2}], result="{{ number.data }}")
    assert [texts(ask) for ask in answer_all(conversation)] == ["1", "ben: ok\n\n1", "2", "ben: ok\n\n1"]
    assert conversation.outcome is not None
    assert conversation.outcome.result == 2


def test_scenes_side_by_side() -> None:
    """Each branch may hold a scene; what they cost is counted, and their results are heard in declared order."""
    scene = {"scene": [{"repeat": ["ben"]}], "opening": "In.", "limits": {"max_turns": 2}}
    conversation = talk([{"parallel": [scene], "times": 2, "as": "both"}, "anna"])
    asks = answer_all(conversation, "1", "2", "3", "4")
    assert speakers(asks) == ["ben"] * 4 + ["anna"]
    assert texts(asks[-1]).count("scene: ") == 2


def team(**keys: Any) -> Files:
    """Return the files of a pipeline that plays team.yaml."""
    keys = {"inputs": {"topic": {"type": "string"}, "n": {"type": "integer", "default": 1}}, **keys}
    roles = {"anna": {"model": "other", "prompt": "In {{ topic }}."}}
    turns = [{"repeat": ["anna"], "times": "{{ n }}"}]
    inner = pipeline(turns, roles=roles, opening="Go: {{ topic }}", **keys)
    return Files(scenes={"team.yaml": (inner, Files())})


def play(files: Files, **keys: Any) -> Conversation:
    """Return a conversation that plays team.yaml about its last message."""
    step = {"scene": "team.yaml", "with": {"topic": "{{ last.content }}", "n": 2}, "as": "team", **keys}
    return Conversation(pipeline(["ben", step, "ben"]), {}, files)


def test_another_pipeline_brings_its_own_roles() -> None:
    """Its inputs come from ``with``; its roles, prompts and opening are its own."""
    asks = answer_all(play(team()), "tea", "T1", "T2")
    assert [ask.model for ask in asks] == ["m", "other", "other", "m"]
    assert texts(asks[1]) == "In tea.\nGo: tea"
    assert texts(asks[3]).endswith("team: T2")
    assert asks[1].id == "turns.1.scene.turns.0.repeat:1.0"


def test_another_pipelines_stops_and_limits_are_its_own() -> None:
    """They end it, and not what plays it."""
    assert speakers(answer_all(play(team(stop=["DONE"])), "tea", "DONE")) == ["ben", "anna", "ben"]
    assert speakers(answer_all(play(team(limits={"max_turns": 1})), "tea")) == ["ben", "anna", "ben"]


def test_an_input_that_does_not_fit_is_a_template_error() -> None:
    """It names the place and what was expected."""
    conversation = play(team(), **{"with": {"topic": "{{ 3 }}"}})
    answer_all(conversation)
    assert conversation.outcome is not None
    assert "turns.1.with" in conversation.outcome.detail


@pytest.mark.parametrize(
    ("keys", "where"),
    [
        ({"result": "{{ missing }}"}, "pipeline team, result, line 1"),
        ({"limits": {"max_turns": "{{ missing }}"}}, "pipeline team, limits.max_turns, line 1"),
        (
            {"stop": [{"when": "missing"}]},
            "pipeline team, turns.1.scene.turns.0.repeat.0, turns.1.scene.stop.0.when, line 1",
        ),
    ],
)
def test_a_template_of_another_pipeline_that_fails_names_that_one(keys: dict[str, Any], where: str) -> None:
    """Since the template is there; the step is told from the outside in."""
    conversation = play(team(name="team", **keys))
    answer_all(conversation)
    assert conversation.outcome is not None
    assert conversation.outcome.detail == f"{where}: 'missing' is undefined"
