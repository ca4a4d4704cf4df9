"""What the walk over all ways knows: held against conversations that are really gone, and case by case."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_gc.analysis import run_rules
from llm_gc.analysis.dataflow import Dataflow
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.core import Conversation, Files, TraceEvent
from llm_gc.language.pipeline import Pipeline
from llm_gc.language.texts import texts
from tests.talks import failed, pipeline, said

MANY = settings(max_examples=250, derandomize=True, deadline=None, database=None)

NAMES = st.sampled_from("xyz")
WHEN = st.sampled_from(
    ["last == 'yes'", "said.ben == 'yes'", "1 > 2", "k > 1", "true", "x is defined", "x is defined and k"]
)
ITEM = st.sampled_from(["item", "thing"])


def steps(inner: Any) -> Any:
    """Return lists of the steps around others."""
    some = st.lists(inner, min_size=1, max_size=3)
    count = st.sampled_from([0, 1, 2, "{{ k }}", "{{ most }}"])
    return st.one_of(
        st.fixed_dictionaries({"do": some, "when": WHEN}, optional={"else": some}),
        st.fixed_dictionaries({"do": some}),
        st.fixed_dictionaries({"repeat": some, "times": count}, optional={"until": WHEN}),
        st.fixed_dictionaries({"repeat": some, "for": ITEM, "in": st.sampled_from([[], [1, 2], "[1, 2][:k]"])}),
        st.fixed_dictionaries({"parallel": some}, optional={"as": NAMES, "times": count}),
        st.fixed_dictionaries({"parallel": some, "for": ITEM, "in": st.sampled_from([[1, 2], "[1, 2][:k]"])}),
        st.fixed_dictionaries({"scene": some, "opening": st.just("Alone.")}, optional={"as": NAMES}),
    )


STEP = st.recursive(
    st.one_of(
        st.fixed_dictionaries({"set": st.dictionaries(NAMES, st.just("1"), min_size=1)}, optional={"when": WHEN}),
        st.fixed_dictionaries({"say": st.sampled_from(["anna", "ben"]), "as": NAMES}, optional={"when": WHEN}),
        st.fixed_dictionaries({"post": st.sampled_from(["{{ x }}", "{{ y }}", "{{ z }}", "{{ x or z }}"])}),
        st.fixed_dictionaries({"post": st.just("{{ item }}")}),
        st.fixed_dictionaries({"choose": st.just({"anna": ["ben"], "ben": []}), "by": st.just("random"), "as": NAMES}),
        st.fixed_dictionaries({"end": st.just("Over.")}, optional={"when": WHEN}),
    ),
    steps,
    max_leaves=9,
)  # fmt: skip


def gone(typed: Pipeline, seed: int) -> tuple[Conversation, set[tuple[Any, ...]]]:
    """Run a conversation along one path; return it, and the paths of the steps that it reached."""
    chance, steps = Random(seed), set[tuple[Any, ...]]()
    inputs = {"k": chance.randrange(3), "most": chance.randint(1, 2)}

    def note(visit: TraceEvent) -> None:
        if visit.kind == "step":
            steps.add(visit.path)

    conversation = Conversation(typed, inputs, Files({}), visit=note)
    while conversation.outcome is None:
        ask = chance.choice(conversation.pending)
        _ = ask.request
        conversation.answer(ask, chance.choice([said("yes"), said("no"), failed()]))
    return conversation, steps


INPUTS = {"k": {"type": "integer", "minimum": 0}, "most": {"type": "integer", "minimum": 1}}


@MANY
@given(st.lists(STEP, min_size=1, max_size=4), st.sampled_from([None, "{{ x }}"]), st.integers(0, 10**6))
def test_what_is_said_of_a_pipeline_is_true(turns: list[Any], result: str | None, seed: int) -> None:
    """Where nothing is said of names, none is missing on any way; what cannot be set or run fails or is not run."""
    typed = pipeline(turns, inputs=INPUTS, result=result, limits={"max_turns": 25})
    found = [(code, problem.path) for code, problem in run_rules(typed, {})]
    codes = {code for code, _ in found}
    if "unknown-name" in codes or "taken-name" in codes:
        return
    # What is after `or` may not be needed; in a block the ending of another branch may come first.
    unsure = {text.path for text in texts(typed) if " or " in text.text or "parallel" in text.path}
    for way in range(4):
        conversation, steps = gone(typed, seed + way)
        outcome = conversation.outcome
        assert outcome is not None
        if "is undefined" in outcome.detail:
            assert codes & {"unset-name", "maybe-unset-name"}, outcome.detail
        for code, path in found:
            if code == "never-runs":
                assert path not in steps
            if code == "unset-name" and path[-1] == "post" and path[:-1] in steps and path not in unsure:
                assert outcome.reason == "error"


def test_the_property_would_see_it() -> None:
    """A name that is missing does show in how a conversation ends, and a step that is run in the steps."""
    conversation, steps = gone(pipeline([{"post": "{{ x }}"}, {"set": {"x": "1"}}]), 1)
    assert conversation.outcome is not None
    assert "'x' is undefined" in conversation.outcome.detail
    assert steps == {("turns", 0)}


# --- Case by case


def problems(turns: list[Any], **keys: Any) -> list[tuple[str, str]]:
    """Return what is said of names that are not set: the code, and where."""
    found = run_rules(pipeline(turns, inputs=INPUTS, **keys), {})
    codes = ("unset-name", "maybe-unset-name")
    return [(code, ".".join(map(str, problem.path))) for code, problem in found if code in codes]


X: dict[str, Any] = {"set": {"x": "1"}}
SHOW: dict[str, Any] = {"post": "{{ x }}"}


@pytest.mark.parametrize(
    "turns",
    [
        [X, SHOW],
        [{"say": "anna", "as": "x"}, SHOW],
        [{"parallel": ["anna"], "times": 0, "as": "x"}, SHOW],
        [{"scene": ["anna"], "opening": "Alone.", "as": "x"}, SHOW],
        [{"choose": ["anna", "ben"], "by": "random", "as": "x"}, SHOW],
        [{"do": [X], "when": "k", "else": [X]}, SHOW],
        [{"do": [{"end": "Over."}], "when": "k", "else": [X]}, SHOW],
        [{"repeat": [X, "anna"], "times": "{{ most }}"}, SHOW],
        [{"repeat": [X, "anna"], "until": "k"}, SHOW],
        [{"repeat": [X], "for": "item", "in": [1]}, SHOW],
        [{"repeat": ["anna"], "for": "x", "in": [1]}, SHOW],
        [{"do": [X], "when": "k"}, {**SHOW, "when": "k"}],
        [{"do": [X], "when": "k"}, {"do": [SHOW], "when": "most and k"}],
        [{"do": [X], "when": "k"}, {**SHOW, "when": "x is defined"}],
        [{"do": [X], "when": "k"}, {"post": "{{ x if k else 1 }} {{ k and x }} {% if k %}{{ x }}{% endif %}"}],
        [{"do": [X], "when": "k"}, {"post": "{{ x | default(1) }} {{ x }}"}],
        [{"do": [X], "when": "true"}, SHOW],
        [{"say": "anna", "as": "x", "result": "{{ x }}"}],
        [{"parallel": [{"do": [X, SHOW]}], "times": 2}],
        [X, {"scene": [SHOW, "anna"], "opening": "{{ x }}", "result": "{{ x }}"}],
    ],
)
def test_names_that_are_set(turns: list[Any]) -> None:
    """On every way to the place that uses them, or where the way asks for them."""
    assert problems(turns) == []


@pytest.mark.parametrize(
    ("turns", "code"),
    [
        ([SHOW, X], "unset-name"),
        ([{"post": "{{ x if k else 1 }}"}, X], "unset-name"),
        ([{"scene": [X, "anna"], "opening": "Alone."}, SHOW], "unset-name"),
        ([{"parallel": [X]}, SHOW], "unset-name"),
        ([{"parallel": [X, SHOW]}], "unset-name"),
        ([{"parallel": ["anna"], "for": "x", "in": [1]}, SHOW], "unset-name"),
        ([{"do": [X, {"end": "Over."}], "when": "k"}, SHOW], "unset-name"),
        ([{"say": "anna", "as": "x", "instruction": "{{ x }}"}], "unset-name"),
        ([{"do": [X], "when": "k"}, SHOW], "maybe-unset-name"),
        ([{"repeat": [SHOW, X, "anna"], "times": 2}], "maybe-unset-name"),
        ([{"repeat": [X], "times": "{{ k }}"}, SHOW], "maybe-unset-name"),
        ([{"repeat": [X], "for": "item", "in": "[1][:k]"}, SHOW], "maybe-unset-name"),
        ([{"choose": {"anna": ["ben"], "ben": []}, "by": "random", "as": "x"}, SHOW], "maybe-unset-name"),
        ([{"choose": ["anna", "ben"], "by": "{{ 'ben' if k }}", "as": "x"}, SHOW], "maybe-unset-name"),
        ([{"do": [X], "when": "k"}, {**SHOW, "when": "most"}], "maybe-unset-name"),
    ],
)
def test_names_that_are_not_set(turns: list[Any], code: str) -> None:
    """On no way, or on some; each is told once."""
    assert [found for found, _ in problems(turns)] == [code]


def test_a_result_has_what_early_ends_left() -> None:
    """After an early end another text stands in for a result that names what is not there."""
    early = [{"do": [X, {"end": "Over."}], "when": "k"}]
    assert problems([*early, "anna", X], result="{{ x }}") == []
    assert problems([*early, {"end": "Over."}], result="{{ x }}") == []
    assert problems([*early, "anna"], result="{{ x }}") == [("maybe-unset-name", "result")]
    assert problems([{"scene": [X], "opening": "A."}], result="{{ x }}") == [("unset-name", "result")]


def test_a_prompt_is_read_at_each_turn() -> None:
    """It is at fault if a name is missing at one of them; a `stop` and a `result` of a scene look at their own."""
    roles = {"anna": {"prompt": "{{ x }}"}, "ben": {}}
    assert problems([X, "anna", "ben"], roles=roles) == []
    assert problems(["anna", X, "anna"], roles=roles) == [("unset-name", "roles.anna.prompt")]
    assert problems([{"repeat": ["anna", X], "times": 2}], roles=roles) == [("maybe-unset-name", "roles.anna.prompt")]
    assert problems(["ben", X], stop=[{"when": "x == 1"}]) == [("unset-name", "stop.0.when")]
    assert problems([X, "ben"], stop=[{"when": "x == 1"}]) == []


def flow(turns: list[Any], **keys: Any) -> Dataflow:
    """Walk."""
    return RuleContext(pipeline(turns, inputs=INPUTS, **keys), {}).flow


def test_what_by_can_give() -> None:
    """Fixed text, and what the schema of data lists; None where nothing may be given."""
    roles = {"anna": {"format": {"next": {"enum": ["ben", "carl"]}}}, "ben": {}, "carl": {}}
    choose = {"choose": ["ben", "carl"], "by": "{{ last.data.next }}"}
    assert [given for _, _, given in flow(["anna", choose], roles=roles).picks] == [{"ben", "carl", None}]
    mixed = {**choose, "by": "{{ said.anna.data.next or ('dora' if k else 'ben') }}"}
    assert [given for _, _, given in flow(["anna", mixed], roles=roles).picks] == [{"ben", "carl", "dora"}]
    unknown = {**choose, "by": "{{ last.content }}"}
    assert flow(["anna", unknown], roles=roles).picks == []


def test_the_format_of_a_step() -> None:
    """Replaces that of its role, for what is known of the data."""
    roles = {"anna": {"format": {"next": {"enum": ["ben"]}}}, "ben": {}, "carl": {}}
    choose = {"choose": ["ben", "carl"], "by": "{{ last.data.next }}"}
    own = {"say": "anna", "format": {"next": {"enum": ["carl"]}}}
    assert [given for _, _, given in flow(["anna", choose], roles=roles).picks] == [{"ben", None}]
    assert [given for _, _, given in flow(["anna", own, choose], roles=roles).picks] == [{"carl", None}]


def test_what_never_runs() -> None:
    """And why."""
    never = flow([{"say": "anna", "when": "1 > 2"}, {"repeat": ["ben", "anna"]}, "ben"]).never
    assert [path for path, _ in never] == [("turns", 0, "when"), ("turns", 2)]
    assert never[1][1].startswith("the loop before it has no end of its own")
    assert flow([{"repeat": [{"say": "ben", "when": "k"}]}, "anna"]).never == []


def test_a_pipeline_of_many_steps_is_walked_once() -> None:
    """Each use of a name is seen as often as its step is there, however many there are."""
    seen = flow([X, *[SHOW] * 500]).sights
    assert len(seen) == 500
    assert {sight.times for sight in seen.values()} == {1}
