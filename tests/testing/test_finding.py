"""Finding test files: in folders, by their names, and beside pipelines."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_gc.testing.selection import find


@pytest.mark.usefixtures("_here")
def test_folders_are_searched_in_order() -> None:
    """Deep down too, but not where only tools keep their things; each file once."""
    assert [path.as_posix() for path in find(("a", "."))] == ["a/x.test.yaml", "z.test.yaml", "b/c/y.test.yaml"]


@pytest.mark.usefixtures("_here")
def test_a_file_is_taken_by_its_name() -> None:
    """Also where its folder is none to be searched."""
    assert find((".hidden/h.test.yaml",)) == [Path(".hidden/h.test.yaml")]


@pytest.fixture
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in a folder with test files."""
    names = ["z.test.yaml", "a/x.test.yaml", "a/x.yaml", "b/c/y.test.yaml", ".hidden/h.test.yaml", "build/o.test.yaml"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
