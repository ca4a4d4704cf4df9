"""A backend can be written with the public names alone, and its page in the docs names all of them truly."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import get_args

import pytest

import llm_gc
from llm_gc import backend_api, protocol
from tests.commands import ROOT

PAGE = (ROOT / "docs" / "backends.md").read_text(encoding="utf-8")
(EXAMPLE,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)

PIPELINE = """
name: birds
roles:
  echo: {model: parrot, prompt: You repeat.}
  teller: {model: counter, prompt: You count.}
  gone: {model: dodo, prompt: You are no more.}
opening: Good morning.
turns: [echo, teller]
"""


def test_the_example_imports_public_names_alone() -> None:
    """Nothing of the package but ``llm_gc`` and ``llm_gc.backend_api`` is needed."""
    imports = [node for node in ast.walk(ast.parse(EXAMPLE)) if isinstance(node, ast.Import | ast.ImportFrom)]
    ours = {alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names}
    ours |= {node.module or "" for node in imports if isinstance(node, ast.ImportFrom)}
    assert {name for name in ours if name.split(".")[0] == "llm_gc"} == {"llm_gc", "llm_gc.backend_api"}


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Return what the example of the page defines, run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(EXAMPLE, "backends.md", "exec"), names)  # the page is ours
    return names


def test_what_a_backend_answers_is_recorded(example: dict[str, object]) -> None:
    """Its words, counts and name are in the transcript, like those of a server."""
    transcript = example["transcript"]
    assert isinstance(transcript, llm_gc.Transcript)
    assert [turn.content for turn in transcript.turns] == ["You said: Good morning.", "I heard 7 words."]
    assert [turn.tokens.completion for turn in transcript.turns] == [4, 4]
    assert transcript.versions.backend == "aviary"


def test_what_a_preflight_raises_reaches_the_caller(example: dict[str, object], tmp_path: Path) -> None:
    """A missing model ends the run before the first turn, with the backend's own words."""
    file = tmp_path / "dodo.yaml"
    file.write_text(PIPELINE.replace("[echo, teller]", "[gone]"), encoding="utf-8")
    with pytest.raises(llm_gc.ModelMissing, match="no bird is called dodo"):
        llm_gc.run(file, backend=example["Aviary"]())  # type: ignore[operator]


def test_the_page_names_every_kind_of_failure_that_a_backend_may_give() -> None:
    """All but the two that the core alone finds."""
    listed = {kind for kind in get_args(protocol.FailureKind) if f"`{kind}`" in PAGE}
    assert set(get_args(protocol.FailureKind)) - listed == {"malformed", "template"}


def test_every_public_name_is_on_the_page_or_a_part_of_what_is() -> None:
    """Nobody has to read the source to learn that a name exists."""
    helpers = {"Backend", "Progress", "CutLimit", "FailureKind", "ModelFacts", "Speaker", "Request"}
    assert set(backend_api.__all__) - set(re.findall(r"\w+", PAGE)) <= helpers
    assert all(hasattr(backend_api, name) for name in backend_api.__all__)
