"""The page on the architecture: what it names is there, and no more than it promises."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PATHS = sorted(set(re.findall(r"`((?:llm_gc|tests|tools)/[\w/.-]+)`", PAGE)))

MOST_LINES = 500
"""Of the four files of the tour together."""

MOST_FILES = 8
"""To open to follow one feature."""


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_it_names_is_there(path: str) -> None:
    """Files and folders alike."""
    assert (ROOT / path).exists()


def test_the_tour_is_short() -> None:
    """Four files, which a newcomer reads in one go."""
    tour = re.findall(r"^\d\. `(\S+)`", PAGE, re.MULTILINE)
    assert len(tour) == 4
    assert sum(len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in tour) <= MOST_LINES


def test_a_feature_is_in_few_files() -> None:
    """Each row of the table of features names at most eight."""
    table = PAGE.split("## Where to look for a feature")[1].split("\n## ")[0]
    counts = [len(re.findall(r"`llm_gc/\S+\.py`", row)) for row in table.splitlines() if row.startswith("| a ")]
    assert len(counts) >= 5
    assert max(counts) <= MOST_FILES
