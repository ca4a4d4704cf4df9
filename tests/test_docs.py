"""What the documents show is true: every pipeline in them loads and runs, and the Python in them works."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import llm_gc
from llm_gc import project
from llm_gc.backends.rehearsal import Rehearsal
from llm_gc.files.locations import pipelines_in
from tests.commands import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(language: str) -> list[tuple[str, str]]:
    """Return every code block of a language, with its document's name and number."""
    found = [
        (f"{document.name}-{number}", text)
        for document in DOCUMENTS
        for number, text in enumerate(
            re.findall(rf"^```{language}\n(.*?)^```$", document.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
        )
    ]
    assert found, f"no block of {language}"
    return found


def named_files() -> Iterator[tuple[str, str]]:
    """Yield the blocks that open with a comment that is the name of a file: those that other blocks name."""
    for language, opening in (("yaml", r"# (\S+\.yaml)\n"), ("jinja", r"\{# (\S+\.j2) #\}\n")):
        for _, text in blocks(language):
            if found := re.match(opening, text):
                yield found[1], text


@pytest.mark.parametrize("text", [text for _, text in blocks("yaml")], ids=[name for name, _ in blocks("yaml")])
def test_a_pipeline_in_a_document(text: str, tmp_path: Path) -> None:
    """It loads without a finding, and a rehearsal of it ends well; an input without a default is given some text."""
    file = tmp_path / "block.yaml"
    for name, content in (*named_files(), (file.name, text)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    loaded = project.load(str(file))
    assert loaded.warnings == ()
    inputs = {name: "something" for name, schema in loaded.pipeline.inputs.items() if "default" not in schema}
    transcript = llm_gc.run(file, inputs, backend=Rehearsal(), sessions=tmp_path / "sessions")
    assert transcript.status in ("completed", "stopped")


def test_the_first_pipeline_is_short() -> None:
    """The README promises ten lines."""
    assert len(blocks("yaml")[0][1].splitlines()) <= 10


@pytest.mark.parametrize("text", [text for _, text in blocks("python")], ids=[name for name, _ in blocks("python")])
def test_python_in_a_document(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs as it is, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    exec(compile(text, "README.md", "exec"), {})  # that is the test


def test_every_shipped_pipeline_is_clean() -> None:
    """Each loads without a finding, and tells editors where its schema is."""
    files = pipelines_in(ROOT / "pipelines")
    assert files
    for file in files:
        assert project.load(str(file)).warnings == ()
        first = file.read_text(encoding="utf-8").splitlines()[0]
        assert first == "# yaml-language-server: $schema=../schemas/pipeline.schema.json"
