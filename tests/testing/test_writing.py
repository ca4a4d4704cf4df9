"""Writing test files: what is written is read back, and looks as an author would have it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_gc.files.locations import read_yaml
from llm_gc.source import load
from llm_gc.testing.writing import text_of
from llm_gc.transcript.cases import CaseFile
from tests.commands import ROOT

QUICK = settings(max_examples=300, derandomize=True, deadline=None, database=None)

WORDS = ["no", "on", "null", "~", "1:30", "012", "0o14", "0x1f", "1e3", ".5", "-", "- a", "a: b", "#", "a #b", "'", '"',
         " a", "a ", "a\n", "\na", "a\n\nb", "a \nb", "a\tb", "\t", "{{ x }}", "[a]", "*a", "&a", "!a", "|", ">", "%",
         "@", "`", "é", "日本", "😀", "\u2028", "\x85", "\ufeff", "\u202ea", "\u061c", "\u2069\n", "<<", "=", "true",
         "2026-01-01", "a" * 150]  # fmt: skip
texts = st.one_of(st.sampled_from(WORDS), st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1))
data = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**9), 10**9), st.floats(allow_nan=False, allow_infinity=False),
              texts, st.just("")),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=8,
)  # fmt: skip


def one(**case: Any) -> CaseFile:
    """Return a file with one case."""
    return CaseFile.model_validate({"cases": [{"name": "c", **case}]})


def again(cases: CaseFile) -> CaseFile:
    """Write cases, and read them as any test file is read."""
    return CaseFile.model_validate(load(text_of(cases), "again.test.yaml").data)


@QUICK
@given(data)
def test_any_data_is_read_back(value: Any) -> None:
    """Whatever JSON can hold."""
    cases = one(replies={"anna": [{"data": value}]}, expect={"result": value, "variables": {"x": value}})
    assert again(cases) == cases


@QUICK
@given(st.lists(texts, min_size=1, max_size=3), texts)
def test_any_text_is_read_back(replies: list[str], name: str) -> None:
    """Also what YAML would take for a number, a truth, a comment or a mark."""
    cases = CaseFile.model_validate({"cases": [{"name": name, "replies": {"anna": replies, "ben": replies[0]}}]})
    assert again(cases) == cases


@pytest.mark.parametrize("file", sorted((ROOT / "pipelines").glob("*.test.yaml")), ids=lambda file: file.name)
def test_the_files_that_ship_are_read_back(file: Any) -> None:
    """Every one of them, key by key."""
    cases = CaseFile.model_validate(read_yaml(file, file.name).data)
    assert again(cases) == cases


def test_it_is_written_as_an_author_would() -> None:
    """Short things in one line, texts of several lines as blocks, an empty line between cases, the schema first."""
    cases = CaseFile.model_validate({
        "pipeline": "m1.yaml",
        "inputs": {"task": "Plan.", "rounds": 1},
        "cases": [
            {"name": "It ends.", "replies": {"implementer": ["A plan."], "reviewer": ["Good.\n\nAPPROVED"]}},
            {"name": "It fails.", "replies": {"implementer": {"error": "server"}}, "expect": {"ended": "failed"}},
        ],
    })  # fmt: skip
    assert (
        text_of(cases, "../schemas/test.schema.json")
        == """\
# yaml-language-server: $schema=../schemas/test.schema.json
pipeline: m1.yaml
inputs: {task: Plan., rounds: 1}

cases:
  - name: It ends.
    replies:
      implementer: [A plan.]
      reviewer:
        - |-
          Good.

          APPROVED

  - name: It fails.
    replies: {implementer: {error: server}}
    expect: {ended: failed}
"""
    )


def test_no_mark_turns_what_is_read() -> None:
    """Marks of direction and control characters are escapes, so that a file reads as it is."""
    odd = "a\u202eb\u2066c\u200f\u061c\x1b\x9b"
    text = text_of(one(replies={"anna": [odd]}, expect={"result": {odd: odd}}))
    assert not (set(odd) - set("abc")) & set(text)
    assert again(one(replies={"anna": [odd]})) == one(replies={"anna": [odd]})
