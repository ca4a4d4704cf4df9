"""The exploration itself: loops, chance, limits, scenes, and what it tells of the whole."""

from __future__ import annotations

from typing import Any

import pytest

from llm_gc.core import Files, TraceEvent
from llm_gc.errors import UsageError
from llm_gc.model_checker.default_inputs import LINES, default_inputs
from llm_gc.model_checker.findings import Found, wrong
from llm_gc.model_checker.graph_metrics import endless, switches
from llm_gc.model_checker.pipelines import pipeline_parts
from llm_gc.model_checker.reachability import unreached
from llm_gc.model_checker.scripts import retold
from llm_gc.model_checker.search import Exploration, Loops
from tests.model_checker.exploring import explore
from tests.talks import pipeline


def endings(exploration: Exploration) -> set[tuple[str, tuple[int, int]]]:
    """Return the reasons to end, with the fewest and the most turns."""
    return {(end.reason, end.turns) for end in exploration.seen.order}


def never(turns: list[Any], **keys: Any) -> list[tuple[str, bool]]:
    """Return the codes of what is never reached, and whether they are notes."""
    files = keys.get("files", Files())
    made = pipeline(turns, **{key: value for key, value in keys.items() if key not in ("files", "given")})
    return [
        (found.code, found.is_note) for found in unreached(explore(turns, **keys), list(pipeline_parts(made, files)))
    ]


def test_the_same_twice() -> None:
    """It is deterministic: states, ways and figures are those of the first time."""
    turns = [{"repeat": [{"choose": ["anna", "ben"], "by": "random"}], "times": 3}]
    one, two = explore(turns, stop=["DONE"]), explore(turns, stop=["DONE"])
    assert [retold(node) for node in one.nodes] == [retold(node) for node in two.nodes]
    assert endings(one) == endings(two)


def test_chance_draws_everything() -> None:
    """Each role that chance may choose speaks on some way, also before the first reply."""
    found = explore([{"choose": ["anna", "ben", "cleo"], "by": "random"}], roles=["anna", "ben", "cleo"])
    spoke = {visit.value for visit in found.seen.visits if visit.kind == "spoke"}
    assert spoke == {"anna", "ben", "cleo"}


def test_whoever_chance_chose_is_answered_in_every_way() -> None:
    """What chance drew before a state is the same on all ways that continue from it."""
    found = explore([{"choose": ["anna", "ben"], "by": "random"}], stop=["DONE"])
    assert {"anna said DONE", "ben said DONE"} <= {end.detail for end in found.seen.order}


def test_a_loop_without_an_end_is_followed_to_its_limit() -> None:
    """In far fewer states than ways, up to the last turn."""
    found = explore([{"repeat": ["anna", "ben"]}], limits={"max_turns": 40}, stop=["DONE"])
    assert found.is_whole
    assert ("max_turns", (40, 40)) in endings(found)
    assert len(found.nodes) < 120


def test_a_loop_that_reads_its_turn_is_followed_in_full() -> None:
    """Where something depends on the turn, states with different ones are not alike."""
    turns = [{"repeat": ["anna", {"say": "ben", "when": "turn == 30"}]}]
    found = explore(turns, limits={"max_turns": 35})
    assert TraceEvent("when", ("turns", 0, "repeat", 1), True) in found.seen.visits


def test_a_loop_that_reads_its_round_is_followed_in_full() -> None:
    """So it is with rounds."""
    turns = [{"repeat": ["anna", {"say": "ben", "when": "round == 30"}]}]
    found = explore(turns, limits={"max_turns": 35})
    assert TraceEvent("when", ("turns", 0, "repeat", 1), True) in found.seen.visits


def test_limits_on_cost_are_tried_at_both_ends() -> None:
    """Short replies never reached a limit on tokens that long ones pass; quick and late ones alike with time."""
    turns = [{"repeat": ["anna"], "times": 3}]
    tokens = explore(turns, limits={"max_total_tokens": 100, "max_tokens": 60})
    assert {reason for reason, _ in endings(tokens)} >= {"max_total_tokens", "turns_done"}
    seconds = explore(turns, limits={"max_time": "50s", "timeout": "30s"})
    assert {reason for reason, _ in endings(seconds)} >= {"max_time", "turns_done"}
    assert "repetition" in {reason for reason, _ in endings(explore(turns, limits={"repetition": 2}))}


def test_no_text_is_said_twice_but_on_purpose() -> None:
    """So only who says the same again, as one kind of reply, repeats."""
    found = explore([{"repeat": ["anna"], "times": 3}], limits={"repetition": 2})
    ways = [[said.reply for said in retold(end.at)] for end in found.seen.order if end.reason == "repetition"]
    assert ways == [["a plain text", "the same text again"]]
    found = explore(["anna", "ben"], limits={"repetition": {"times": 2, "across": True}})
    ways = [[said.reply for said in retold(end.at)] for end in found.seen.order if end.reason == "repetition"]
    assert ways == [["a plain text", "the last text again, whoever said it"]]


def test_a_bound_is_kept() -> None:
    """Nothing is said of what was never reached where not all was looked at."""
    turns = [{"repeat": ["anna"], "times": 9}, {"say": "ben", "when": "1 > 2"}]
    found = explore(turns, max_states=4)
    assert not found.is_whole
    assert len(found.nodes) <= 6
    assert list(unreached(found, list(pipeline_parts(pipeline(turns), Files())))) == []


def test_switches_of_models() -> None:
    """On the way with the fewest, and on that with the most; people change none."""
    roles = {"anna": {"model": "a"}, "ben": {"model": "b"}, "carl": {"human": True}}
    format_ = {"more": {"type": "boolean"}}
    turns = [{"say": "anna", "format": format_}, "carl", "anna", {"say": "ben", "when": "said.anna.data.more"}]
    assert switches(explore(["anna", "ben", "anna"], roles=roles)) == (2, 2)
    assert switches(explore([*turns[:1], {"say": "ben", "when": "last.data.more"}], roles=roles)) == (0, 1)
    assert switches(explore(["anna", "carl", "anna"], roles=roles)) == (0, 0)


def test_what_only_a_limit_ends() -> None:
    """A loop with a way out, however seldom, is not endless."""
    limits = {"max_turns": 12}
    assert endless(explore([{"repeat": ["anna", "ben"]}], limits=limits)) is not None
    assert endless(explore([{"repeat": ["anna", "ben"]}], limits=limits, stop=["DONE"])) is None
    assert endless(explore([{"repeat": ["anna"], "until": "last.failed"}], limits=limits)) is None
    assert endless(explore([{"repeat": ["anna", "ben"], "times": 4}], limits={"max_turns": 5})) is None


@pytest.mark.parametrize("first", [[], ["carl"]])
def test_a_conversation_that_only_its_limit_ends_does_so_from_its_beginning(first: list[str]) -> None:
    """A note where the limit was written down; the shortest way there has no reply."""
    turns = [*first, {"repeat": ["anna", "ben"]}]
    for limits, is_note in (({"max_turns": 6}, True), ({}, False)):
        keys: dict[str, Any] = {"limits": limits, "roles": ["anna", "ben", "carl"], "opening": "Begin."}
        [told_] = faults_of(turns, **keys)
        assert (told_.code, told_.is_note, told_.path) == ("endless", is_note, ("turns", len(first)))
        assert told_.at is not None
        assert told_.at.parent is None


def faults_of(turns: list[Any], **keys: Any) -> list[Found]:
    """Return what is found wrong."""
    return list(wrong(explore(turns, **keys), list(pipeline_parts(pipeline(turns, **keys), Files()))))


def test_a_choice_of_any_text_is_told_once_and_in_short() -> None:
    """However many texts were made up, and however long; nothing of how they are marked is shown."""
    ask = {"say": "anna", "format": {"next": {"type": "string"}}}
    choose = {"choose": ["anna", "ben"], "by": "{{ last.data.next }}"}
    [found] = faults_of([{"repeat": [ask, choose], "times": 2}])
    assert found.code == "unknown-choice"
    assert found.message.isascii() or "…" in found.message
    assert "word word…'" in found.message
    assert len(found.message) < 150


def test_one_failure_with_other_hints_is_told_once() -> None:
    """By the shortest way that leads to it."""
    found = faults_of(
        [{"say": "anna", "format": "json"}, {"say": "ben", "when": "last.data.a == 5 or last.data.b == 2"}]
    )
    assert [one.message.partition(". ")[0] for one in found] == ["a map has no 'a'", "a map has no 'b'"]


def test_turns_and_prompts_are_those_of_every_way_round() -> None:
    """Though some may only end it where others have spoken before, which a limit of other parity cuts off."""
    table = {"anna": ["ben"], "ben": ["anna", "carl"], "carl": []}
    turns = ["anna", {"repeat": [{"choose": table, "by": "dora"}]}]
    keys: dict[str, Any] = {"roles": ["anna", "ben", "carl", "dora"], "limits": {"max_turns": 12}}
    found = explore(turns, **keys)
    assert found.is_full
    assert {end.turns for end in found.seen.order if end.reason == "turns_done"} == {(3, 11)}
    assert found.seen.prompts["carl"].tokens > 8 * 1000


def test_far_on_in_a_long_loop_one_way_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One on which whoever is asked replies; and all of them again close to a limit. That it was so is told."""
    monkeypatch.setattr("llm_gc.model_checker.search.FEW", 0)
    table = {"anna": ["ben"], "ben": ["anna", "carl"], "carl": []}
    turns = ["anna", {"repeat": [{"choose": table, "by": "dora"}]}]
    keys: dict[str, Any] = {"roles": ["anna", "ben", "carl", "dora"]}
    short, found = (explore(turns, limits={"max_turns": most}, **keys) for most in (3, 30))
    assert short.is_full
    assert not found.is_full
    assert {end.turns for end in found.seen.order if end.reason == "turns_done"} == {(3, 29)}
    assert found.seen.prompts["anna"].tokens > 27 * 1000


def test_far_on_the_way_that_is_followed_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the sake of the largest prompt: a reply that does not fit leads round as well, and says nothing."""
    monkeypatch.setattr("llm_gc.model_checker.search.FEW", 0)
    ask = {"say": "anna", "format": {"why": {"type": "string"}}}
    limits = {"max_turns": 41, "repairs": 0}
    found = explore([{"repeat": [ask, "ben", "carl"]}], limits=limits, roles=["anna", "ben", "carl"])
    assert not found.is_full
    assert found.seen.prompts["ben"].tokens > 39 * 1000


def test_which_requests_begin_anew() -> None:
    """Those of a role that sees but the newest; not those of one that sees all."""
    assert explore([{"repeat": ["anna", "ben"], "times": 2}]).seen.anew == {}
    roles = {"anna": {"sees": {"from": "others", "last": 1}}, "ben": {}}
    found = explore([{"repeat": ["anna", "ben"], "times": 3}], roles=roles).seen.anew
    assert set(found) == {("anna", ("turns", 0, "repeat", 0))}


def test_the_largest_prompt_is_that_of_the_longest_replies() -> None:
    """Of two ways to a state the one on which more was said is kept."""
    turns = ["anna", "ben", "anna"]
    found = explore(turns, limits={"max_tokens": 100}).seen.prompts
    assert 200 <= found["anna"].tokens <= 210
    assert 100 <= found["ben"].tokens <= 110


@pytest.mark.parametrize(
    ("turns", "keys", "expected"),
    [
        ([{"say": "anna", "when": "1 > 2"}, "ben"], {}, [("never-run", True)]),
        (["anna", {"say": "ben", "when": "last.data.x"}], {}, [("never-run", False)]),
        (["anna", {"do": ["ben"], "when": "not last.data", "else": ["anna"]}], {}, [("never-run", False)]),
        (["anna", {"say": "ben", "when": "last.content | length > 99999"}], {}, [("never-run", True)]),
        (["anna", {"end": "Enough."}, "ben"], {}, [("never-run", False)]),
        (["anna", {"repeat": ["ben"], "times": 0}], {}, [("never-run", False)]),
        ([{"repeat": ["anna"], "times": 2, "until": "last.data.x"}], {}, [("never-holds", False)]),
        (["anna"], {"stop": [{"token": "DONE", "role": "ben"}]}, [("never-stops", False)]),
        (["anna", "ben"], {"stop": [{"token": "x(?=y)(?=z)", "match": "regex"}]}, [("never-stops", True)]),
        ([{"choose": ["anna", "ben"], "by": "{{ 'anna' }}"}], {}, [("never-chosen", False)]),
    ],
)
def test_what_is_never_come_to(turns: list[Any], keys: dict[str, Any], expected: list[tuple[str, bool]]) -> None:
    """Each kind of it; a note where inputs or texts decide, which cannot all be tried."""
    assert never(turns, **keys) == expected


@pytest.mark.parametrize(
    ("format_", "condition", "expected"),
    [
        ({"n": {"type": "integer"}}, "last.data.n > limits.high", []),
        ({"n": {"type": "integer"}}, "last.data.n in limits.some", []),
        ({"n": {"type": "integer", "maximum": 9}}, "last.data.n > 9", [("never-run", False)]),
        ({"n": {"type": "integer"}}, "last.data.n % 7 == 5", []),
        ({"n": {"type": "integer"}}, "last.data.n ** 2 == 49", [("never-run", True)]),
        ({"n": {"type": "array", "maxItems": 3}}, "(last.data.n or []) | length > 3", [("never-run", False)]),
        ({"n": {"type": "array", "maxItems": 4}}, "(last.data.n or []) | length > 3", []),
        (None, "last | upper == 'Yes'", [("never-run", True)]),
    ],
)
def test_what_was_not_tried_is_no_fault(format_: Any, condition: str, expected: list[tuple[str, bool]]) -> None:
    """What holds for some value is found; a note where not all can be tried; a fault where none does."""
    ask = "anna" if format_ is None else {"say": "anna", "format": format_}
    turns = [ask, {"say": "ben", "when": f"not last.failed and ({condition})"}]
    given = {"limits": {"high": 40, "some": [17, 18]}}
    assert never(turns, inputs={"limits": {}}, given=given) == expected


def test_nothing_is_said_of_what_other_inputs_would_run() -> None:
    """It is a note, also by way of a variable."""
    turns = [{"set": {"many": "n > 3"}}, "anna", {"say": "ben", "when": "many"}]
    assert never(turns, inputs={"n": {}}, given={"n": 1}) == [("never-run", True)]


def test_nothing_is_said_of_what_more_rounds_would_run() -> None:
    """A condition on a counter is a note where inputs say how far it counts, and a fault where nothing does."""
    step = {"say": "ben", "when": "turn > 50"}
    given = {"inputs": {"n": {}}, "given": {"n": 2}}
    assert never([{"repeat": ["anna"], "times": "{{ n }}"}, step], **given) == [("never-run", True)]
    assert never([{"repeat": ["anna"], "for": "x", "in": "range(n) | list"}, step], **given) == [("never-run", True)]
    assert never([{"repeat": ["anna"], "times": 2}, step], **given) == [("never-run", False)]


@pytest.mark.parametrize(
    ("loop", "told"),
    [
        ({"times": "{{ many }}"}, [("never-run", True)]),
        ({"until": "turn >= many"}, [("never-run", True)]),
        ({"until": "turn >= 3"}, [("never-run", False)]),
        ({"until": "turn >= many", "times": 1}, [("never-holds", True), ("never-run", True)]),
    ],
)
def test_a_counter_may_be_bounded_by_way_of_a_variable(loop: dict[str, Any], told: list[tuple[str, bool]]) -> None:
    """Where that is set from an input, what more rounds would run or end is a note too."""
    turns = [{"set": {"many": "n * 2"}}, {"repeat": ["anna"], **loop}, {"say": "ben", "when": "turn > 50"}]
    assert never(turns, inputs={"n": {}}, given={"n": 2}) == told


def test_a_condition_on_a_counter_and_an_input_is_settled_by_them() -> None:
    """Though no loop is bounded by an input."""
    turns = ["anna", {"say": "ben", "when": "turn < n"}]
    assert never(turns, inputs={"n": {}}, given={"n": 0}) == [("never-run", True)]
    assert never(turns, limits={"max_turns": "{{ n }}"}, inputs={"n": {}}, given={"n": 1}) == [("never-run", True)]


def test_the_pipeline_of_a_scene_is_explored_too() -> None:
    """Its endings, its stops, and its steps that are never run."""
    team = pipeline(["carl", {"say": "carl", "when": "last.data.x"}], roles=["carl"], stop=["DONE"])
    files = Files({}, {"team.yaml": (team, Files())})
    found = explore([{"scene": "team.yaml"}, "anna"], files=files)
    assert TraceEvent("stop", ("turns", 0, "scene", "stop", 0)) in found.seen.visits
    assert never([{"scene": "team.yaml"}, "anna"], files=files) == [("never-run", False)]


@pytest.mark.parametrize(
    ("given", "before"),
    [
        (None, []),
        ({"bar": 40}, []),
        ({"bar": "{{ n }}"}, []),
        ({"bar": "{{ [n, 40] | max }}"}, []),
        ({"bar": "{{ high }}"}, [{"set": {"high": "n + 5"}}]),
    ],
)
def test_a_condition_of_a_scene_compares_with_that_file_s_inputs(given: Any, before: list[Any]) -> None:
    """By default, or as ``with`` gives them: what it holds against them is tried close to them, and no fault."""
    format_ = {"score": {"type": "integer", "minimum": 0, "maximum": 100}}
    rounds = {"repeat": [{"say": "carl", "format": format_}], "times": 2, "until": "last.data.score == bar + 1"}
    team = pipeline([rounds], roles=["carl"], inputs={"bar": {"type": "integer", "default": 7}})
    files = Files({}, {"team.yaml": (team, Files())})
    scene = {"scene": "team.yaml", **({"with": given} if given else {})}
    assert never([*before, scene, "ben"], files=files, inputs={"n": {}}, given={"n": 20}) == []


def test_inputs_are_given_or_supplied() -> None:
    """What is given, else the default, else the first example that fits, else something made up."""
    inputs = {
        "a": {"type": "integer", "default": 3},
        "b": {"type": "integer", "examples": ["x", 5]},
        "c": {"type": "string"},
        "d": {"type": "integer", "minimum": 7, "maximum": 7},
        "e": {"type": "string", "maxLength": 3},
    }
    supplied = default_inputs(pipeline(["anna"], inputs=inputs), {"a": "4"}, texts=True)
    assert {name: (one.value, one.origin) for name, one in supplied.items() if name != "e"} == {
        "a": (4, "given"),
        "b": (5, "example"),
        "c": (LINES, "made up"),
        "d": (7, "made up"),
    }
    assert len(supplied["e"].value) <= 3
    with pytest.raises(UsageError, match="there is no input 'x'"):
        default_inputs(pipeline(["anna"], inputs=inputs), {"x": 1})


def test_loops_know_what_leads_back() -> None:
    """By way of other kinds too."""
    loops = Loops()
    for kind, reply, to in ((1, 0, 2), (1, 1, 3), (2, 0, 1), (3, 0, 4)):
        loops.goes(kind, reply, to)
    assert loops.back(1) == (0,)
    assert loops.back(3) == ()
