"""llm-gc from Python: one call, a typed transcript, and errors that say what to do."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import llm_gc
from llm_gc.backends.interface import Facts, Notify, ignore
from llm_gc.errors import ServerUnreachable, Unanswered
from llm_gc.protocol import Ask, ModelConfig, Reply
from tests.commands import M1, environ
from tests.runtime.acting import Actor, Stuck
from tests.sessions.test_journal import full, names
from tests.talks import said


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")


def write(folder: Path, **keys: Any) -> Path:
    """Write a pipeline of one turn."""
    document = {"name": "one", "roles": {"anna": {"model": "m"}}, "opening": "Begin.", "turns": ["anna"], **keys}
    path = folder / "one.yaml"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_run_gives_the_transcript(tmp_path: Path) -> None:
    """Typed, as it is on the disk in sessions/ of the working folder."""
    transcript = llm_gc.run(M1, task="Sort a list.", rounds=2, backend="rehearsal")
    assert isinstance(transcript, llm_gc.Transcript)
    assert isinstance(transcript.turns[0], llm_gc.TurnRecord)
    assert [turn.role for turn in transcript.turns] == ["implementer", "reviewer"] * 2
    assert dict(transcript.inputs) == {"task": "Sort a list.", "rounds": 2}
    assert names(tmp_path / "sessions") == [f"{transcript.id}.json"]
    assert llm_gc.load_session(tmp_path / "sessions" / f"{transcript.id}.json") == transcript
    assert llm_gc.messages_of(transcript, transcript.turns[0])[-1]["content"].startswith("Task: Sort a list.")


def test_inputs_are_keywords_or_a_mapping() -> None:
    """Both together too; a keyword goes before; a mapping can hold what is no keyword here."""
    one = llm_gc.run(Path(M1), {"task": "x", "rounds": 1}, backend="rehearsal")
    two = llm_gc.run(M1, {"task": "other", "rounds": 1}, task="x", backend="rehearsal")
    assert dict(one.inputs) == dict(two.inputs) == {"task": "x", "rounds": 1}
    assert [turn.content for turn in one.turns] == [turn.content for turn in two.turns]


def test_an_input_may_be_called_as_an_option_is(tmp_path: Path) -> None:
    """It is given in the mapping."""
    path = write(tmp_path, inputs={"host": {"type": "string"}}, opening="{{ host }}")
    assert llm_gc.run(path, {"host": "Ada"}, backend="rehearsal").inputs == {"host": "Ada"}


def test_inputs_keep_their_shape(tmp_path: Path) -> None:
    """Lists and maps are given as such; the transcript that is given equals the one that is read."""
    path = write(tmp_path, inputs={"parts": {"type": "array"}}, opening="{{ parts | length }}")
    transcript = llm_gc.run(path, parts=("a", {"b": 1}), backend="rehearsal")
    assert transcript.inputs == {"parts": ["a", {"b": 1}]}
    assert llm_gc.load_session(next((tmp_path / "sessions").iterdir())) == transcript


def test_the_folder_and_the_seed_are_options(tmp_path: Path) -> None:
    """As on the command line."""
    transcript = llm_gc.run("m1", task="x", seed=7, sessions=tmp_path / "mine", backend="rehearsal")
    assert transcript.seed == 7
    assert names(tmp_path) == ["mine"]
    assert llm_gc.run("m1", task="x", seed=7, sessions="mine", backend="rehearsal").turns == transcript.turns


def test_a_backend_may_be_an_object(tmp_path: Path) -> None:
    """It is asked, and closed."""
    transcript = llm_gc.run(write(tmp_path), backend=(actor := Actor(lambda _: said("mine"))))
    assert (transcript.result, actor.asked, actor.closed) == ("mine", ["turns.0"], 1)


def test_it_runs_inside_a_running_loop(tmp_path: Path) -> None:
    """Several at once, each with its own transcript."""

    async def several() -> list[llm_gc.Transcript]:
        runs = [llm_gc.run_async(M1, task=f"task {number}", backend="rehearsal") for number in range(5)]
        return await asyncio.gather(*runs)

    transcripts = asyncio.run(several())
    assert [transcript.inputs["task"] for transcript in transcripts] == [f"task {number}" for number in range(5)]
    assert names(tmp_path / "sessions") == sorted(f"{transcript.id}.json" for transcript in transcripts)


def test_run_in_a_running_loop_says_what_to_do() -> None:
    """As in a notebook; nothing is left that nobody awaits."""

    async def wrong() -> None:
        llm_gc.run(M1, task="x", backend="rehearsal")

    with pytest.raises(llm_gc.UsageError, match=r"await llm_gc\.run_async"):
        asyncio.run(wrong())


def test_it_can_be_given_a_time(tmp_path: Path) -> None:
    """Whoever has waited long enough finds the transcript closed as interrupted."""

    async def impatient() -> None:
        async with asyncio.timeout(0.2):
            await llm_gc.run_async(write(tmp_path, turns=["anna", "anna"]), backend=actor)

    actor = Stuck("turns.1")
    with pytest.raises(TimeoutError):
        asyncio.run(impatient())
    (file,) = (tmp_path / "sessions").iterdir()
    transcript = llm_gc.load_session(file)
    assert (transcript.status, len(transcript.turns)) == ("interrupted", 1)
    assert (actor.cancelled, actor.closed) == (["turns.1"], 1)


# --- Errors


@pytest.mark.parametrize(("inputs", "word"), [
    ({}, "'task' is missing"),
    ({"task": "x", "rounds": 0}, "0 is less than 1"),
    ({"task": 3}, "not of type string"),
    ({"task": "x", "taks": "y"}, "no input 'taks'"),
])  # fmt: skip
def test_a_wrong_input_is_wrong_usage(inputs: dict[str, Any], word: str, tmp_path: Path) -> None:
    """It is named, and nothing begins."""
    with pytest.raises(llm_gc.UsageError, match=word):
        llm_gc.run(M1, inputs, backend="rehearsal")
    assert names(tmp_path) == []


def test_a_missing_file_is_wrong_usage() -> None:
    """It is named, with what there is."""
    with pytest.raises(llm_gc.UsageError, match=r"nowhere\.yaml"):
        llm_gc.run("nowhere.yaml", backend="rehearsal")


@pytest.mark.parametrize(("options", "word"), [({"backend": "gpt"}, "no backend 'gpt'"), ({"seed": -1}, "negative")])
def test_a_wrong_option_is_wrong_usage(options: dict[str, Any], word: str) -> None:
    """It says what is allowed."""
    with pytest.raises(llm_gc.UsageError, match=word):
        llm_gc.run(M1, task="x", **{"backend": "rehearsal", **options})


def test_a_pipeline_that_cannot_be_loaded_says_all_that_is_wrong(tmp_path: Path) -> None:
    """With file, line and column."""
    with pytest.raises(llm_gc.PipelineError, match=r"one\.yaml:1:[0-9]+: error: .*ben"):
        llm_gc.run(write(tmp_path, turns=["ben"]), backend="rehearsal")


def test_a_template_that_fails_over_the_inputs_is_the_pipeline_s_error(tmp_path: Path) -> None:
    """With the place in the file, as on the command line; nothing is left."""
    path = write(tmp_path, inputs={"n": {"type": "integer"}}, limits={"max_turns": "{{ 10 // n }}"})
    with pytest.raises(llm_gc.PipelineError, match=r"one\.yaml:1:[0-9]+: error: ") as caught:
        llm_gc.run(path, n=0, backend="rehearsal")
    assert caught.value.findings[0].path == "limits.max_turns"
    assert names(tmp_path / "sessions") == []


def test_no_server(tmp_path: Path) -> None:
    """The one that is asked for where nothing else is said is Ollama."""
    with pytest.raises(llm_gc.ServerUnreachable, match=r"127\.0\.0\.1:9"):
        llm_gc.run(write(tmp_path))


def test_no_place_for_the_transcript(tmp_path: Path) -> None:
    """It is told before anything begins."""
    (tmp_path / "sessions").write_text("")
    with pytest.raises(llm_gc.SessionError, match="that is no folder"):
        llm_gc.run(write(tmp_path), backend=(actor := Actor()))
    assert (actor.asked, actor.closed) == ([], 1)


def test_a_transcript_that_cannot_be_written_is_given_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a warning."""
    actor = Actor()
    contexts: list[Any] = []

    def answer(ask: Ask) -> Reply:
        contexts.append(full(monkeypatch, 0))
        contexts[0].__enter__()
        return said("kept")

    actor.answer = answer
    with pytest.warns(RuntimeWarning, match="the disk is full") as warned:
        transcript = llm_gc.run(write(tmp_path), backend=actor)
    contexts[0].__exit__(None, None, None)
    assert transcript.result == "kept"
    assert len(warned) == 2


def test_auto_is_loud(tmp_path: Path) -> None:
    """Where the stand-in speaks, there is a warning that says why."""
    with pytest.warns(RuntimeWarning, match=r"(?s)127\.0\.0\.1:9.*No model speaks here"):
        transcript = llm_gc.run(write(tmp_path), backend="auto")
    assert transcript.turns[0].model == "rehearsal"


def test_every_error_is_one_of_ours() -> None:
    """One name catches them all, and each has an exit code."""
    for name in ("UsageError", "PipelineError", "ServerUnreachable", "ModelMissing", "ServerError", "SessionError"):
        error = getattr(llm_gc, name)
        assert issubclass(error, llm_gc.LlmGcError)
        assert error.exit_code in (1, 2, 3)
    assert issubclass(Unanswered, llm_gc.UsageError)


def test_an_error_of_a_backend_of_one_s_own_comes_out(tmp_path: Path) -> None:
    """As it is."""

    class Away(Actor):
        async def preflight(self, castings: Any, load_timeout: float, notify: Notify = ignore) -> Facts:
            assert castings == [ModelConfig("m")]
            raise ServerUnreachable("my server is away")

    with pytest.raises(llm_gc.ServerUnreachable, match="my server is away"):
        llm_gc.run(write(tmp_path), backend=Away())


# --- The package's face


def test_at_most_twenty_public_names() -> None:
    """Each is there, and listed for whoever looks."""
    assert len(llm_gc.__all__) == len(set(llm_gc.__all__)) <= 20
    assert list(llm_gc.__all__) == sorted(llm_gc.__all__)
    assert all(getattr(llm_gc, name) for name in llm_gc.__all__)
    assert set(llm_gc.__all__) <= set(dir(llm_gc))
    with pytest.raises(AttributeError, match="has no attribute 'runn'"):
        _ = llm_gc.runn


def test_importing_it_loads_next_to_nothing() -> None:
    """Each name is loaded when it is first used."""
    code = "import sys, llm_gc; print(*sys.modules); llm_gc.__version__; llm_gc.UsageError; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ())
    first, second = (set(line.split()) for line in done.stdout.splitlines())
    assert not {"pydantic", "httpx", "jinja2", "asyncio", "yaml"} & second
    assert {name for name in first if name.startswith("llm_gc")} == {"llm_gc", "llm_gc._version"}
