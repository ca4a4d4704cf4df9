"""Votes: states grow with the number of counts, and not with the number of orders in which the votes may be given."""

from __future__ import annotations

from itertools import pairwise, product
from math import comb
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from llm_gc.core import Files
from llm_gc.errors import TemplateError
from llm_gc.model_checker.condition_vars import reads
from llm_gc.model_checker.list_readers import BAG, FIRSTS, PLAIN, SIZE, SUM, TIES, TRUTH, order_free
from llm_gc.model_checker.projection import Projection, Tree
from llm_gc.model_checker.search import Exploration, Search
from llm_gc.model_checker.state_key import States
from llm_gc.protocol import Message
from llm_gc.templates import Templates
from llm_gc.templates.filters import majority
from llm_gc.templates.parsing import reader
from llm_gc.values.frozen import freeze
from tests.model_checker.exploring import Unmerged, explore
from tests.talks import pipeline

COPIES = (2, 4, 6, 8)
VOTE = {"say": "voter", "format": {"answer": {"enum": ["yes", "no"]}}}
READERS = [
    "(votes | majority('data.answer')) == 'yes'",
    "(votes | map(attribute='data.answer') | majority) == 'yes'",
    "votes | selectattr('data.answer', 'equalto', 'yes') | list | length > 1",
    "'yes' in (votes | map(attribute='data.answer'))",
]
IN_ORDER = "(votes | map(attribute='data.answer') | join(',')) == 'yes,no'"


def counts(copies: int) -> int:
    """Count how often each of two answers, and none, may have been given before one of so many votes."""
    return sum(comb(given + 2, 2) for given in range(copies))


def votes(copies: int, reader: str, *, listed: bool = False) -> Exploration:
    """Explore a vote of equal copies."""
    block = {"parallel": [VOTE] * copies} if listed else {"parallel": [VOTE], "times": copies}
    turns = [{**block, "as": "votes"}, {"say": "chair", "when": reader}]
    return explore(turns, roles=["voter", "chair"], max_states=3000)


@pytest.mark.parametrize("reader", READERS)
def test_states_grow_with_counts(reader: str) -> None:
    """A count is one state for a vote that is due, one for a vote that is asked for again, and one more for ties."""
    for copies in COPIES:
        found = votes(copies, reader)
        assert found.is_whole
        assert len(found.nodes) <= 3 * counts(copies)


def test_states_of_a_reader_in_order_grow_with_orders() -> None:
    """So it is the readers that keep it from trebling with each vote."""
    grown = [len(votes(copies, IN_ORDER).nodes) for copies in (2, 3, 4)]
    assert all(later > 2.5 * earlier for earlier, later in pairwise(grown))


def test_copies_may_be_listed_too() -> None:
    """One after the other in the document."""
    assert len(votes(6, READERS[0], listed=True).nodes) == len(votes(6, READERS[0]).nodes)


def test_a_variable_between_hides_no_reader() -> None:
    """A list that is set from the votes is read in the manner of whoever reads that list."""
    turns = [
        {"parallel": [VOTE], "times": 6, "as": "votes"},
        {"set": {"yes": "votes | map(attribute='data.answer') | select('equalto', 'yes')", "count": "yes | length"}},
        {"say": "chair", "when": "count > 3"},
    ]
    assert len(explore(turns, roles=["voter", "chair"]).nodes) <= 2 * counts(6) + 1


def test_one_order_of_arrival_is_explored() -> None:
    """The first of those who are asked is always answered first: what comes of it is the same in any order."""
    found = explore([{"parallel": ["anna", "ben", "cleo"]}], roles=["anna", "ben", "cleo"])
    assert {node.speaker.role: node.depth for node in found.nodes} == {"anna": 0, "ben": 1, "cleo": 2}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("votes | majority('data.a')", {(TIES, "by:data.a")}),
        ("votes | select | map(attribute='data.a') | majority", {(TIES, "select map:data.a")}),
        ("votes | selectattr('failed') | majority", {(FIRSTS, "failed", TRUTH), (FIRSTS, PLAIN)}),
        ("votes | map(attribute='data.n') | sum > 3", {(SUM, "data", "n")}),
        ("votes | sum(attribute='data.n') > 3", {(SUM, "data", "n")}),
        ("votes | extract('[0-9]') | median", {(BAG, PLAIN)}),
        ("votes | length", {(BAG, SIZE)}),
        ("1 if votes | select else 2", {(BAG, TRUTH), (BAG, SIZE)}),
        ("votes | first", None),
        ("votes | max(attribute='data.n')", None),
        ("votes | majority('data.a', 'data.n')", None),
        ("votes | map(attribute='data.a') | unique | list", None),
        ("[votes | majority('data.a'), votes[0]]", None),
    ],
)
def test_who_reads_no_order(text: str, expected: set[tuple[str, ...]] | None) -> None:
    """Each kind of reader, and what it reads of an item; whoever looks at an order anywhere is none."""
    found = order_free(reader().parse(f"{{{{ {text} }}}}"))
    assert found == ({} if expected is None else {"votes": expected})


def said(*answers: str | None) -> list[Message]:
    """Return votes; None is one that failed."""
    return [Message("v", "V", one or "", freeze({"a": one}) if one else None, failed=one is None) for one in answers]


def tally(*answers: str | None, left: int = 0) -> Any:
    """Project votes as a majority reads them while so many are left."""
    return Projection().items(said(*answers), TIES, Tree(branches={"by:data.a": Tree(True)}), left)


def test_of_votes_counts_who_may_still_win() -> None:
    """By how many, and who is first among those that may be tied; nothing else."""
    assert tally("a", "a", "b") == tally("b", "a", "a") == tally("a", "c")
    assert tally("a", "b") != tally("b", "a")
    assert tally("a", "b", None, left=2) == tally("a", None, "b", left=2)
    assert tally("a", "a", "b", left=1) != tally("b", "a", "a", left=1)
    assert tally("a", "a", "a", "b", left=1) == tally("b", "a", "a", "a", left=1) == tally("a", "a", "a", left=1)
    assert tally("a", "a", left=1) != tally("a", "a", "b", left=1)


def test_votes_that_are_told_alike_elect_alike() -> None:
    """Whatever follows: of all votes that are one state, the rest makes the same one win."""
    for left in (0, 1, 2, 3):
        rests = list(product((*"abcd", None), repeat=left))
        winners: dict[Any, set[Any]] = {}
        for given_ in product((*"abc", None), repeat=4):
            wins = tuple(majority(said(*given_, *rest), "data.a") for rest in rests)
            winners.setdefault(tally(*given_, left=left), set()).add(wins)
        assert all(len(wins) == 1 for wins in winners.values())
        assert len(winners) < 4**4 / 3


@pytest.mark.parametrize(
    "text",
    [
        *(reader_.replace("data.answer", "data.a") for reader_ in READERS),
        "votes | selectattr('content') | map(attribute='data.a') | majority",
        "(votes | rejectattr('failed') | map(attribute='data.a') | min) ~ (votes | majority('data.a'))",
        "votes | extract('[ab]') | majority",
        "votes | select | list | length",
        "votes | map(attribute='data.a') | map('upper') | select('in', ['A', 'B']) | max",
    ],
)
def test_lists_that_are_told_alike_are_read_alike(text: str) -> None:
    """Of all lists that are one to those who read them, a text makes the same."""
    templates = Templates()
    [tree] = Tree.of(reads(templates, text, "expression", decides=True)).branches.values()
    made: dict[Any, set[Any]] = {}
    for given_ in product((*"abA", None), repeat=4):
        value = freeze(said(*given_))
        try:
            found = str(templates.expression(text)({"votes": value}.__getitem__))
        except TemplateError as error:
            found = error.message
        made.setdefault(Projection().value(value, tree), set()).add(found)
    assert all(len(one) == 1 for one in made.values())
    assert len(made) < 4**4


VOTES = st.fixed_dictionaries(
    {"enum": st.sampled_from([["x", "y"], ["x", "y", "z"]]), "copies": st.integers(2, 3)},
    optional={"also": st.sampled_from(["anna", {"do": ["anna", {"say": "ben", "when": "last.failed"}]}])},
)
CONDITIONS = [
    *("(votes | majority('data.a')) == 'x'", "(votes | select | map(attribute='data.a') | majority) == 'y'"),
    *("votes | selectattr('data.a', 'equalto', 'x') | list | length > 1", "votes | rejectattr('failed') | list"),
    *("(votes | selectattr('content') | majority('data.a')) == 'x'", "(votes | map(attribute='data.a') | min) == 'x'"),
    *("(votes | first).data.a == 'x'", "last.failed", "said.ben", "(messages | majority('data.a')) == 'x'"),
]


@settings(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck), max_examples=25)
@given(VOTES, st.sampled_from(CONDITIONS), st.sampled_from(CONDITIONS))
def test_merging_votes_loses_nothing(vote: dict[str, Any], one: str, two: str) -> None:
    """Whatever is reached by looking at each order is reached by looking at counts."""
    ask = {"say": "anna", "format": {"a": {"enum": vote["enum"]}}}
    branches = [ask, vote["also"]] if "also" in vote else [ask] * vote["copies"]
    turns = [{"parallel": branches, "as": "votes"}, {"say": "ben", "when": one}, {"say": "anna", "when": two}]
    made = pipeline([*turns, {"end": "so", "when": one}], limits={"repairs": 0})
    try:
        whole = Search(made, {}, Files(), max_states=400, states=Unmerged).run()
    except TemplateError:
        assume(False)
        raise
    assume(whole.is_whole)
    merged = Search(made, {}, Files(), states=States).run()
    assert len(merged.nodes) <= len(whole.nodes)
    assert _reached(merged) == _reached(whole)


def _reached(exploration: Exploration) -> Any:
    visits = {visit for visit in exploration.seen.visits if visit.kind in ("step", "when", "spoke")}
    faults = {what.partition(":")[0] for _, what in exploration.seen.faults}
    return visits, {(end.reason, end.failure, end.turns) for end in exploration.seen.order}, faults
