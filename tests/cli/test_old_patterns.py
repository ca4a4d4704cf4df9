"""Transcripts that were recorded with patterns which are refused by now."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.commands import llm_gc, transcripts

PIPELINE = """
name: old
roles:
  anna: {model: m, prompt: "You are {{ 'Anna 1' | extract('[A-z]+') }}."}
  ben:
    model: m
    prompt: You reply in JSON.
    format: {type: object, properties: {word: {type: string, pattern: "^[a-z ]*$"}}, required: [word]}
opening: Begin.
stop: [{token: "DONE\\\\b", match: regex}]
turns: [anna, ben, anna]
"""

OLD = {"DONE\\\\b": "DONE(?!x)", "^[a-z ]*$": "^(?!x)[a-z ]*$", "[A-z]+": "(?=A)[A-z]+"}
"""What is in the transcript, as JSON writes it, and what was there in the time before."""


def recorded(folder: Path, pattern: str) -> Any:
    """Run, put an older pattern into the transcript, and take the pipeline away."""
    (folder / "old.yaml").write_text(PIPELINE)
    assert llm_gc("run", "old.yaml", "--backend", "rehearsal", cwd=folder).code == 0
    (path,) = (folder / "sessions").glob("*.json")
    text = path.read_text()
    assert pattern in text
    path.write_text(text.replace(pattern, OLD[pattern]))
    (folder / "old.yaml").unlink()
    return path


@pytest.mark.parametrize("pattern", OLD)
def test_they_can_be_read(tmp_path: Path, pattern: str) -> None:
    """They are shown and compared; a replay says what is in the way."""
    path = recorded(tmp_path, pattern)
    assert llm_gc("show", "last", cwd=tmp_path).code == 0
    assert llm_gc("show", "last", "--html", "page.html", cwd=tmp_path).code == 0
    same = llm_gc("diff", "last", str(path), cwd=tmp_path)
    assert same.code == 0, same.out
    replayed = llm_gc("replay", "last", cwd=tmp_path)
    assert replayed.code == 1
    assert OLD[pattern] in replayed.out
    assert "uses a look-ahead" in replayed.out


@pytest.mark.parametrize("pattern", [*OLD][:2])
def test_one_is_not_resumed(tmp_path: Path, pattern: str) -> None:
    """It is said why; the session stays as it was."""
    path = recorded(tmp_path, pattern)
    data = json.loads(path.read_text())
    ended = {"status": "interrupted", "ended_by": {"reason": "interrupted", "detail": "stopped by hand"}}
    path.write_text(json.dumps(data | ended | {"turns": data["turns"][:2]}))
    before = path.read_bytes()
    resumed = llm_gc("resume", "last", cwd=tmp_path)
    assert resumed.code == 2, resumed.err
    assert "uses a look-ahead" in resumed.err
    assert "Traceback" not in resumed.err
    assert path.read_bytes() == before
    assert len(transcripts(tmp_path)) == 1
