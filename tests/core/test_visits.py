"""Visits: what a walk tells of the steps, branches and stops that it reaches."""

from __future__ import annotations

from typing import Any

from llm_gc.core import Conversation, Files, TraceEvent
from llm_gc.protocol import Reply
from tests.talks import answer_all, failed, pipeline


def visits(turns: list[Any], *replies: str | Reply, files: Files | None = None, **keys: Any) -> list[TraceEvent]:
    """Walk a conversation to its end, and return what it came to."""
    seen: list[TraceEvent] = []
    answer_all(Conversation(pipeline(turns, **keys), {}, files, visit=seen.append), *replies)
    return seen


def test_a_step_is_told_with_its_place() -> None:
    """Each step is told when it is run, from the outside in, and whose turn it was."""
    assert visits([{"do": ["anna"]}]) == [
        TraceEvent("step", ("turns", 0)),
        TraceEvent("step", ("turns", 0, "do", 0)),
        TraceEvent("spoke", ("turns", 0, "do", 0), "anna"),
    ]


def test_both_sides_of_a_condition_are_told() -> None:
    """A step that is passed over is no step run; what is under else is."""
    seen = visits([{"do": ["anna"], "when": "1 > 2", "else": ["ben"]}, {"say": "anna", "when": "1 < 2"}])
    assert seen == [
        TraceEvent("when", ("turns", 0), False),
        TraceEvent("step", ("turns", 0, "else", 0)),
        TraceEvent("spoke", ("turns", 0, "else", 0), "ben"),
        TraceEvent("when", ("turns", 1), True),
        TraceEvent("step", ("turns", 1)),
        TraceEvent("spoke", ("turns", 1), "anna"),
    ]


def test_until_is_told_each_time() -> None:
    """So it shows whether it ever held, and whether it ever did not."""
    seen = visits([{"repeat": ["anna"], "until": "'yes' in last", "times": 5}], "no", "yes")
    assert [visit for visit in seen if visit.kind == "until"] == [
        TraceEvent("until", ("turns", 0), False),
        TraceEvent("until", ("turns", 0), True),
    ]


def test_whom_a_choice_gave_is_told() -> None:
    """The role that spoke is at the place of the choice."""
    seen = visits([{"choose": ["anna", "ben"], "by": "{{ 'ben' }}"}])
    assert TraceEvent("spoke", ("turns", 0), "ben") in seen


def test_the_stop_that_was_met_is_told() -> None:
    """By its place: the second of two, and one that is an expression."""
    assert visits(["anna", "ben"], "DONE", stop=["OVER", "DONE"])[-1] == TraceEvent("stop", ("stop", 1))
    assert visits(["anna", "ben"], stop=[{"when": "turn > 1"}])[-1] == TraceEvent("stop", ("stop", 0))


def test_a_scene_tells_why_it_ended() -> None:
    """By itself, by a stop of its own, or by an error that continues outwards."""
    scene = {"scene": ["anna", "ben"], "opening": "Begin.", "stop": ["DONE"]}
    assert visits([scene])[-1] == TraceEvent("ended", ("turns", 0), "turns_done")
    assert visits([scene], "DONE")[-2:] == [
        TraceEvent("stop", ("turns", 0, "stop", 0)),
        TraceEvent("ended", ("turns", 0), "stop_token"),
    ]
    assert visits([scene], failed(), limits={"on_error": "stop"})[-1] == TraceEvent("ended", ("turns", 0), "error")


def test_the_steps_of_another_file_stand_below_the_scene() -> None:
    """Its steps and its stops have places of their own, that are no place of the outer document."""
    team = pipeline(["carl", "carl"], roles=["carl"], stop=["DONE"])
    seen = visits([{"scene": "team.yaml", "stop": ["OVER"]}], "DONE", files=Files({}, {"team.yaml": (team, Files())}))
    assert seen == [
        TraceEvent("step", ("turns", 0)),
        TraceEvent("step", ("turns", 0, "scene", "turns", 0)),
        TraceEvent("spoke", ("turns", 0, "scene", "turns", 0), "carl"),
        TraceEvent("stop", ("turns", 0, "scene", "stop", 0)),
        TraceEvent("ended", ("turns", 0), "stop_token"),
    ]


def test_to_be_told_changes_nothing() -> None:
    """The conversation is the same with and without."""
    turns = [{"repeat": ["anna", {"parallel": ["anna", "ben"]}], "times": 2}]
    plain, told = Conversation(pipeline(turns), {}), Conversation(pipeline(turns), {}, visit=lambda _: None)
    assert [ask.id for ask in answer_all(plain)] == [ask.id for ask in answer_all(told)]
    assert (plain.outcome, plain.turns) == (told.outcome, told.turns)


def test_what_a_template_chose_is_told() -> None:
    """Also where it is nobody who is there."""
    seen = visits([{"choose": ["anna", "ben"], "by": "{{ 'carl' }}"}])
    assert TraceEvent("by", ("turns", 0), "carl") in seen


def test_a_result_that_is_stood_in_for_is_told() -> None:
    """Where an early end leaves it undefined: that of the whole, and that of a scene, by its place."""
    whole = visits(["anna", {"say": "ben", "as": "b"}], "DONE", stop=["DONE"], result="{{ b }}")
    assert [(visit.kind, visit.path) for visit in whole][-1] == ("stood_in", ())
    assert "'b' is undefined" in whole[-1].value
    scene = {"scene": ["anna", {"say": "ben", "as": "b"}], "opening": "Go.", "stop": ["DONE"], "result": "{{ b }}"}
    assert ("stood_in", ("turns", 0)) in [(visit.kind, visit.path) for visit in visits([scene], "DONE")]
    assert not [visit for visit in visits([scene]) if visit.kind == "stood_in"]


def test_chance_can_be_drawn_otherwise() -> None:
    """Whoever draws in place of the seed is told the place and below what, in the pipelines of scenes too."""
    drawn: list[tuple[str, int]] = []

    def draw(place: str, count: int) -> int:
        drawn.append((place, count))
        return count - 1

    choice = {"choose": ["carl", "dora"], "by": "random"}
    files = Files({}, {"team.yaml": (pipeline([choice], roles=["carl", "dora"]), Files())})
    talk = Conversation(pipeline([{"scene": "team.yaml"}]), {}, files, draw=draw)
    assert [ask.speaker.role for ask in answer_all(talk)] == ["dora"]
    assert drawn == [("turns.0.scene.turns.0", 2)]


def test_it_can_begin_again() -> None:
    """Another conversation over the same constants shares nothing that changes."""
    one = Conversation(pipeline(["anna", "ben"]), {})
    answer_all(one, "only here")
    two = one.again()
    assert two.turns == ()
    assert [ask.id for ask in answer_all(two)] == ["turns.0", "turns.1"]
    assert "only here" not in [message.content for message in two.messages]
