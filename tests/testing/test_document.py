"""docs/testing.md is true: its cases pass, the one that fails is told so, and its tables are whole and fresh."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llm_gc.analysis.document_schemas import cases_schema
from llm_gc.testing.playing import play
from llm_gc.testing.reading import CaseSuite, read
from llm_gc.testing.verdicts import failure
from tests.commands import ROOT
from tools import manual

TEXT = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")


def blocks(info: str) -> list[str]:
    """Return the code blocks that are marked so."""
    return re.findall(rf"^```{info}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def suite(folder: Path, text: str) -> CaseSuite:
    """Write a test file of the document beside the document's pipeline, and read it."""
    (pipeline,) = blocks("yaml")
    (folder / "letter.yaml").write_text(pipeline, encoding="utf-8")
    (folder / "letter.test.yaml").write_text(text, encoding="utf-8")
    return read(folder / "letter.test.yaml", "letter.test.yaml")


@pytest.mark.parametrize("text", blocks("yaml test"))
def test_a_test_file_of_the_document(tmp_path: Path, text: str) -> None:
    """Every case in it passes."""
    shown = suite(tmp_path, text)
    for index in range(len(shown.cases.cases)):
        verdict = play(shown, index)
        assert verdict.passed, "\n".join(failure(verdict))


def test_the_case_that_fails_is_told_as_it_says(tmp_path: Path) -> None:
    """To the letter."""
    (failing,), (told,) = blocks("yaml failing"), blocks("text")
    assert "".join(f"{line}\n" for line in failure(play(suite(tmp_path, failing), 0))) == told


def test_its_tables_are_whole_and_fresh() -> None:
    """One for each part of the schema, as the models have it: else run `make docs`."""
    tables = {found["name"] for found in manual.PLACE.finditer(TEXT)}
    assert tables == {"CaseFile", *cases_schema()["$defs"]}
    assert manual.rewritten(TEXT) == TEXT


def test_every_link_leads_somewhere() -> None:
    """Each names a heading."""
    headings = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= anchors
