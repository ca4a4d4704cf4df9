"""``llm-gc show`` as its own process: what it prints where, and what it writes."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from llm_gc.transcript.encode import dumps, messages_of, plain
from llm_gc.transcript.records import Transcript
from tests.cli.terminal import Terminal
from tests.commands import M1, command, environ, llm_gc, transcripts
from tests.shown import CODE, PLAN, THOUGHTS, hostile, rich

NASTY = "red \x1b[31m, bell \x07, title \x1b]0;x\x07, csi \x9b2J, back \x08, return\rhome, bidi \u202eabc"
OBEYED = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
ID = "20260102T030405Z-durations"


def put(folder: Path, transcript: Transcript) -> Path:
    """Put a transcript into a folder's sessions/."""
    path = folder / "sessions" / f"{transcript.id}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(dumps(transcript, indent=1) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with one session."""
    put(tmp_path, rich())
    return tmp_path


def shown(folder: Path, *args: str) -> tuple[str, int | None]:
    """Return what show prints in a terminal, without its escape sequences, and its exit code."""
    terminal = Terminal(command("show", *args), folder, environ())
    text = terminal.read()
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text), terminal.code


# --- As lines, and in a terminal


def test_piped_it_is_what_the_run_printed(tmp_path: Path) -> None:
    """Standard output is the conversation to the byte; the end of it is on standard error as after a run."""
    ran = llm_gc("run", M1, "--task", "sort a list", "--backend", "rehearsal", cwd=tmp_path)
    result = llm_gc("show", "last", cwd=tmp_path)
    assert (result.code, result.out) == (0, ran.out)
    ended = ran.err[ran.err.index("completed (") : ran.err.index("transcript:")]
    assert result.err.endswith(ended)
    assert "task: sort a list" in result.err


def test_what_is_odd_is_told(folder: Path) -> None:
    """Failures, tries, choices and what nobody heard, each beside its turn on standard error."""
    result = llm_gc("show", ID, cwd=folder)
    assert "moderator chooses tester · 0.9 s" in result.err
    assert "turn 2, coder (qwen2.5-coder:7b), attempt 1 failed: The connection broke off" in result.err
    assert (
        "warning: turn 7, critic (deepseek-coder:1.3b) failed: deepseek-coder:1.3b did not end within 30 s"
        in result.err
    )
    assert "turn 9, critic (deepseek-coder:1.3b): no other role heard this" in result.err
    assert "turn 6, tester (llama3.2:3b): a line of the reply speaks as coder" in result.err
    assert "a call of 1 tool(s) was refused" in result.err
    assert "result: what judge said in turn 12, above" in result.err
    assert "Here is a" not in result.out.splitlines()
    assert not any(line.startswith("moderator:") for line in result.out.splitlines())


def test_where_it_comes_from(tmp_path: Path) -> None:
    """A fork names its parent, on standard error and in Markdown."""
    llm_gc("run", M1, "--task", "x", "--backend", "rehearsal", "--sessions", "old", cwd=tmp_path)
    (parent,) = (tmp_path / "old").glob("*.json")
    llm_gc("run", "--from", str(parent), "--turn", "3", "--quiet", cwd=tmp_path)
    assert f"forked from {parent.stem}, at turn 3\n" in llm_gc("show", "last", cwd=tmp_path).err
    assert f"| Forked from | {parent.stem}, at turn 3 |" in llm_gc("show", "last", "--markdown", "-", cwd=tmp_path).out


def test_thinking_on_demand(folder: Path) -> None:
    """It is shown where it was asked for, and told from what was said."""
    assert THOUGHTS.splitlines()[0] not in llm_gc("show", ID, cwd=folder).out
    out = llm_gc("show", ID, "--thinking", cwd=folder).out
    assert out.startswith("".join(f"planner (thinking): {line}\n" for line in THOUGHTS.splitlines()))
    text, _ = shown(folder, ID, "--thinking")
    assert f"planner  qwen3:4b · turn 1\n{THOUGHTS}\n{PLAN.splitlines()[0]}" in text


def test_in_a_terminal(folder: Path) -> None:
    """The speaker, its model and the turn are above what was said, the figures below."""
    text, code = shown(folder, ID)
    assert code == 0
    assert "\nplanner  qwen3:4b · turn 1\n" in text
    assert PLAN.splitlines()[0] in text
    assert re.search(r"\n2\.4 s · first token after 0\.1 s · prompt \d+ and reply \d+ tokens", text)
    assert "planner: " not in text.replace("durations · ", "")


@pytest.mark.parametrize(
    "args", [(), ("--thinking",), ("--turn", "2", "--request"), ("--turn", "1", "--json"), ("--json",)]
)
def test_nothing_that_a_terminal_would_obey(tmp_path: Path, args: tuple[str, ...]) -> None:
    """Control characters in replies, thoughts, inputs and requests never reach the output."""
    put(tmp_path, hostile(NASTY, "fine"))
    result = llm_gc("show", "last", *args, cwd=tmp_path)
    assert result.code == 0
    assert not OBEYED.search(result.out + result.err)
    text, _ = shown(tmp_path, "last", *args)
    assert not OBEYED.search(text)
    assert "31m" in text


def test_a_journal_is_shown_as_far_as_it_goes(folder: Path) -> None:
    """What a crash has left is told like anything else, and that it was interrupted."""
    transcript = rich()
    start = {
        key: plain(getattr(transcript, key)) for key in ("id", "pipeline", "inputs", "seed", "started_at", "versions")
    }
    lines = [{"start": {**start, "format": 1}}, {"turn": plain(transcript.turns[0]), "texts": plain(transcript.texts)}]
    (folder / "cut.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    result = llm_gc("show", "cut.jsonl", cwd=folder)
    assert result.code == 0
    assert result.out.startswith("planner: Here is a plan")
    assert "interrupted: the program was gone" in result.err


# --- One turn


def test_one_turn_with_its_request(folder: Path) -> None:
    """Who was asked what, line by line, then the answer; the options beside it."""
    result = llm_gc("show", ID, "--turn", "2", "--request", cwd=folder)
    sent = messages_of(rich(), rich().turns[1])
    lines = [f"{m['role']}: {line}".rstrip() for m in sent for line in m["content"].split("\n")]
    answer = [f"coder: {line}".rstrip() for line in CODE.split("\n")]
    assert result.out.splitlines() == [*lines, "coder (void): Here is a", *answer]
    assert "options: num_ctx 4096, num_predict 1024, seed " in result.err


def test_a_request_as_json_is_exact(folder: Path) -> None:
    """The messages as they were sent, the options, and the format."""
    data = json.loads(llm_gc("show", ID, "--turn", "12", "--request", "--json", cwd=folder).out)
    turn = rich().turns[-1]
    assert data["messages"] == messages_of(rich(), turn)
    assert data["options"] == plain(turn.request.options)
    assert data["format"] == plain(turn.request.format)


def test_a_choice_by_its_id(folder: Path) -> None:
    """What has no number is known by its id, and then told whole."""
    result = llm_gc("show", ID, "--turn", "turns.3.repeat:1.0.by", cwd=folder)
    assert result.out == 'moderator: {"next": "tester"}\n'


def test_the_whole_as_json(tmp_path: Path) -> None:
    """The transcript as it is in its file."""
    llm_gc("run", M1, "--task", "x", "--backend", "rehearsal", "--quiet", cwd=tmp_path)
    assert [json.loads(llm_gc("show", "last", "--json", cwd=tmp_path).out)] == transcripts(tmp_path)


def test_a_request_that_was_changed_is_not_shown_as_sent(folder: Path) -> None:
    """The recorded digest is held against what the record gives."""
    path = folder / "sessions" / f"{ID}.json"
    path.write_text(path.read_text(encoding="utf-8").replace("You write Python.", "You write Perl."), encoding="utf-8")
    result = llm_gc("show", ID, "--turn", "2", "--request", cwd=folder)
    assert result.code == 2
    assert "not those that were sent: the transcript was changed" in result.err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("nothing",), "there is no session 'nothing' in sessions"),
        ((ID, "--turn", "99"), "there is no turn '99'; the session has 12 turns"),
        ((ID, "--request"), "--request shows one turn's; say which with --turn N"),
        ((ID, "--turn", "1", "--html", "x.html"), "--turn is for the terminal"),
        ((ID, "--html", "x", "--markdown", "x"), "need a place each"),
        ((ID, "--html", "sessions"), "sessions is a folder"),
        ((ID, "--html", "nowhere/x.html"), "nowhere/x.html cannot be written: no such file or directory"),
    ],
)
def test_what_cannot_be_shown(folder: Path, args: tuple[str, ...], words: str) -> None:
    """One sentence, exit 2, and nothing is written."""
    result = llm_gc("show", *args, cwd=folder)
    assert (result.code, result.out) == (2, "")
    assert words in result.err
    assert [path.name for path in folder.iterdir()] == ["sessions"]


# --- Files


@pytest.mark.parametrize(("option", "begins"), [("--html", "<!doctype html>"), ("--markdown", "# durations")])
def test_a_file_is_written_over_with_force_alone(folder: Path, option: str, begins: str) -> None:
    """Whatever is there stays, until it is said that it may go; nothing else is left behind."""
    out = folder / "out"
    out.write_text("mine")
    refused = llm_gc("show", ID, option, "out", cwd=folder)
    assert (refused.code, out.read_text()) == (2, "mine")
    assert "overwrite it with --force" in refused.err
    done = llm_gc("show", ID, option, "out", "--force", cwd=folder)
    assert (done.code, done.out, done.err) == (0, "", "")
    assert out.read_text(encoding="utf-8").startswith(begins)
    assert sorted(path.name for path in folder.iterdir()) == ["out", "sessions"]
    assert llm_gc("show", ID, option, "-", cwd=folder).out == out.read_text(encoding="utf-8")


def test_both_files_at_once(folder: Path) -> None:
    """Each its own."""
    assert llm_gc("show", ID, "--html", "a.html", "--markdown", "a.md", cwd=folder).code == 0
    assert {path.name for path in folder.iterdir()} == {"a.html", "a.md", "sessions"}


@pytest.mark.skipif(os.name != "posix", reason="the system has no modes")
@pytest.mark.parametrize("option", ["--html", "--markdown"])
def test_a_page_can_be_read_by_its_owner_alone(folder: Path, option: str) -> None:
    """As the session that it shows, whatever is left of an earlier try."""
    (folder / "page.part").touch(mode=0o644)
    done = llm_gc("show", ID, option, "page", cwd=folder)
    assert done.code == 0, done.err
    assert (folder / "page").stat().st_mode & 0o777 == 0o600
