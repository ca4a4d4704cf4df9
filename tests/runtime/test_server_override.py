"""One host and one kind of server for all roles, laid over what the pipeline says."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_gc import project
from llm_gc.project import Loaded
from llm_gc.runtime.server_override import placed

PIPELINE = """
name: outer
roles:
  anna: {model: m, prompt: You plan., host: "http://a.example", backend: openai}
  ben: {human: true}
opening: Begin.
turns: [anna, ben, {scene: inner.yaml}]
"""
INNER = """
name: inner
roles: {carl: {model: m, prompt: You judge.}}
opening: Begin.
turns: [carl]
"""


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    """A pipeline that plays another one."""
    (tmp_path / "inner.yaml").write_text(INNER, encoding="utf-8")
    (tmp_path / "outer.yaml").write_text(PIPELINE, encoding="utf-8")
    return project.load(str(tmp_path / "outer.yaml"))


def test_every_model_is_moved(loaded: Loaded) -> None:
    """Those of the scenes' pipelines too; people stay where they are, and a password is left out."""
    moved = placed(loaded, "http://me:secret@b.example:9", "ollama")
    roles = {**moved.pipeline.roles, **moved.files.scenes["inner.yaml"][0].roles}
    assert {name: (role.host, role.backend) for name, role in roles.items()} == {
        "anna": ("http://b.example:9", "ollama"),
        "ben": (None, None),
        "carl": ("http://b.example:9", "ollama"),
    }
    assert project.document(moved.pipeline)["roles"]["anna"]["host"] == "http://b.example:9"


@pytest.mark.parametrize("backend", [None, "auto", "rehearsal"])
def test_nothing_said_changes_nothing(loaded: Loaded, backend: str | None) -> None:
    """A backend that is no kind of server says nothing of where models are."""
    assert placed(loaded, None, backend) is loaded
