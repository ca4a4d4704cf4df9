"""A document with broken parts: the rest is typed, and what the rules say of it leads back to the whole."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings

from llm_gc.analysis import run_rules
from llm_gc.analysis.problem import Problem
from llm_gc.analysis.recovery import STAND_IN, parse_result
from tests.test_schema import is_typed, mutated

QUICK = settings(max_examples=150, derandomize=True, deadline=None, database=None)
BASE: dict[str, Any] = {"name": "x", "roles": {"anna": {"model": "m"}, "ben": {"model": "m"}}, "turns": ["anna"]}


def test_a_whole_document() -> None:
    """Is typed as it is."""
    found = parse_result(BASE)
    assert found.pipeline is not None
    assert (found.problems, found.is_whole) == ([], True)
    problem = Problem(("turns", 0), "'nope' is no role")
    assert found.mended("unknown-role", problem) is problem


def test_what_is_left_is_typed_and_leads_back() -> None:
    """Items of lists keep the numbers that they have in the document."""
    found = parse_result(BASE | {"turns": ["anna", {"sya": "ben"}, 3, {"repeat": [{"say": 1}, "ben", "carl"]}]})
    assert found.pipeline is not None
    assert not found.is_whole
    assert [problem.path for problem in found.problems] == [
        ("turns", 1, "sya"),
        ("turns", 2),
        ("turns", 3, "repeat", 0, "say"),
    ]
    assert found.original(("turns", 1, "repeat", 1, "say")) == ("turns", 3, "repeat", 2, "say")


@pytest.mark.parametrize(
    ("keys", "names"),
    [({"roles": {"anna": 3}}, ["anna"]), ({"roles": []}, [STAND_IN]), ({"roles": {"A": {}}}, [STAND_IN])],
)
def test_a_role_that_is_broken_is_still_there(keys: dict[str, Any], names: list[str]) -> None:
    """So that nobody is told that there is no such role; where none is left, one is in."""
    found = parse_result(BASE | keys)
    assert found.pipeline is not None
    assert list(found.pipeline.roles) == names


def test_what_was_cut_away_is_not_missed() -> None:
    """A name that was in it is not called unknown, and nothing is said to lack what was cut out of it."""
    broken = {"defaults": {"model": 3}, "turns": ["anna", {"say": "ben", "as": "draft", "nope": 1, "format": 3}]}
    found = parse_result(BASE | broken)
    assert found.mended("unknown-name", Problem(("result",), "'nope' is not declared anywhere")) is None
    assert found.mended("unknown-name", Problem(("result",), "'else' is not declared anywhere")) is not None
    assert found.mended("role-without-model", Problem(("roles", "anna"), "no model")) is None
    assert found.mended("idle-key", Problem(("turns", 1), "it lacks a format")) is None
    assert found.mended("idle-key", Problem(("turns", 1, "as"), "odd")) == Problem(("turns", 1, "as"), "odd")


@pytest.mark.parametrize(
    ("keys", "leaves"),
    [
        ({}, []),
        ({"seed": "many", "limits": {"timeout": 30}}, ["seed", "timeout"]),
        ({"turns": [{"say": "anna", "temperatur": 0.2}]}, ["temperature"]),
        ({"defaults": {"options": ["top_p"]}, "inputs": {"size": {}}}, ["options"]),
        ({"roles": {"anna": {"model": "m", "max_tokens": "size"}}, "inputs": {"size": {}}}, None),
        ({"turns": [{"say": "anna", "max_tokens": "size"}, {"set": {"size": "3"}}]}, None),
        ({"turns": ["anna", {"sya": "ben"}], "seed": "many"}, None),
        ({"turns": [{"say": "anna", "seeds": "own"}]}, None),
        ({"roles": {"seed": 3}}, None),
        ({"inputs": {"seed": 3}}, None),
        ({"limits": {"max_turns": 0.5}, "max_turns": 3}, ["max_turns"]),
        ({"defaults": {"top_p": 0.9}}, ["options"]),
        ({"defaults": {"option": {"top_p": 0.9}}}, ["options"]),
        ({"roles": {"anna": {"model": "m", "max_tokens": {"prompt": "Say DONE."}}}}, None),
    ],
)
def test_leaves(keys: dict[str, Any], leaves: list[str] | None) -> None:
    """Known by the keys that they have, or that were meant; None where something else is cut, or one uses a name."""
    found = parse_result(BASE | keys).leaves
    assert (sorted(found) if found is not None else None) == leaves


@pytest.mark.parametrize(
    "broken",
    [
        {"limits": {"on_overflow": "drop-oldest"}},
        {"limits": {"max_tokens": "10"}},
        {"limits": {"max_turns": "1"}},
        {"roles": {"anna": {"model": "m", "num_ctx": "8k"}, "ben": {"model": "m", "max_tokens": 10}}},
        {"roles": {"anna": {"model": "m", "max_tokens": "10"}, "ben": {"model": "m", "max_tokens": 10}}},
    ],
)
def test_a_leaf_that_a_rule_reads(broken: dict[str, Any]) -> None:
    """What may only follow from it is not told: here that everything said does not fit the default context."""
    whole = {**BASE, "opening": "Begin.", "defaults": {"num_ctx": 1100}, "turns": ["anna", "ben", "anna"]}

    def told(data: dict[str, Any]) -> bool:
        read = parse_result(data)
        assert read.pipeline is not None
        return "context-overflow" in {code for code, _ in run_rules(read.pipeline, {}, leaves=read.leaves)}

    assert told(whole)
    assert told(whole | {"seed": "many"})
    assert not told({**whole, **broken})


def test_what_cannot_be_read_is_no_leaf() -> None:
    """Nobody knows what else was there; and a file that is missing may have said anything."""
    assert parse_result(BASE, frozenset([("seed",)])).leaves is None
    assert parse_result(BASE, frozenset([()])).leaves is None
    assert parse_result(BASE, whole=False).leaves is None


def test_where_a_file_under_it_is_missing() -> None:
    """No key and no name is missed: all may be there."""
    found = parse_result({"turns": ["anna"], "limits": {"max_turns": -1}}, whole=False)
    assert [problem.path for problem in found.problems] == [("limits", "max_turns")]
    assert found.mended("unknown-role", Problem(("turns", 0), "'anna' is no role")) is None


def test_holes_are_not_told_of_again() -> None:
    """Who could not read them has said so."""
    found = parse_result(BASE | {"opening": None, "stop": [None, 3]}, frozenset([("opening",), ("stop", 0)]))
    assert [problem.path for problem in found.problems] == [("stop", 1)]
    assert found.pipeline is not None
    assert (found.pipeline.opening, found.pipeline.stop) == (None, [])


@QUICK
@given(mutated())
def test_any_document_is_cut_to_what_can_be_typed(document: Any) -> None:
    """It is told what is wrong exactly where something is; the document itself is left as it was."""
    before = copy.deepcopy(document)
    found = parse_result(document)
    assert document == before
    assert bool(found.problems) == (not is_typed(before))
    assert found.is_whole == (not found.problems)
    assert found.pipeline is not None
