"""The wheel: an installed user has the command, the pipelines, the prompts and the schemas."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.commands import ROOT

pytestmark = pytest.mark.slow


def test_the_wheel_carries_what_ships(tmp_path: Path) -> None:
    """Every file of the package, every pipeline, prompt and schema is in it, and nothing of the tests."""
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for folder in ("pipelines", "prompts", "schemas"):
        files = [file for file in (ROOT / folder).rglob("*") if file.is_file()]
        assert files
        assert {f"llm_gc/shipped/{file.relative_to(ROOT).as_posix()}" for file in files} <= names
    package = [file for file in (ROOT / "llm_gc").rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    assert {file.relative_to(ROOT).as_posix() for file in package} <= names
    assert {"llm_gc/py.typed", "llm_gc/reports/html/page.html.j2"} <= names
    assert not any(name.startswith(("tests/", "benchmarks/", "sessions/")) for name in names)
    assert any(name.endswith("entry_points.txt") for name in names)
