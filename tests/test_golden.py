"""What the gallery does is what it did when ``tests/data/golden/`` was written; transcripts of then are readable."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

import llm_gc
from tests.commands import ROOT
from tests.commands import llm_gc as command
from tests.golden import FOLDER, names, of_pipeline, run_here, written

TRANSCRIPTS = sorted((ROOT / "tests" / "data" / "transcripts").glob("*.json"))
JOURNAL = ROOT / "tests" / "data" / "transcripts" / "interrupted.jsonl"

of_each = pytest.mark.parametrize("file", TRANSCRIPTS, ids=lambda file: file.stem)


def test_every_pipeline_is_frozen() -> None:
    """The gallery has no pipeline without a file here, and the other way round."""
    assert sorted(file.stem for file in FOLDER.glob("*.json")) == names()


@pytest.mark.parametrize("name", names())
def test_a_pipeline_does_what_it_did(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """``python -m tests.golden`` writes the files again, where a change of behaviour is meant."""
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    frozen = FOLDER.joinpath(f"{name}.json").read_text(encoding="utf-8")
    now = written(of_pipeline(name))
    assert now.splitlines() == frozen.splitlines()


@of_each
def test_an_old_transcript_can_be_read(file: Path) -> None:
    """All of it: each request that it holds has the hash that was recorded with it."""
    transcript = llm_gc.load_session(file)
    turns = json.loads(file.read_text(encoding="utf-8"))["turns"]
    assert len(transcript.turns) == len(turns) > 0
    for turn, recorded in zip(transcript.turns, turns, strict=True):
        sent = llm_gc.messages_of(transcript, turn)
        text = json.dumps(sent, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        assert hashlib.sha256(text.encode()).hexdigest() == recorded["request"]["sha256"]
        assert (turn.id, turn.content) == (recorded["id"], recorded["content"])


@of_each
def test_an_old_transcript_can_be_replayed(file: Path, tmp_path: Path) -> None:
    """Its recorded pipeline still sends what it sent, and reaches the same end."""
    replayed = run_here("replay", str(file), "--as-recorded", cwd=tmp_path)
    assert (replayed.code, replayed.err) == (0, "")


@of_each
def test_an_old_transcript_can_be_shown(file: Path, tmp_path: Path) -> None:
    """As a page, which holds all of it."""
    assert run_here("show", str(file), "--html", "page.html", cwd=tmp_path).code == 0


def test_an_old_journal_can_be_resumed(tmp_path: Path) -> None:
    """A conversation that was interrupted then continues now, after the turns that it has."""
    journal = Path(shutil.copy(JOURNAL, tmp_path))
    turns = len(journal.read_text(encoding="utf-8").splitlines()) - 1
    resumed = command("resume", journal.name, "--anyway", "--json", cwd=tmp_path)
    assert resumed.code == 0, resumed.err
    transcript = json.loads(resumed.out)
    assert (transcript["status"], transcript["resumed"][0]["after"]) == ("completed", turns)
