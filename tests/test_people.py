"""People in a whole run from Python, and in the check of a pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import llm_gc
from llm_gc import project
from llm_gc.backends.interface import Facts, Notify, ignore
from llm_gc.errors import PipelineError, UsageError
from llm_gc.protocol import Ask, ModelConfig, Reply

EDITOR = """\
name: review
roles:
  writer: {model: m}
  editor: {human: true}
opening: Begin.
turns: [{repeat: [writer, editor], times: 2}]
"""


class Polite:
    """A backend of somebody's own, which answers for everybody."""

    async def preflight(self, castings: Sequence[ModelConfig], load_timeout: float, notify: Notify = ignore) -> Facts:
        return Facts("polite")

    async def reply(self, ask: Ask, notify: Notify = ignore) -> Reply:
        return Reply("a person" if ask.casting.human else "a model", done_reason="stop")

    async def aclose(self) -> None:
        """There is nothing to let go of."""


def run(folder: Path, text: str = EDITOR, **options: Any) -> llm_gc.Transcript:
    """Run a pipeline in a folder."""
    (folder / "review.yaml").write_text(text, encoding="utf-8")
    options = {"backend": "rehearsal", **options}
    return llm_gc.run(folder / "review.yaml", sessions=folder / "sessions", **options)


def test_answers_from_python(tmp_path: Path) -> None:
    """They are what the people of the pipeline say."""
    transcript = run(tmp_path, answers=["one", "two"])
    assert [turn.content for turn in transcript.turns if turn.model == "human"] == ["one", "two"]
    assert transcript.versions.backend == "rehearsal"


def test_people_among_themselves_need_no_server(tmp_path: Path) -> None:
    """No model is looked for, whatever backend was asked for."""
    transcript = run(tmp_path, EDITOR.replace("model: m", "human: true"), backend="ollama", answers=["x"] * 4)
    assert (transcript.status, transcript.versions.backend) == ("completed", "human")


def test_without_answers(tmp_path: Path) -> None:
    """A program has no terminal to ask at: it is told so before the first turn."""
    with pytest.raises(UsageError, match=r"'editor' is a person; .*answers="):
        run(tmp_path)
    assert not (tmp_path / "sessions").exists()


def test_answers_that_run_out_in_python(tmp_path: Path) -> None:
    """The error says where the journal is, and it is there."""
    with pytest.raises(UsageError, match=r"no answer is left for editor: all 1 in the answers were used; .*\.jsonl"):
        run(tmp_path, answers=["one"])
    (journal,) = (tmp_path / "sessions").iterdir()
    assert [turn.role for turn in llm_gc.load_session(journal).turns] == ["writer", "editor", "writer"]


def test_answers_left_over_in_python(tmp_path: Path) -> None:
    """They are a warning."""
    with pytest.warns(RuntimeWarning, match="1 of 3 answers in the answers were not needed"):
        assert run(tmp_path, answers=["one", "two", "three"]).status == "completed"


def test_a_backend_of_ones_own_may_be_the_people_too(tmp_path: Path) -> None:
    """Without answers it is asked for everybody, so that a program can ask people in its own way."""
    contents = [turn.content for turn in run(tmp_path, backend=Polite()).turns]
    assert contents == ["a model", "a person"] * 2
    contents = [turn.content for turn in run(tmp_path, backend=Polite(), answers=["x", "y"]).turns]
    assert contents == ["a model", "x", "a model", "y"]


def test_a_role_is_a_model_or_a_person(tmp_path: Path) -> None:
    """A role that is neither is an error at its name; a person needs no model, and may have one by default."""
    file = tmp_path / "review.yaml"
    file.write_text(EDITOR.replace("{model: m}", "{label: Writer}"), encoding="utf-8")
    with pytest.raises(PipelineError) as caught:
        project.load(str(file))
    (finding,) = caught.value.findings
    assert (finding.line, finding.column, finding.code) == (3, 3, "role-without-model")
    assert "'writer' has no model" in str(finding)
    assert "human: true" in str(finding)
    file.write_text(f"{EDITOR}defaults: {{model: x}}\n".replace("{model: m}", "{label: Writer}"), encoding="utf-8")
    assert project.load(str(file)).warnings == ()
