"""The model of test files and its JSON Schema: of one mind about what a test file is."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from llm_gc.analysis import shape
from llm_gc.analysis.document_schemas import cases_schema
from llm_gc.transcript.cases import CaseFile
from tests.test_schema import paths, properties

QUICK = settings(max_examples=300, derandomize=True, deadline=None, database=None)

WHOLE: dict[str, Any] = {
    "pipeline": "p.yaml",
    "description": "All keys.",
    "inputs": {"task": "T"},
    "set": {"seed": 1},
    "cases": [
        {
            "name": "one",
            "inputs": {"rounds": 2},
            "set": {"limits.on_error": "stop"},
            "replies": {
                "anna": ["A", {"text": "B", "thinking": "hm", "tokens": {"prompt": 3, "completion": 4},
                         "seconds": "2m"}],
                "ben#1": {"error": "timeout", "message": "Slow.", "seconds": 2.5},
                "ben#2": [{"data": None, "cut": True, "tokens": 3}, {"done_reason": "stop"}],
                "carl": "C",
            },
            "expect": {
                "speakers": ["anna"],
                "asked": ["anna"],
                "turns": 2,
                "asks": [
                    {
                        "turn": 1,
                        "sent": "T",
                        "not_sent": ["x"],
                        "system": {"equals": None, "contains": "a", "lacks": ["b"]},
                        "messages": [{"user": "T"}, {"assistant": {"starts": "a", "ends": "b", "matches": "c"}}],
                        "heard": "A",
                        "failed": False,
                    },
                    {"role": "ben#2", "ask": 1, "data": None, "failed": "malformed", "offered": ["anna"]},
                ],
                "variables": {"plan": None},
                "result": None,
                "ended": {"status": "completed", "reason": "turns_done", "detail": ["turn"]},
            },
        },
        {"name": "two", "expect": {"ended": "stop_token", "result": {"contains": "x"}}},
    ],
}  # fmt: skip
PATHS = [path for path in paths(WHOLE) if path]
VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 3.0, 2.5, -0.5, 10**30, "", " ", "a", "A b", "anna", "anna\n", "30s", "0s", "timeout",
    "stop_token", "failed", "x.yaml", [], [1], ["anna"], ["A b"], [None], [{}], {}, {"contains": "a"},
    {"contains": None},
    {"equals": None}, {"text": "a"}, {"text": None}, {"anna": "a"}, {"anna": ["a"]}, {"user": "a"},
    {"status": "failed"},
    {"prompt": 1}, {"name": "x"}, [{"name": "x"}], [{"turn": 1}],
]  # fmt: skip
KEYS = sorted({key.rpartition(".")[2] for key in properties(cases_schema())} | {"nonsense", "Upper"})


def is_typed(document: Any) -> bool:
    """Return whether the models take a document."""
    try:
        CaseFile.model_validate(document)
    except ValidationError:
        return False
    return True


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """Return the document with up to two things in it replaced, removed or added."""
    document = copy.deepcopy(WHOLE)
    for _ in range(draw(st.integers(1, 2))):
        *way, last = draw(st.sampled_from(PATHS))
        node: Any = document
        for step in way:
            inside = isinstance(node, dict) and step in node
            if not inside and not (isinstance(node, list) and isinstance(step, int) and step < len(node)):
                break
            node = node[step]
        value, change = draw(st.sampled_from(VALUES)), draw(st.sampled_from(["replace", "remove", "add"]))
        if isinstance(node, list) and isinstance(last, int) and last < len(node):
            node[last] = value
        elif isinstance(node, dict) and change == "remove":
            node.pop(last, None)
        elif isinstance(node, dict):
            node[last if change == "replace" and isinstance(last, str) else draw(st.sampled_from(KEYS))] = value
    return document


@QUICK
@given(mutated())
def test_what_the_schema_accepts_the_models_accept(document: Any) -> None:
    """And the other way round; and where the models refuse, there is always a sentence that says why."""
    problems = list(shape.check(document, cases_schema))
    assert is_typed(document) == (not problems)
    assert all(problem.message for problem in problems)


@QUICK
@given(st.sampled_from(PATHS), st.sampled_from(VALUES))
def test_one_change_at_a_time(path: tuple[Any, ...], value: Any) -> None:
    """Every value in the place of every other."""
    document = copy.deepcopy(WHOLE)
    node: Any = document
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    assert is_typed(document) == (not list(shape.check(document, cases_schema)))


def test_the_whole_document_is_right_and_has_every_key() -> None:
    """What the others begin with."""
    assert is_typed(WHOLE)
    assert not list(shape.check(WHOLE, cases_schema))
    written = json.dumps(WHOLE)
    assert [key for key in properties(cases_schema()) if f'"{key.rpartition(".")[2]}":' not in written] == []


def test_the_examples_are_right() -> None:
    """What an editor offers would be accepted."""
    schema = cases_schema()
    examples = 0
    for name, inner in properties(schema).items():
        validator = Draft202012Validator({**inner, "$defs": schema["$defs"]})
        for example in inner.get("examples", []):
            examples += 1
            assert validator.is_valid(example), (name, example)
    assert examples > 10
