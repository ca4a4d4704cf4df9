"""A pipeline back from its transcript: as it was run, as it was before the start, and as its file is now."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from llm_gc import project
from llm_gc.analysis import Problem
from llm_gc.backends.interface import Facts, ModelFacts
from llm_gc.errors import PipelineError, UsageError
from llm_gc.runtime.resolution import cast, resolve_again
from llm_gc.runtime.restore import current, facts_of, given, restored, varied
from llm_gc.runtime.run import Run
from llm_gc.transcript.records import Transcript
from tests.runtime.acting import Actor

FACTS = Facts("acting", "1.2", {(None, "m"): ModelFacts("sha256:a", num_ctx=4096)})
DOCUMENT: dict[str, Any] = {
    "name": "outer",
    "inputs": {"task": {"type": "string"}},
    "defaults": {"model": "m", "temperature": 0.5},
    "roles": {"anna": {"prompt": "a.j2"}, "ben": {"temperature": 0.1}, "cleo": {"model": "n", "num_ctx": 2048}},
    "opening": "Begin.",
    "turns": ["anna", {"scene": "inner.yaml"}, "ben", "cleo"],
    "limits": {"max_turns": 9},
}
INNER = {"name": "inner", "roles": {"anna": {"model": "m"}}, "opening": "Inside.", "turns": ["anna"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a scene in a file of its own, and a prompt."""
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "a.j2").write_text("You do {{ task }}.", encoding="utf-8")
    (tmp_path / "outer.yaml").write_text(json.dumps(DOCUMENT), encoding="utf-8")
    (tmp_path / "inner.yaml").write_text(json.dumps(INNER), encoding="utf-8")
    return tmp_path


def had(folder: Path, *overrides: str, models: tuple[str, ...] = ()) -> Transcript:
    """Run the conversation."""
    loaded = project.load(str(folder / "outer.yaml"), overrides, models)
    return asyncio.run(Run(loaded, {"task": "it"}, Actor(facts=FACTS), sessions=folder / "s", seed=3).go())


def test_as_it_was_run(folder: Path) -> None:
    """With the seed and the windows, and all that it names, though the files are gone."""
    transcript = had(folder)
    for file in ("outer.yaml", "inner.yaml"):
        (folder / file).unlink()
    loaded = restored(transcript)
    assert project.document(loaded.pipeline) == transcript.pipeline.document
    assert loaded.pipeline.seed == 3
    assert loaded.pipeline.roles["anna"].num_ctx == 4096
    assert loaded.scenes["inner.yaml"].pipeline.roles["anna"].num_ctx == 4096
    assert dict(loaded.prompts) == {"a.j2": "You do {{ task }}."}
    assert [casting.model for casting in cast(loaded, {"task": "it"})] == ["m", "m", "n", "m"]


def test_rules_that_have_come_since(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They do not hold up a record that continues or is replayed; where something is laid over it they count."""
    transcript = had(folder)
    stricter = [("strict", Problem(("turns",), "Nobody may speak."))]
    monkeypatch.setattr("llm_gc.project.loaded.run_rules", lambda *_: stricter)
    assert restored(transcript).pipeline.name == "outer"
    with pytest.raises(PipelineError, match="Nobody may speak"):
        varied(transcript)


def test_as_it_was_before_the_start(folder: Path) -> None:
    """Without the windows that the server gave; a declared one stays, and the defaults apply once more."""
    loaded = varied(had(folder), ["defaults.temperature=0.9"])
    roles = loaded.pipeline.roles
    assert [role.num_ctx for role in roles.values()] == [None, None, 2048]
    assert [role.temperature for role in roles.values()] == [0.9, 0.1, 0.9]
    assert loaded.scenes["inner.yaml"].pipeline.roles["anna"].num_ctx is None


def test_what_is_laid_over_it_comes_last(folder: Path) -> None:
    """What was laid over it then stays, and is recorded again; what is given now goes before it."""
    transcript = had(folder, "limits.max_turns=5", models=("x",))
    assert given(transcript.pipeline) == (["limits.max_turns=5"], ["x"])
    loaded = varied(transcript, ["limits.timeout=9s"], ["ben=y"])
    assert [role.model for role in loaded.pipeline.roles.values()] == ["x", "y", "x"]
    assert (loaded.pipeline.limits.max_turns, loaded.pipeline.limits.timeout) == (5, "9s")
    texts = list(dict.fromkeys(one.given for one in loaded.document.overrides))
    assert texts == ["--model x", "--set limits.max_turns=5", "--model ben=y", "--set limits.timeout=9s"]


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("roles.anna.prompt=b.j2", "there is no file 'b.j2' in the transcript"),
        ("turns.1.scene=other.yaml", "there is no pipeline 'other.yaml' in the transcript"),
        ("turns.0=nobody", "nobody"),
        ("limits.max_turns=many", "many"),
    ],
)
def test_a_mistake_in_what_is_laid_over_it(folder: Path, override: str, told: str) -> None:
    """It is found before anything is asked, and the option that made it is named."""
    with pytest.raises(PipelineError, match=told) as caught:
        varied(had(folder), [override])
    assert {finding.file for finding in caught.value.findings} == {f"--set {override}"}


def test_an_override_that_leads_nowhere(folder: Path) -> None:
    """As with a file."""
    with pytest.raises(UsageError, match="there is no role 'zoe'"):
        varied(had(folder), ["roles.zoe.model=m"])


def test_as_its_file_is_now(folder: Path) -> None:
    """The facts of then and what was laid over it then make it the same document, if nothing has changed."""
    transcript = had(folder, "limits.max_turns=5")
    now = current(transcript)
    assert now is not None
    resolved, inputs = resolve_again(transcript, now)
    assert (resolved.record, inputs) == (transcript.pipeline, {"task": "it"})
    (folder / "outer.yaml").write_text(json.dumps({**DOCUMENT, "opening": "Now."}), encoding="utf-8")
    changed = current(transcript)
    assert changed is not None
    assert changed.pipeline.opening == "Now."
    assert changed.pipeline.limits.max_turns == 5


def test_a_window_that_is_declared_no_more(folder: Path) -> None:
    """Nobody knows what the server would give then, so there is none."""
    transcript = had(folder)
    roles = {**DOCUMENT["roles"], "cleo": {"model": "n"}}
    (folder / "outer.yaml").write_text(json.dumps({**DOCUMENT, "roles": roles}), encoding="utf-8")
    now = current(transcript)
    assert now is not None
    resolved, _ = resolve_again(transcript, now)
    assert "num_ctx" not in resolved.record.document["roles"]["cleo"]
    assert resolved.record.document["roles"]["anna"]["num_ctx"] == 4096


def test_the_facts_of_then(folder: Path) -> None:
    """Who answered, and each model's digest and window, as far as they were known."""
    transcript = had(folder)
    facts = facts_of(transcript, cast(restored(transcript), {"task": "it"}))
    assert (facts.backend, facts.server) == ("acting", "1.2")
    assert facts.models == {(None, "m"): FACTS.models[None, "m"], (None, "n"): ModelFacts()}
