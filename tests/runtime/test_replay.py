"""A record held against a pipeline: identical where nothing has changed, else the exact turn and word."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llm_gc import project
from llm_gc.backends.rehearsal import Rehearsal
from llm_gc.language.inputs import resolve
from llm_gc.project import Loaded
from llm_gc.runtime.replay import Difference, replay
from llm_gc.runtime.restore import current, restored
from llm_gc.runtime.run import Run
from llm_gc.sessions import load_session
from llm_gc.transcript.decode import load
from llm_gc.transcript.encode import dumps
from llm_gc.transcript.records import ErrorRecord, Transcript
from tests.gallery.plays import PIPELINES, names
from tests.gallery.test_every import inputs
from tests.runtime.acting import Actor
from tests.runtime.test_past import BLOCK, answer, break_off
from tests.runtime.test_run import loaded
from tests.talks import failed, said

PROMPT = "You are {{ role.label }}, and brief.\nName three risks.\nThen stop."


def had(made: Loaded, folder: Path, backend: Any = None, given: Any = None) -> Transcript:
    """Run a conversation, and return its transcript as read from its file."""
    values = resolve(made.pipeline.inputs, given or {})
    run = Run(made, values, backend or Actor(answer), sessions=folder / "sessions", seed=7)
    asyncio.run(run.go())
    assert run.path is not None
    return load_session(run.path)


def written(folder: Path, **changes: Any) -> Loaded:
    """Write the pipeline with changes, and the prompt; return it loaded."""
    keys: dict[str, Any] = {"turns": BLOCK, "prompt": PROMPT, **changes}
    prompt = keys.pop("prompt")
    made = loaded(folder, **keys)
    (folder / "prompts" / "a.j2").write_text(prompt, encoding="utf-8")
    return project.load(made.file)


@pytest.fixture
def transcript(tmp_path: Path) -> Transcript:
    """The transcript of a conversation with a block, a scene, a choice and a repair."""
    return had(written(tmp_path), tmp_path)


Changed = Callable[..., Difference]


@pytest.fixture
def changed(tmp_path: Path, transcript: Transcript) -> Changed:
    """Replay it against the pipeline with a change; return the difference."""

    def difference(**changes: Any) -> Difference:
        found = replay(transcript, written(tmp_path, **changes)).difference
        assert found is not None
        return found

    return difference


@pytest.mark.parametrize("name", names())
def test_every_pipeline_of_the_gallery_replays(name: str, tmp_path: Path) -> None:
    """Against its file and against its own record; every request is the recorded one, and so is the end."""
    made = project.load(str(PIPELINES / f"{name}.yaml"))
    record = had(made, tmp_path, Rehearsal(), inputs(name))
    for against in (current(record), restored(record)):
        assert against is not None
        replayed = replay(record, against)
        assert (replayed.difference, replayed.changes) == (None, ())
        assert replayed.turns == len(record.turns) > 0


@pytest.mark.parametrize("name", names())
def test_one_word_of_a_prompt(name: str, tmp_path: Path) -> None:
    """One word more in any prompt file of the gallery that was sent: the turn, its speaker and that word are shown."""
    made = project.load(str(PIPELINES / f"{name}.yaml"))
    record = had(made, tmp_path, Rehearsal(), inputs(name))
    for file, text in record.pipeline.prompts.items():
        with_word = {**record.pipeline.prompts, file: f"{text.rstrip()} Heliotrope.\n"}
        changed = replace(record, pipeline=replace(record.pipeline, prompts=with_word))
        difference = replay(record, restored(changed)).difference
        roles = [role for role, about in made.pipeline.roles.items() if about.prompt == file]
        first = next((turn for turn in record.turns if turn.role in roles), None)
        if first is not None:
            assert difference is not None
            assert (difference.turn, first.role in difference.where) == (first.turn, True)
        elif roles:
            assert difference is None
        if difference is not None and difference.where != "the end":
            marks = [line for line in difference.lines if "Heliotrope" in line]
            assert marks
            assert all(line.startswith("+ ") for line in marks)


def test_a_word_in_a_prompt_is_shown_in_its_line(changed: Changed) -> None:
    """With the turn, the speaker, the message, and the lines around."""
    found = changed(prompt=PROMPT.replace("three", "five"))
    assert (found.where, found.what, found.turn) == ("turn 1, anna", "anna is sent something else", 1)
    assert found.lines == (
        "@@ message 1, system @@",
        "  You are anna, and brief.",
        "- Name [-three-] risks.",
        "+ Name {+five+} risks.",
        "  Then stop.",
    )


ROLES: dict[str, Any] = {"anna": {"prompt": "a.j2"}, "ben": {}}


@pytest.mark.parametrize(
    ("changes", "where", "line"),
    [
        ({"opening": "Job: {{ task }}"}, "turn 1, anna", "+ {+Job+}: do it"),
        ({"roles": {**ROLES, "ben": {"model": "n"}}}, "turn 2, ben", 'model: "m" -> "n"'),
        ({"roles": {**ROLES, "ben": {"temperature": 1}}}, "turn 2, ben", "options.temperature: (absent) -> 1"),
        ({"turns": ["ben", *BLOCK[1:]]}, "turn 1, anna", 'role: "anna" -> "ben"'),
        ({"turns": [BLOCK[0], {**BLOCK[1], "as": "x"}, *BLOCK[2:4]]}, "turn 8, anna", "it ends before: turns_done"),
        ({"stop": [{"token": "at turns.0", "match": "contains"}]}, "turn 2, ben", "it ends before: stop_token"),
        ({"limits": {"max_turns": 9}}, "turn 10, anna", "it ends before: max_turns"),
        ({"result": "{{ turn }}"}, "the end", "-> 12"),
    ],
)
def test_what_may_change(changed: Changed, changes: Any, where: str, line: str) -> None:
    """The first turn at which the models would notice it, or the end, and what it is."""
    found = changed(**changes)
    assert found.where == where, found
    assert any(line in shown for shown in found.lines), found


def test_a_structured_reply_is_asked_for_otherwise(changed: Changed) -> None:
    """Its schema is a part of the request."""
    block = json.loads(json.dumps(BLOCK))
    block[1]["parallel"][0]["do"][1]["format"] = {"ok": {"type": "boolean", "default": True}}
    found = changed(turns=block)
    assert (found.where, found.what) == ("turn 3, ben", "ben is sent something else")
    assert found.lines == ("format.properties.ok.default: (absent) -> true",)


def test_what_is_made_of_a_reply(changed: Changed) -> None:
    """Where the same is sent and the reply is heard otherwise, that is the difference."""
    found = changed(turns=[*BLOCK[:4], {"repeat": ["anna", {"say": "ben", "result": ""}], "times": 2}])
    assert (found.where, found.what) == ("turn 10, anna", "anna is sent something else")
    last = changed(turns=[*BLOCK[:4], {"repeat": ["anna", {"say": "ben", "speaker": "B"}], "times": 2}])
    assert last.where == "turn 10, anna"


def test_the_last_reply_heard_otherwise(tmp_path: Path) -> None:
    """Nobody is sent it any more, and it is another message all the same."""
    record = had(written(tmp_path, turns=["anna", "ben"]), tmp_path)
    found = replay(record, written(tmp_path, turns=["anna", {"say": "ben", "speaker": "B"}])).difference
    assert found is not None
    assert (found.where, found.what) == ("turn 2, ben", "something else is made of what ben said")
    assert found.lines == ('label: "ben" -> "B"',)


def test_more_is_asked(tmp_path: Path) -> None:
    """Where the record ends the pipeline continues."""
    record = had(written(tmp_path, turns=["anna", "ben"]), tmp_path)
    found = replay(record, written(tmp_path, turns=["anna", "ben", "anna"])).difference
    assert found is not None
    assert found.where == "after the last turn"
    assert found.what == "anna is asked at turns.2, where it ended (turns_done: every turn was taken)"


def test_another_way(tmp_path: Path) -> None:
    """Where another step is taken, the one that was taken is named."""
    record = had(written(tmp_path, turns=["anna", {"do": ["ben"]}]), tmp_path)
    found = replay(record, written(tmp_path, turns=["anna", {"do": ["ben"], "when": "false"}, "ben"])).difference
    assert found is not None
    assert (found.where, found.what) == ("turn 2, ben", "ben is asked at turns.2, where ben spoke")


def test_inputs_that_do_not_fit(changed: Changed, tmp_path: Path) -> None:
    """There is no conversation then, and why is said."""
    written(tmp_path)
    document = json.loads((tmp_path / "m1.yaml").read_text(encoding="utf-8"))
    document["inputs"]["task"] |= {"maxLength": 2, "default": "x"}
    document["inputs"]["tone"] = {"type": "string"}
    (tmp_path / "other.yaml").write_text(json.dumps(document), encoding="utf-8")
    record = load_session(next((tmp_path / "sessions").iterdir()))
    found = replay(record, project.load(str(tmp_path / "other.yaml"))).difference
    assert found is not None
    assert found.where == "before the first turn"
    assert "the input 'task' does not fit" in found.what
    assert "the input 'tone' is missing" in found.what


def test_a_change_that_changes_nothing(tmp_path: Path, transcript: Transcript) -> None:
    """What no model would notice is told, and is no difference."""
    replayed = replay(transcript, written(tmp_path, description="Another one.", limits={"timeout": "9s"}))
    assert replayed.difference is None
    assert [change.place for change in replayed.changes] == ["description", "limits"]


@pytest.mark.parametrize("count", [0, 3, 7])
def test_an_interrupted_record(tmp_path: Path, count: int) -> None:
    """As far as it goes it is replayed; that it goes no further is no difference."""
    record = load_session(break_off(tmp_path, count))
    assert replay(record, restored(record)).difference is None
    made = loaded(tmp_path, BLOCK, seed=7, opening="Other.")
    assert (replay(record, made).difference is None) == (count == 0)


def test_failures_are_replayed(tmp_path: Path) -> None:
    """Failed tries, a turn that failed, and one whose request could not be made."""
    turns = ["anna", {"say": "ben", "instruction": "{{ 1 // (task | length - 5) }}"}]
    made = written(tmp_path, turns=turns)
    backend = Actor(lambda ask: failed("server", "No."))
    late = had(made, tmp_path, backend, {"task": "plan"})
    record = had(made, tmp_path, backend, {"task": "plans"})
    for one in (late, record):
        assert one.status == "failed"
        assert replay(one, restored(one)).difference is None
    found = replay(record, written(tmp_path, turns=["anna", "ben"])).difference
    assert found is not None
    assert (found.where, found.lines[0][:31]) == ("turn 2, ben", "its request could not be made t")
    fine = had(written(tmp_path, turns=["anna", "ben"]), tmp_path, given={"task": "plans"})
    broken = replay(fine, written(tmp_path, turns=turns)).difference
    assert broken is not None
    assert broken.lines[0].startswith("its request cannot be made: ")


@pytest.mark.parametrize("on_overflow", ["stop", "drop_oldest"])
def test_what_does_not_fit_the_window(tmp_path: Path, on_overflow: str) -> None:
    """A turn that was not sent at all is a turn of the record; with a larger window it would be sent."""
    small = {"anna": {"prompt": "a.j2", "model": "n"}, "ben": {"num_ctx": 500, "max_tokens": 100}}
    limits = {"on_overflow": on_overflow, "max_turns": 8}
    keys: dict[str, Any] = {"turns": [{"repeat": ["anna", "ben"]}], "limits": limits}
    made = written(tmp_path, roles=small, **keys)
    record = had(made, tmp_path, Actor(lambda ask: said(f"{ask.id} " * 40)))
    assert (record.ended_by.reason == "overflow") == (on_overflow == "stop")
    assert any(turn.context and turn.context.dropped for turn in record.turns) == (on_overflow == "drop_oldest")
    assert replay(record, restored(record)).difference is None
    large = {**small, "ben": {"num_ctx": 7000, "max_tokens": 100}}
    found = replay(record, written(tmp_path, roles=large, **keys)).difference
    assert found is not None
    assert (found.where, found.lines) == ("turn 2, ben", ("options.num_ctx: 500 -> 7000",))


@pytest.mark.parametrize("key", ["instruction", "result"])
def test_an_error_of_a_template_in_other_words(tmp_path: Path, key: str) -> None:
    """What the same template fails by may be told otherwise by now: of a request, and at the end."""
    made = written(tmp_path, turns=["anna", {"say": "ben", key: "{{ 1 // (task | length - 4) }}"}])
    record = had(made, tmp_path, given={"task": "plan"})

    def told(words: str, line: int = 1) -> Transcript:
        then = f"pipeline m1, turns.1.{key}, line {line}: {words}"
        turns = tuple(replace(t, error=ErrorRecord("template", then)) if t.error else t for t in record.turns)
        return replace(record, turns=turns, ended_by=replace(record.ended_by, detail=then))

    assert told("division by zero") == record
    assert replay(told("something: by nothing"), restored(record)).difference is None
    assert replay(told("division by zero", line=11), restored(record)).difference is not None


def test_another_error_of_a_template(tmp_path: Path) -> None:
    """A request that could not be made then, and cannot be made now, but for another reason."""
    made = written(tmp_path, turns=["anna", {"say": "ben", "instruction": "{{ 1 // (task | length - 4) }}"}])
    record = had(made, tmp_path, given={"task": "plan"})
    turns = tuple(replace(t, error=ErrorRecord("template", "Else.")) if t.error else t for t in record.turns)
    found = replay(replace(record, turns=turns), restored(record)).difference
    assert found is not None
    assert found.lines == ('error.message: "Else." -> "pipeline m1, turns.1.instruction, line 1: division by zero"',)


def test_a_transcript_that_was_changed(transcript: Transcript) -> None:
    """What was sent cannot be rebuilt then, and that is said."""
    data = json.loads(dumps(transcript))
    data["turns"][0]["content"] += "!"
    changed = load(data)
    found = replay(changed, restored(changed)).difference
    assert found is not None
    assert "@@ message" in found.lines[0] or "the transcript was changed" in found.lines[0]


def test_the_seed_is_the_recorded_one(tmp_path: Path) -> None:
    """Where it was drawn, and where it was given beside the pipeline's own."""
    made = written(tmp_path)
    for seed in (None, 3):
        run = Run(made, {"task": "x"}, Actor(answer), sessions=tmp_path / "seeds", seed=seed)
        record = asyncio.run(run.go())
        assert replay(record, made).difference is None


def test_what_was_laid_over_it_is_laid_over_it_again(tmp_path: Path) -> None:
    """A run with another model and another limit replays against the file."""
    written(tmp_path, turns=["anna", "ben", "anna"])
    over = project.load(str(tmp_path / "m1.yaml"), ["limits.max_turns=2", "roles.ben.temperature=1"], ["anna=n"])
    record = had(over, tmp_path)
    assert record.pipeline.overrides == ("--model anna=n", "--set limits.max_turns=2", "--set roles.ben.temperature=1")
    assert (record.totals.turns, record.turns[0].request.model) == (2, "n")
    now = current(record)
    assert now is not None
    replayed = replay(record, now)
    assert (replayed.difference, replayed.changes) == (None, ())


def test_where_the_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the working directory, else from where the session's folder is; else it is gone."""
    (tmp_path / "pipelines").mkdir()
    written(tmp_path / "pipelines")
    monkeypatch.chdir(tmp_path)
    record = had(project.load("pipelines/m1.yaml"), tmp_path, Actor(lambda ask: said("x")))
    path = next((tmp_path / "sessions").iterdir())
    assert record.pipeline.file == "pipelines/m1.yaml"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = current(record, path)
    assert found is not None
    assert found.pipeline.opening == "Task: {{ task }}"
    gone = replace(record, pipeline=replace(record.pipeline, file="pipelines/none-of-these.yaml"))
    assert current(gone, path) is None


@pytest.mark.parametrize(
    ("file", "is_found"),
    [
        ("pipelines/debate.yaml", False),
        ("debate.yaml", False),
        ("/gone/llm_gc/shipped/pipelines/debate.yaml", True),
        (".venv/lib/llm_gc/shipped/pipelines/debate.yaml", True),
    ],
)
def test_a_file_that_is_gone_is_not_taken_for_one_that_ships(
    file: str, is_found: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transcript: Transcript
) -> None:
    """A project's own pipeline of the same name is gone; llm-gc's own is where it is installed now."""
    monkeypatch.chdir(tmp_path)
    record = replace(transcript, pipeline=replace(transcript.pipeline, file=file, overrides=()))
    now = current(record)
    assert (now is not None) == is_found
    assert now is None or now.pipeline.name == "debate"
