"""The classes of replies: what is tried for each kind of ask."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from llm_gc.core import Conversation, Files
from llm_gc.language.texts import texts
from llm_gc.model_checker.condition_vars import words
from llm_gc.model_checker.conditions import Conditions
from llm_gc.model_checker.liveness import Liveness
from llm_gc.model_checker.pipelines import pipeline_parts
from llm_gc.model_checker.reply_classes import Matters, ReplyClasses, Way
from llm_gc.model_checker.reply_data import ReplyData, filled
from tests.talks import pipeline, said

FAILS = ["an error or a timeout"]


def ways(turns: list[Any], previous: str | None = None, matters: Matters | None = None, **keys: Any) -> list[Way]:
    """Return the classes of replies for the first ask of a pipeline."""
    inputs = keys.pop("given", {})
    made = pipeline(turns, **keys)
    conditions = Conditions(pipeline_parts(made, Files()), Liveness(made, Files()).deciding, inputs)
    read = frozenset[str]().union(*(words(text.text) for text in texts(made)))
    replies = ReplyClasses(made, Files(), conditions, read, matters or Matters())
    return list(replies.to(Conversation(made, inputs).pending[0], previous))


def named(*args: Any, **keys: Any) -> list[str]:
    """Return the names of those classes."""
    return [way.name for way in ways(*args, **keys)]


def data(format_: Any, *conditions: str, given: Any = None) -> list[Any]:
    """Return the data that are tried for a format in a pipeline with these conditions."""
    turns = [{"say": "anna", "format": format_}, *({"say": "ben", "when": one} for one in conditions)]
    inputs: dict[str, Any] = {name: {} for name in given or {}}
    found = ways(turns, inputs=inputs, given=given or {})
    return [way.line["data"] for way in found if isinstance(way.line, dict) and "data" in way.line]


def test_a_text() -> None:
    """Plain, with each stop that listens, or none; one that is cut is heard like the plain one."""
    assert named(["anna"]) == ["a plain text", *FAILS]
    stops = ["DONE", {"token": "OVER", "role": "ben"}, {"token": "o[kK]+", "match": "regex", "role": "anna"}]
    assert named(["anna"], stop=stops) == ["a plain text", "a text with DONE", "a text with o[kK]+", *FAILS]


@pytest.mark.parametrize("token", [r"DONE$", r"^DONE\b", r"^DONE$", r"\ADONE\Z"])
def test_a_stop_is_said_where_its_expression_looks(token: str) -> None:
    """At the beginning, at the end, or as the whole reply; a test file's line says it too."""
    stop = {"token": token, "match": "regex"}
    [spoken] = [way for way in ways(["anna"], stop=[stop]) if way.name == f"a text with {token}"]
    assert re.search(token, spoken.reply.content)
    assert re.search(token, spoken.line)


def test_a_text_is_as_long_as_it_may_be() -> None:
    """Four characters a token, the stop token within."""
    for way in ways([{"say": "anna", "max_tokens": 50}], stop=["DONE"])[:2]:
        assert 190 <= len(way.reply.content) <= 200


def test_no_stop_is_said_by_accident() -> None:
    """The filling words are others where a stop looks for them."""
    plain = ways(["anna"], stop=[{"token": "word ", "match": "contains"}])[0]
    assert "word " not in plain.reply.content


def test_the_stops_of_a_scene_count_inside_it() -> None:
    """And those around it do not."""
    scene = {"scene": ["anna"], "opening": "Go.", "stop": ["INNER"]}
    assert named([scene], stop=["OUTER"]) == ["a plain text", "a text with INNER", *FAILS]


def test_texts_that_a_condition_looks_for() -> None:
    """But not the names of roles, nor the words of an enum."""
    assert 'the text "yes"' in named(["anna", {"say": "ben", "when": "'yes' in last.content"}])
    assert 'the text "no"' in named(["anna", {"say": "ben", "when": "last.content.startswith('no')"}])
    other = {"say": "ben", "format": {"next": {"enum": ["stay"]}}}
    turns = ["anna", other, {"say": "ben", "when": "last.role == 'anna' or last.data.next == 'stay'"}]
    assert named(turns) == ["a plain text", *FAILS]


def test_what_counts_only_where_it_can_matter() -> None:
    """Short and late replies, and the same text again."""
    assert named(["anna"], matters=Matters(tokens=True)) == [
        "a plain text", "a short text", *FAILS, "a text cut by length",
    ][:3]  # fmt: skip
    late = named(["anna"], matters=Matters(seconds=True), limits={"max_time": "1m", "reply_time": "20s"})
    assert late == ["a plain text", "a plain text, late", *FAILS]
    assert "the same text again" in named(["anna"], previous="before", matters=Matters(echoes=True))
    assert "the same text again" not in named(["anna"], matters=Matters(echoes=True))
    assert "the last text again, whoever said it" not in named(["anna"], matters=Matters(echoes_across=True))


def test_a_reply_that_time_cuts() -> None:
    """One cut by ``max_time`` ends the conversation; any other is heard, or fails, like one cut by length."""
    limits = {"max_time": "1m"}
    [cut] = [way for way in ways(["anna"], matters=Matters(seconds=True), limits=limits) if "cut by" in way.name]
    assert (cut.name, cut.reply.seconds) == ("a text cut by max_time", 60.0)
    assert cut.line == {"text": "Words of anna.", "cut": "max_time", "seconds": 60.0}
    structured = named([{"say": "anna", "format": {"a": {}}}], matters=Matters(seconds=True), limits=limits)
    assert structured[-1] == "a structured reply cut by max_time"
    assert named(["anna"], limits={"reply_time": "1m"}) == ["a plain text", *FAILS]


def test_a_person_neither_fails_nor_is_cut() -> None:
    """People take the time that they take."""
    assert named(["anna"], roles={"anna": {"human": True}, "ben": {}}) == ["a plain text"]


def test_a_choice() -> None:
    """Each name, what is no JSON, and an error; a cut one fails like that."""
    found = named([{"choose": ["anna", "ben"], "by": "cleo"}], roles=["anna", "ben", "cleo"])
    assert found == ['{"next": "anna"}', '{"next": "ben"}', "a reply that is no JSON", *FAILS]


def test_every_value_of_enums_and_truth_values() -> None:
    """In all combinations, where these are few."""
    found = data({"ok": {"type": "boolean"}, "next": {"enum": ["a", "b"]}})
    assert len(found) == 4
    assert {(one["ok"], one["next"]) for one in found} == {(ok, to) for ok in (True, False) for to in "ab"}


def test_beyond_that_any_two() -> None:
    """Each pair of values of any two properties is in some data."""
    names = ("one", "two", "three", "four", "five")
    found = data({name: {"enum": [0, 1, 2]} for name in names})
    assert len(found) < 3**5
    for first in names:
        for second in names:
            pairs = {(one[first], one[second]) for one in found}
            assert first == second or len(pairs) == 9


@pytest.mark.parametrize(
    ("schema", "condition", "values"),
    [
        ({"type": "integer", "minimum": 0, "maximum": 10}, "last.data.n > 6", {0, 5, 6, 7, 10}),
        ({"type": "integer", "minimum": 0, "maximum": 10}, "last.data.n > limit", {0, 2, 3, 4, 10}),
        ({"type": "integer", "minimum": 0, "maximum": 10}, "last.data.n > limit * 2", {0, 5, 6, 7, 10}),
        ({"type": "number", "minimum": 0, "maximum": 1}, "last.data.n < 0.5", {0, 0.499, 0.5, 0.501, 1}),
        ({"type": "integer", "minimum": 0, "maximum": 10}, "last.failed", {10}),
        ({"type": "integer", "multipleOf": 5, "minimum": 0, "maximum": 20}, "last.data.n == 10", {0, 5, 10, 15, 20}),
    ],
)
def test_numbers_have_the_bounds_of_conditions(schema: Any, condition: str, values: set[float]) -> None:
    """At, below and above what they are compared with, as far as the schema lets them; at the schema's own bounds."""
    assert {one["n"] for one in data({"n": schema}, condition, given={"limit": 3})} == values


def test_a_number_behind_a_variable() -> None:
    """What is compared may have been given another name."""
    turns = [
        {"say": "anna", "format": {"n": {"type": "integer", "minimum": 0, "maximum": 9}}},
        {"set": {"points": "last.data.n"}},
        {"say": "ben", "when": "points >= 4"},
    ]
    found = [way.line["data"]["n"] for way in ways(turns) if isinstance(way.line, dict) and "data" in way.line]
    assert set(found) == {0, 3, 4, 5, 9}


@pytest.mark.parametrize("setting", [{"bar": 4}, {"bar": "4"}, {"start": "n + 1", "bar": "start + n"}])
def test_a_number_is_held_against_a_variable(setting: dict[str, Any]) -> None:
    """One that is set from numbers and inputs stands for its value, as an input does."""
    turns = [
        {"set": setting},
        {"say": "anna", "format": {"n": {"type": "integer", "minimum": 0, "maximum": 9}}},
        {"set": {"bar": "bar + last.data.n"}},
        {"say": "ben", "when": "last.data.n >= bar"},
    ]
    found = [way.line for way in ways(turns, inputs={"n": {}}, given={"n": 1.5})]
    assert {line["data"]["n"] for line in found if isinstance(line, dict) and "data" in line} == {0, 3, 4, 5, 9}


def test_the_names_of_two_files_are_not_those_of_one_another() -> None:
    """A number that is held against a name is tried about what it stands for in that file, for each scene."""
    format_ = {"n": {"type": "integer", "minimum": 0, "maximum": 99}}
    turns = [
        {"say": "anna", "format": format_},
        {"set": {"more": "bar + 1"}},
        {"say": "anna", "when": "more < last.data.n"},
    ]
    team = pipeline(turns, inputs={"bar": {"default": 10}})
    scene = {"scene": "team.yaml"}
    made = pipeline([scene, {**scene, "with": {"bar": "{{ bar }}"}}], inputs={"bar": {}})
    files = Files({}, {"team.yaml": (team, Files())})
    conditions = Conditions(pipeline_parts(made, files), Liveness(made, files).deciding, {"bar": 20})
    assert conditions.numbers("n") == [11, 21]


def test_a_text_goes_on_to_what_an_input_of_its_file_is_given() -> None:
    """What is compared may have been said outside, and have come in by ``with``."""
    team = pipeline([{"say": "anna", "when": "mode == 'fast'"}], inputs={"mode": {}})
    turns = [{"say": "ben", "format": {"pace": {}}}, {"scene": "team.yaml", "with": {"mode": "{{ last.data.pace }}"}}]
    made, files = pipeline(turns), Files({}, {"team.yaml": (team, Files())})
    conditions = Conditions(pipeline_parts(made, files), Liveness(made, files).deciding, {})
    assert conditions.texts("pace") == ["fast"]


def test_lists() -> None:
    """Several items, one and none, within what the schema allows."""
    assert {len(one["tasks"]) for one in data({"tasks": {"type": "array"}}, "last.data.tasks")} == {2, 1, 0}
    bounded = {"tasks": {"type": "array", "minItems": 1, "maxItems": 1}}
    assert {len(one["tasks"]) for one in data(bounded, "last.data.tasks")} == {1}


@pytest.mark.parametrize(
    ("schema", "condition", "sizes"),
    [
        ({"type": "array"}, "last.data.tasks | length > 5", {0, 1, 2, 4, 5, 6}),
        ({"type": "array"}, "last.data.tasks[4]", {0, 1, 2, 4, 5}),
        ({"type": "array", "maxItems": 7}, "last.data.tasks", {0, 1, 2, 7}),
        ({"type": "array", "maxItems": 700}, "last.data.tasks", {0, 1, 2}),
    ],
)
def test_lists_are_as_long_as_a_condition_and_the_schema_say(schema: Any, condition: str, sizes: set[int]) -> None:
    """Around a length that is compared, with and without an item that is asked for, and as long as it may be."""
    assert {len(one["tasks"]) for one in data({"tasks": schema}, condition)} == sizes


def test_items_are_tried_by_the_name_that_a_loop_gives_them() -> None:
    """And a number is held against each value that a loop's name has."""
    scores = {"scores": {"type": "array", "items": {"type": "integer"}}}
    loop = {"repeat": [{"say": "ben", "when": "one > 5"}], "for": "one", "in": "last.data.scores"}
    found = [way.line["data"]["scores"] for way in ways([{"say": "anna", "format": scores}, loop]) if _has_data(way)]
    assert {4, 5, 6} <= {item for scores in found for item in scores}
    ask = {"say": "anna", "format": {"n": {"type": "integer"}}}
    around = {"repeat": [ask, {"say": "ben", "when": "last.data.n > bar"}], "for": "bar", "in": "[30, 70]"}
    assert {30, 31, 70, 71} <= {way.line["data"]["n"] for way in ways([around]) if _has_data(way)}


def test_items_that_are_alike_fill_a_list_too() -> None:
    """Each kind of item does, so that what one of them leads to is seen as often as it may be."""
    tasks = {"type": "array", "maxItems": 4, "items": {"type": "object", "properties": {"ok": {"type": "boolean"}}}}
    found = [one["tasks"] for one in data({"tasks": tasks}, "last.data.tasks | selectattr('ok') | list")]
    assert [{"ok": False}] * 4 in found


def _has_data(way: Way) -> bool:
    return isinstance(way.line, dict) and "data" in way.line


def test_how_often_is_tried_with_too_little_and_too_much() -> None:
    """Where a reply says how often something is done."""
    loop = {"repeat": ["ben"], "times": "{{ last.data.n }}"}
    for type_, tried in (("integer", {-1, 0, 1, 1000}), ("number", {-1, 0, 0.5, 1, 1000})):
        found = ways([{"say": "anna", "format": {"n": {"type": type_}}}, loop])
        assert {way.line["data"]["n"] for way in found if _has_data(way)} == tried


def test_whoever_may_be_chosen_is_named() -> None:
    """In data or in words, where a template chooses by them."""
    choose = {"choose": ["anna", "ben"], "by": "{{ last.data.next }}"}
    found = ways([{"say": "anna", "format": {"next": {"type": "string"}}}, choose])
    assert {"anna", "ben"} < {way.line["data"]["next"] for way in found if _has_data(way)}
    assert 'the text "ben"' in named(["anna", {**choose, "by": "{{ last.content | trim }}"}])
    assert 'the text "ben"' not in named(["anna", {**choose, "by": "{{ 'ben' if last.role == 'anna' }}"}])


def test_a_number_that_is_read_out_of_a_text() -> None:
    """At, just below and just above what it is compared with."""
    turns = ["anna", {"say": "ben", "when": "last.content | extract('score ([0-9]+)') | int > 70"}]
    assert {f'the text "score {number}"' for number in (69, 70, 71)} <= set(named(turns))


def test_a_text_of_a_length() -> None:
    """Where a condition asks how long it is."""
    found = ways(["anna", {"say": "ben", "when": "last.content | length > 200"}])
    assert {199, 200, 201} < {len(way.reply.content) for way in found}
    assert "the text of 200 characters" in [way.name for way in found]


def test_data_without_a_schema_have_what_conditions_read() -> None:
    """Each thing there and not there; a map has some keys and none."""
    found = data("json", "last.data.mark == 'good'", "last.data.score > 3")
    assert {"good"} < {one.get("mark") for one in found}
    assert {2.999, 3, 3.001} < {one.get("score") for one in found}
    assert {} in found
    maps = data({"votes": {"type": "object", "additionalProperties": {"type": "integer"}}}, "last.data.votes.a > 4")
    assert {0, 1, 2} == {len(one["votes"]) for one in maps}


def test_data_that_are_no_map_are_tried_too() -> None:
    """A number as it is."""
    turns = [{"say": "anna", "format": {"type": "integer"}}, {"say": "ben", "when": "last.data > 4"}]
    assert {3, 4, 5} < {way.line["data"] for way in ways(turns) if _has_data(way)}


def test_optional_properties_are_left_out_once() -> None:
    """Each by itself."""
    schema = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["a"]}
    assert {frozenset(one) for one in data(schema)} == {frozenset("ab"), frozenset("a")}


def test_free_texts_that_a_condition_reads() -> None:
    """As the text that it looks for, and empty."""
    found = data({"why": {"type": "string"}}, "last.data.why == 'none'")
    assert [one["why"] for one in found] == ["Some words.", "none", ""]


@pytest.mark.parametrize(
    "schema",
    [
        {"anyOf": [{"type": "integer"}, {"enum": ["x"]}]},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"type": ["string", "null"]}}},
        {"allOf": [{"type": "object", "required": ["a"]}, {"properties": {"a": {"const": 3}}}]},
        {"type": "object", "properties": {"d": {"type": "string", "format": "date"}}, "required": ["d"]},
        {"type": "array", "prefixItems": [{"type": "integer"}], "items": False, "minItems": 1},
        {"properties": {"n": {"type": "integer"}}, "required": ["n"], "not": {"properties": {"n": {"maximum": 1}}}},
    ],
)
def test_whatever_is_tried_fits(schema: Any) -> None:
    """Data fit their schema; where none that was made does, there is one of chance."""
    from llm_gc.core.structured import parse

    made = pipeline(["anna"])
    found = ReplyData(schema, Conditions(pipeline_parts(made, Files()), (), {}), frozenset()).all()
    assert found
    assert all(parse(json.dumps(filled(one, "text")), schema)[1] is None for one in found)


def test_a_structured_reply_is_as_long_as_it_may_be() -> None:
    """A free text in it takes up what is left."""
    first = ways([{"say": "anna", "max_tokens": 50, "format": {"why": {"type": "string"}}}])[0]
    assert 150 <= len(first.reply.content) <= 200


def test_each_reply_has_a_text_of_its_own() -> None:
    """By the number that it is given."""
    plain = ways(["anna"])[0]
    assert plain.numbered(1).reply.content != plain.numbered(2).reply.content
    assert said("x").content == "x"
