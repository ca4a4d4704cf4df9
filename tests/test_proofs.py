"""Where the documents say which test proves a thing, there is that test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.commands import ROOT

DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))
PROOF = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
FILE = re.compile(r"`((?:tests|llm_gc|docs|pipelines|prompts)/[\w./-]+\.\w+)`")


def proofs() -> list[tuple[str, str]]:
    """Every test that a document names: its file and its name."""
    text = "".join(document.read_text(encoding="utf-8") for document in DOCUMENTS)
    return sorted({(file, name) for file, name in PROOF.findall(text)})


@pytest.mark.parametrize(("file", "name"), proofs())
def test_a_test_that_a_document_names_is_there(file: str, name: str) -> None:
    """In that file, by that name."""
    assert re.search(rf"^def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)


def test_a_file_that_the_page_on_servers_names_is_there() -> None:
    """Whatever is in it as a path of this project."""
    named = FILE.findall(Path(ROOT / "docs" / "ollama.md").read_text(encoding="utf-8"))
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_each_of_the_fifteen_pitfalls_has_its_proof() -> None:
    """A row each, in order, and in each what is done instead and at least one test."""
    section = (ROOT / "docs" / "ollama.md").read_text(encoding="utf-8").rpartition("## What trips others up")[2]
    rows = [row.strip("| \n").split(" | ") for row in section.splitlines() if re.match(r"\| \d", row)]
    assert [row[0] for row in rows] == [str(number) for number in range(1, 16)]
    assert all(len(row) == 4 and PROOF.search(row[3]) for row in rows)
