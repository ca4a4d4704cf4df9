"""resume, replay, diff and run --from as commands: what they print, and how they end."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_gc.sessions import lock_session
from tests.cli.test_run import MODELS, interrupted
from tests.commands import M1, ROOT, command, environ, llm_gc, transcripts
from tests.standin import Hang, Say, StandIn

RUN = ("run", "pipelines/m1.yaml", "--task", "Sort a list.", "--backend", "rehearsal")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a pipeline, its prompts and one session, whose id is that of ``one``."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "pipelines").mkdir()
    shutil.copy(M1, folder / "pipelines")
    shutil.copytree(ROOT / "prompts" / "m1", folder / "prompts" / "m1")
    assert llm_gc(*RUN, "--quiet", cwd=folder).code == 0
    return folder


@pytest.fixture
def folder(project: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(project, tmp_path / "project")


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A server with the models of M1."""
    with StandIn(MODELS) as running:
        yield running


def session(folder: Path) -> Path:
    """Return the oldest session in a folder."""
    return min((folder / "sessions").iterdir())


def break_off(folder: Path, turns: int, torn: bytes = b"") -> Path:
    """Make the session an interrupted one of so many turns: a journal, perhaps with half a line behind."""
    path = session(folder)
    data = json.loads(path.read_text(encoding="utf-8"))
    known = ("format", "rules", "id", "pipeline", "inputs", "seed", "started_at", "versions")
    header = {key: data[key] for key in known}
    lines: list[Any] = [{"turn": turn, "texts": data["texts"]} for turn in data["turns"][:turns]]
    with lock_session(str(path), path.parent) as taken:
        journal = taken.reopen([{"start": header}, *lines])
    journal.close()
    with journal.path.open("ab") as file:
        file.write(torn)
    return journal.path


def bare(transcript: Any) -> Any:
    """Return a transcript without its times."""
    return {key: value for key, value in transcript.items() if key not in ("ended_at", "resumed")}


def change(folder: Path, file: str, old: str, new: str) -> None:
    """Change a word in a file."""
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")


# --- resume


def test_resume_goes_on_with_the_rest(folder: Path) -> None:
    """It prints the turns that it takes, says where it began, and leaves the transcript that an unbroken run leaves."""
    (before,) = transcripts(folder)
    path = break_off(folder, 4, torn=b'{"turn": {"turn": 5, "id"')
    result = llm_gc("resume", "last", cwd=folder)
    assert result.code == 0
    assert re.findall(r"^(\w+): ", result.out, re.MULTILINE)[:2] == ["implementer", "reviewer"]
    assert "the last line of " in result.err
    assert "was torn, and is dropped" in result.err
    assert f"{path.stem} continues after 4 recorded turns" in result.err
    (after,) = transcripts(folder)
    assert bare(after) == bare(before)
    assert [one["after"] for one in after["resumed"]] == [4]
    assert [file.name for file in (folder / "sessions").iterdir()] == [f"{path.stem}.json"]


def test_resume_prints_what_is_asked_for(folder: Path) -> None:
    """The result alone with --quiet, the transcript alone with --json: also where nothing is left to do."""
    (before,) = transcripts(folder)
    path = break_off(folder, 5)
    quiet = llm_gc("resume", str(path), "--quiet", cwd=folder)
    assert (quiet.code, quiet.out, quiet.err) == (0, before["result"] + "\n", "")
    as_json = llm_gc("resume", str(path), "--json", cwd=folder)
    assert as_json.code == 0
    assert bare(json.loads(as_json.out)) == bare(before)
    assert as_json.err == f"nothing to do: {path.stem} has ended (stop_token: reviewer said APPROVED)\n"


def test_resume_stops_where_a_prompt_has_changed(folder: Path) -> None:
    """It shows the word and says what can be done; --anyway continues what was recorded."""
    (before,) = transcripts(folder)
    path = break_off(folder, 2)
    journal = path.read_bytes()
    change(folder, "prompts/m1/reviewer.j2", "three", "five")
    result = llm_gc("resume", path.stem, cwd=folder)
    assert (result.code, result.out) == (2, "")
    assert "- If something is missing, wrong or risky, list at most [-three-] points." in result.err
    assert "+ If something is missing, wrong or risky, list at most {+five+} points." in result.err
    last = result.err.splitlines()[-1]
    assert last.startswith(f"llm-gc: pipelines/m1.yaml has changed since {path.stem} began; --anyway continues")
    assert path.read_bytes() == journal
    assert llm_gc("resume", path.stem, "--anyway", "--quiet", cwd=folder).code == 0
    (after,) = transcripts(folder)
    assert bare(after) == bare(before)


def test_resume_where_the_pipeline_is_broken_or_gone(folder: Path) -> None:
    """One that cannot be loaded stops it; one that is gone is told, and its record stands in for it."""
    path = break_off(folder, 2)
    (folder / "pipelines" / "m1.yaml").write_text("roles: {}\nturns: []\n", encoding="utf-8")
    broken = llm_gc("resume", path.stem, cwd=folder)
    assert broken.code == 2
    assert "pipelines/m1.yaml:1:" in broken.err
    assert "cannot be loaded any more since" in broken.err
    change(folder, str(path.relative_to(folder)), '"pipelines/m1.yaml"', '"pipelines/mine.yaml"')
    gone = llm_gc("resume", path.stem, "--quiet", cwd=folder)
    assert gone.code == 0
    assert "warning: pipelines/mine.yaml no longer exists" in gone.err


def test_two_at_once(folder: Path) -> None:
    """The second one is told, and changes nothing."""
    path = break_off(folder, 2)
    with lock_session(path.stem, path.parent):
        result = llm_gc("resume", "last", cwd=folder)
    assert (result.code, result.out) == (2, "")
    assert f"{path.name} is being written by another llm-gc; wait until that has ended" in result.err
    assert llm_gc("resume", "last", "--quiet", cwd=folder).code == 0


def test_nothing_to_resume(folder: Path) -> None:
    """No session of that name, and a conversation that failed by itself."""
    assert llm_gc("resume", "2020", cwd=folder).err.startswith("llm-gc: there is no session '2020' in sessions;")
    path = session(folder)
    change(folder, str(path.relative_to(folder)), '"status": "completed"', '"status": "failed"')
    result = llm_gc("resume", path.stem, cwd=folder)
    assert result.code == 1
    assert "failed, and would fail again: reviewer said APPROVED; fix it, and fork it: llm-gc run --from" in result.err


def test_ctrl_c_and_resume(server: StandIn, tmp_path: Path) -> None:
    """The way on is named; the server is asked for the rest alone, and the turn that was cancelled comes again."""
    code, errors, first = interrupted(tmp_path, server)
    (way,) = re.findall(r"^llm-gc resume (\S+) continues it$", errors, re.MULTILINE)
    assert (code, first["status"], len(first["turns"])) == (130, "interrupted", 1)
    asked = len(server.chats)
    server.script(Say("It is good.\n\nAPPROVED"))
    result = llm_gc("resume", way, "--host", server.url, cwd=tmp_path)
    assert (result.code, result.out.startswith("reviewer: It is good.")) == (0, True)
    (made,) = transcripts(tmp_path)
    assert (made["id"], made["status"], made["turns"][0]) == (first["id"], "completed", first["turns"][0])
    assert len(server.chats) == asked + 1
    assert len(made["resumed"]) == 1


def test_a_server_that_comes_back(tmp_path: Path) -> None:
    """A run whose server went away for good ends with 3; it can be resumed where that left it, or with another."""
    with StandIn(MODELS) as gone:
        gone.script(Say("a plan"), Hang(Say("I am"), lines=1))
        words = command("run", M1, "--task", "x", "--host", gone.url, "--set", "limits.retries=0")
        process = subprocess.Popen(words, cwd=tmp_path, env=environ(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        gone.wait_for_chats(2, 20)
    _, errors = process.communicate(timeout=60)
    (first,) = transcripts(tmp_path)
    assert (process.returncode, first["status"]) == (3, "failed")
    assert b" continues it" in errors
    with StandIn(MODELS) as back:
        back.script(Say("APPROVED"))
        result = llm_gc("resume", "last", "--host", back.url, "--quiet", cwd=tmp_path)
    assert (result.code, result.out) == (0, "a plan\n")
    (made,) = transcripts(tmp_path)
    assert [turn["role"] for turn in made["turns"]] == ["implementer", "reviewer"]


HUMAN = """
name: review
roles: {writer: {model: m}, editor: {human: true}}
opening: Write a line.
turns: [{repeat: [writer, editor], times: 2}]
"""


def test_answers_that_ran_out_can_be_given(tmp_path: Path) -> None:
    """The run ends with 2; what was answered is recorded, and resume takes only what is still needed."""
    (tmp_path / "review.yaml").write_text(HUMAN, encoding="utf-8")
    (tmp_path / "first.txt").write_text("Shorter.\n", encoding="utf-8")
    (tmp_path / "rest.txt").write_text("Good.\n", encoding="utf-8")
    run = llm_gc("run", "review.yaml", "--backend", "rehearsal", "--answers", "first.txt", cwd=tmp_path)
    assert run.code == 2
    (path,) = re.findall(r"llm-gc resume (\S+) continues with them", run.err)
    assert llm_gc("resume", path, cwd=tmp_path).code == 2  # nobody answers
    resumed = llm_gc("resume", path, "--answers", "rest.txt", "--quiet", cwd=tmp_path)
    assert (resumed.code, resumed.out) == (0, "Good.\n")
    (made,) = transcripts(tmp_path)
    assert [turn["content"] for turn in made["turns"] if turn["role"] == "editor"] == ["Shorter.", "Good."]


# --- run --from


def test_fork(folder: Path) -> None:
    """The turns before are taken over and not printed; the new transcript names its parent and replays."""
    (before,) = transcripts(folder)
    result = llm_gc("run", "--from", "last", "--turn", "3", "--set", "roles.reviewer.temperature=0.9", cwd=folder)
    assert result.code == 0
    assert f"forked from {before['id']}: 2 turns are taken over" in result.err
    assert before["turns"][0]["content"] not in result.out
    after = transcripts(folder)[-1]
    assert after["parent"] == {"id": before["id"], "turn": 3}
    assert after["turns"][:2] == before["turns"][:2]
    assert after["turns"][3]["request"]["options"]["temperature"] == 0.9
    assert (after["inputs"], after["seed"]) == (before["inputs"], before["seed"])
    replayed = llm_gc("replay", "sessions", cwd=folder)
    assert (replayed.code, replayed.out.count(": identical (6 turns, against pipelines/m1.yaml)")) == (0, 2)


def test_fork_with_a_file_and_inputs(folder: Path) -> None:
    """The pipeline as it is now, with other inputs where they are given and the recorded ones where not."""
    change(folder, "prompts/m1/reviewer.j2", "three", "five")
    words = ("run", "pipelines/m1.yaml", "--from", "last", "--turn", "2", "--rounds", "1", "--seed", "5", "--quiet")
    assert llm_gc(*words, cwd=folder).code == 0
    before, after = transcripts(folder)
    assert after["inputs"] == {**before["inputs"], "rounds": 1}
    assert (after["seed"], after["status"], len(after["turns"])) == (5, "completed", 2)
    assert "five" in after["pipeline"]["prompts"]["m1/reviewer.j2"]
    given = llm_gc("run", "--from", before["id"], "--turn", "2", "--input", "rounds=2", "--json", cwd=folder)
    assert json.loads(given.out)["inputs"]["rounds"] == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--turn", "3"), "--turn needs --from SESSION"),
        (("--from", "last", "--turn", "9"), "has 6 turns; a turn from 1 to 7 was expected, not 9"),
        (("--from", "last"), "the conversation has already ended: reviewer said APPROVED"),
        (("--from", "last", "--turn", "5", "--set", "limits.max_turns=1"), "is not asked by this pipeline"),
        (("--from", "last", "--turn", "2", "--set", "roles.nobody.model=x"), "there is no role 'nobody'"),
        (("--from", "last", "--turn", "2", "--set", "roles.reviewer.prompt=x.j2"), "no file 'x.j2' in the transcript"),
        (("--from", "last", "--turn", "2", "--input", "rounds=many"), "the input 'rounds' does not fit"),
        (("--from", "nowhere"), "there is no session 'nowhere'"),
    ],
)
def test_a_fork_that_cannot_be(project: Path, words: tuple[str, ...], told: str) -> None:
    """Exit 2, with what is wrong; no session is left behind."""
    result = llm_gc("run", *words, cwd=project)
    assert (result.code, result.out) == (2, "")
    assert told in result.err
    assert len(transcripts(project)) == 1
    assert len(list((project / "sessions").iterdir())) == 1


# --- replay


def test_replay_shows_the_first_difference(folder: Path) -> None:
    """Which turn, whose, and the line with its words marked; the exit code says it too."""
    change(folder, "prompts/m1/reviewer.j2", "three", "five")
    id_ = session(folder).stem
    result = llm_gc("replay", "last", cwd=folder)
    assert (result.code, result.err) == (1, "")
    assert result.out.splitlines()[:3] == [
        f"{id_}: differs from pipelines/m1.yaml",
        "  turn 2, reviewer: Reviewer is sent something else",
        "    @@ message 1, system @@",
    ]
    assert "    - If something is missing, wrong or risky, list at most [-three-] points." in result.out
    as_recorded = llm_gc("replay", "last", "--as-recorded", cwd=folder)
    assert (as_recorded.code, as_recorded.out) == (0, f"{id_}: identical (6 turns, against its own record)\n")
    other = llm_gc("replay", "last", "--against", M1, cwd=folder)
    assert (other.code, other.out) == (0, f"{id_}: identical (6 turns, against {M1})\n")


def test_replay_of_many(folder: Path) -> None:
    """A folder is replayed whole, the oldest first; one that cannot be read is told, and the others are replayed."""
    id_ = session(folder).stem
    (folder / "sessions" / "20200101T000000Z-x.json").write_text("{}", encoding="utf-8")
    change(folder, "pipelines/m1.yaml", "description: An", "description: The")
    result = llm_gc("replay", "sessions", id_, cwd=folder)
    assert result.code == 2
    assert result.err.startswith("20200101T000000Z-x: cannot be replayed: ")
    lines = result.out.splitlines()
    assert lines[0] == f"{id_}: identical (6 turns, against pipelines/m1.yaml)"
    assert lines[1] == "  the pipeline has changed since, but nothing that was sent or resulted has:"
    assert lines[2].startswith("    description:")


def test_replay_without_the_file(folder: Path) -> None:
    """The record stands in for it, and that is said."""
    path = session(folder)
    change(folder, str(path.relative_to(folder)), '"pipelines/m1.yaml"', '"pipelines/mine.yaml"')
    result = llm_gc("replay", str(path), cwd=folder)
    there = "against its own record, since pipelines/mine.yaml is not there any more"
    assert (result.code, result.out) == (0, f"{path.stem}: identical (6 turns, {there})\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "Give the sessions to replay"),
        (("last", "--as-recorded", "--against", "x"), "not both"),
        (("pipelines",), "There is no session in pipelines"),
        (("none",), "there is no session 'none'"),
        (("last", "--against", "none.yaml"), "there is no pipeline none.yaml"),
    ],
)
def test_replay_of_nothing(project: Path, words: tuple[str, ...], told: str) -> None:
    """Exit 2, with what is wrong."""
    result = llm_gc("replay", *words, cwd=project)
    assert (result.code, result.out) == (2, "")
    assert told in result.err


# --- diff


def test_diff(folder: Path) -> None:
    """The pipelines, the turn at which they part and why, every later turn, the ends, and the exit code."""
    words = ("--turn", "3", "--set", "roles.reviewer.temperature=0.9", "--seed", "5", "--quiet")
    assert llm_gc("run", "--from", "last", *words, cwd=folder).code == 0
    one, other = (path.stem for path in sorted((folder / "sessions").iterdir()))
    result = llm_gc("diff", one, other, cwd=folder)
    assert (result.code, result.err) == (1, "")
    lines = result.out.splitlines()
    assert lines[:2] == [f"A: {one}", f"B: {other}"]
    assert "  roles.reviewer.temperature: 0.15 -> 0.9" in lines
    assert "  the first 2 are the same" in lines
    assert "  they part at turn 3, Implementer: other seed, other reply" in lines
    assert "  turn 4, Reviewer: other request, other seed, other reply" in lines
    assert lines[-3].startswith("A: completed (stop_token)")
    assert lines[-1] == "they differ"
    data = json.loads(llm_gc("diff", one, other, "--json", cwd=folder).out)
    assert (data["a"], data["b"], data["differ"], data["same"]) == (one, other, True, 2)
    assert data["pipeline"][0] == {"path": "roles.reviewer.temperature", "a": 0.15, "b": 0.9}
    assert data["parting"]["causes"] == ["seed", "reply"]
    assert [turn["causes"] for turn in data["turns"][:2]] == [[], []]


def test_diff_of_the_same(project: Path) -> None:
    """A session and itself: exit 0."""
    result = llm_gc("diff", "last", "last", cwd=project)
    assert (result.code, result.err) == (0, "")
    assert "  all 6 are the same" in result.out
    assert result.out.endswith("they are the same conversation\n")


@pytest.mark.parametrize("words", ["replay", "resume", "show", "diff last", "run --from"])
def test_what_cannot_be_read(folder: Path, words: str) -> None:
    """It is no difference, and no conversation that failed: exit 2, whatever was to be done with it."""
    (folder / "x.json").write_text("{}", encoding="utf-8")
    result = llm_gc(*words.split(), "x.json", cwd=folder)
    assert (result.code, result.out) == (2, "")
    assert "x.json is not a transcript that can be read" in result.err


def test_what_differs_beside_what_cannot_be_read(folder: Path) -> None:
    """The graver code is that of all, in whatever order they are."""
    (folder / "x.json").write_text("{}", encoding="utf-8")
    change(folder, "prompts/m1/reviewer.j2", "three", "five")
    codes = [llm_gc("replay", *names, cwd=folder).code for names in (("x.json", "last"), ("last", "x.json"))]
    assert codes == [2, 2]
