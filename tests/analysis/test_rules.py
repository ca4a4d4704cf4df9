"""The rules: what holds of all of them. What each of them finds is under tests/cases."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from jinja2 import Environment

from llm_gc.analysis import Problem, rules, run_rules
from llm_gc.analysis.declared_names import INSIDE, JINJA, NAMES, SEEN, WORDS
from llm_gc.analysis.rules import RULES
from llm_gc.analysis.rules.bad_option import KNOWN, OWN
from llm_gc.language.pipeline import LOAD_OPTIONS, Pipeline
from tests.talks import pipeline
from tests.test_schema import is_typed, mutated

QUICK = settings(max_examples=200, derandomize=True, deadline=None, database=None)


def found(typed: Pipeline, prompts: dict[str, str] | None = None) -> list[tuple[str, Problem]]:
    """Return everything that the rules find."""
    return list(run_rules(typed, prompts or {}))


NAMING = ("role-without-model", "taken-name", "unknown-attribute", "unknown-name", "unknown-role", "unset-name")


def messages(turns: list[Any], codes: Container[str] = NAMING, **keys: Any) -> list[str]:
    """Return what the rules of these codes say of a pipeline of these turns."""
    return [problem.message for code, problem in found(pipeline(turns, **keys)) if code in codes]


@pytest.mark.parametrize("code", RULES)
def test_a_rule_is_a_file_with_its_manual_page(code: str) -> None:
    """Its name is its code; its docstring begins with it, and shows what is bad and what is good."""
    module = RULES[code]
    manual = module.__doc__ or ""
    assert getattr(module, "__name__", "").rpartition(".")[2] == code.replace("-", "_")
    assert re.match(rf"{code}: [a-z`].*\.\n", manual)
    assert "\nBad: " in manual
    assert "\nGood: " in manual


def test_every_rule_is_registered() -> None:
    """One line each."""
    folder = Path(rules.__file__).parent
    files = {file.stem.replace("_", "-") for file in folder.glob("*.py")} - {"--init--"}
    assert files == set(RULES)


@QUICK
@given(mutated())
def test_no_rule_falls_over_a_pipeline_that_is_typed(document: Any) -> None:
    """Whatever the models take, every rule can be run over; what it says is a sentence with a path."""
    if not is_typed(document):
        return
    for code, problem in found(Pipeline.model_validate(document), {"m1/reviewer.j2": "{{ nope }}"}):
        assert code in RULES
        assert problem.message
        assert problem.path


def test_reserved_names_are_all_there() -> None:
    """Whatever Jinja gives, and whatever llm-gc gives, cannot be the name of anything else."""
    environment = Environment(autoescape=False)
    assert set(environment.globals) - {"lipsum"} == set(JINJA)
    names = {*JINJA, *NAMES, *WORDS, *INSIDE}
    inputs = {name: {"type": "string", "default": "x"} for name in names}
    roles: dict[str, Any] = {name: {} for name in (*SEEN, "anna")}
    taken = {
        problem.path[1] for code, problem in found(pipeline(["anna"], roles, inputs=inputs)) if code == "taken-name"
    }
    assert taken == names | set(SEEN)


def test_every_option_is_known_once() -> None:
    """Those with a key of their own are not among the others; those that load a model again are."""
    assert not OWN.keys() & KNOWN.keys()
    assert set(LOAD_OPTIONS) - {"num_ctx"} <= KNOWN.keys()


# --- Names, in the places that they are known in


@pytest.mark.parametrize(
    "turns",
    [
        [{"say": "anna", "as": "x"}, {"say": "ben", "when": "x.content"}],
        [{"repeat": [{"say": "ben", "when": "round > 1 and x"}, {"say": "anna", "as": "x"}], "times": 2}],
        [{"repeat": [{"say": "ben", "instruction": "{{ item }} {{ round }}"}], "for": "item", "in": [1]}],
        [{"repeat": [{"scene": [{"say": "ben", "when": "round > 1"}]}], "times": 2}],
        [{"set": {"a": 1, "b": "a + 1"}}, {"post": "{{ b }}"}],
        [{"say": "anna", "instruction": "{{ role.label }}", "result": "{{ role.label }}"}],
        [{"scene": ["anna"], "stop": [{"when": "role.name == 'anna'"}], "limits": {"max_turns": "{{ turn }}"}}],
        [
            {"parallel": [{"say": "anna", "instruction": "{{ last.content }}"}], "as": "xs"},
            {"post": "{{ xs[0].content }}"},
        ],
    ],
)
def test_names_that_are_known(turns: list[Any]) -> None:
    """Where something gives them."""
    assert messages(turns) == []


NO_ORDER = "'turn' is not known here: side by side there is no order of turns"


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        ([{"say": "anna", "when": "round > 1"}], "'round' is not known here: this is not inside a 'repeat'"),
        ([{"say": "anna", "when": "role.name"}], "'role' is not known here: no single role speaks here"),
        ([{"parallel": [{"say": "anna", "when": "turn"}]}], NO_ORDER),
        ([{"post": "{{ x }}"}], "'x' is not declared anywhere"),
        ([{"say": "anna", "as": "x"}, {"post": "{{ x.nothing }}"}], "a message has no 'nothing'"),
        ([{"post": "{{ said.carl }}"}], "'said' has no 'carl'"),
        ([{"post": "{{ roles['carl'] }}"}], "'roles' has no 'carl'"),
    ],
)  # fmt: skip
def test_names_that_are_not_known(turns: list[Any], message: str) -> None:
    """And why."""
    assert messages(turns) == [message]


@pytest.mark.parametrize(
    "post",
    ["{{ said[last.role].content }}", "{{ said.get('anna') }}", "{% for m in messages %}{{ m.anything }}{% endfor %}",
     "{{ messages[0].data.x }}", "{{ roles.items() }}", "{{ ys.anything }}"],
)  # fmt: skip
def test_what_cannot_be_told_is_not(post: str) -> None:
    """An item that is worked out, data, a loop's name, a name that holds several things."""
    block = {"parallel": ["anna"], "as": "ys"}
    turns = [block, {"do": [{"say": "anna", "as": "ys"}], "when": "turn > 1"}, {"post": post}]
    assert messages(turns) == []


def test_one_name_for_two_variables() -> None:
    """A variable may be set again, and by whatever sets one."""
    assert messages([{"set": {"x": "''"}}, {"say": "anna", "as": "x"}, {"say": "ben", "as": "x"}]) == []


def test_two_loops_after_one_another() -> None:
    """May call their items alike; one inside the other may not."""
    loop = {"repeat": ["anna"], "for": "item", "in": [1]}
    assert messages([loop, loop]) == []
    assert messages([{**loop, "repeat": [loop]}]) == ["'item' is the name of the loop around this one"]


def test_a_person_needs_no_model() -> None:
    """Everybody else does."""
    assert messages(["anna"], roles={"anna": {"human": True}}) == []


def uses_of(problems: list[tuple[str, Problem]]) -> Iterator[tuple[str, int | None, int | None]]:
    """Return file, line and column of problems."""
    return ((problem.file, problem.line, problem.column) for _, problem in problems)


def test_places_in_files() -> None:
    """What is wrong in a file that is taken in is told there."""
    prompts = {"a.j2": "{% include 'b.j2' %}", "b.j2": "one\n two {{ nope }}"}
    typed = pipeline(["anna"], roles={"anna": {"prompt": "a.j2"}})
    assert list(uses_of(found(typed, prompts))) == [("b.j2", 2, 9)]
