"""``llm-gc run`` as its own process: what it prints, where, and how it ends."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import Terminal
from tests.commands import M1, command, copy_m1, environ, llm_gc, transcripts
from tests.standin import Act, Behaviour, Hang, Job, Model, Say, StandIn, Wait
from tests.standin.server import PATIENCE

MODELS = [Model("qwen2.5-coder:1.5b"), Model("deepseek-coder:1.3b")]
REHEARSED = ("run", M1, "--task", "sort a list", "--backend", "rehearsal")
NASTY = "red \x1b[31m, bell \x07, title \x1b]0;x\x07, csi \x9b2J, back \x08, return\rhome, bidi \u202eabc"


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A server that has both models."""
    with StandIn(MODELS) as running:
        yield running


def test_piped_output_is_plain_lines_with_the_role(tmp_path: Path) -> None:
    """Standard output is the conversation and nothing else; figures, the end and the path go to standard error."""
    result = llm_gc(*REHEARSED, "--rounds", "1", cwd=tmp_path)
    lines = result.out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["implementer", "reviewer"]
    assert "\x1b" not in result.out + result.err
    assert len(re.findall(r"turn \d, \w+ \(rehearsal\) · .* tokens", result.err)) == 2
    assert "completed (turns_done)" in result.err
    assert f"transcript: {Path('sessions')}" in result.err


def test_every_line_of_a_reply_has_the_role(server: StandIn, tmp_path: Path) -> None:
    """Also the empty ones, so that a line alone can be told whose it is."""
    server.script(Say("one\n\n  two\n"), Say("three"))
    result = llm_gc("run", M1, "--task", "x", "--rounds", "1", "--host", server.url, cwd=tmp_path)
    assert result.out == "implementer: one\nimplementer:\nimplementer:   two\nreviewer: three\n"


def test_quiet_prints_the_result_alone(tmp_path: Path) -> None:
    """Nothing else on either stream."""
    result = llm_gc(*REHEARSED, "--quiet", cwd=tmp_path)
    assert result.out.rstrip("\n") == transcripts(tmp_path)[0]["result"]
    assert result.err == ""


def test_json_prints_the_transcript(server: StandIn, tmp_path: Path) -> None:
    """The same document as in the file, and nothing in it that a terminal would obey."""
    server.script(Say(NASTY), Say("fine"))
    result = llm_gc("run", M1, "--task", "x", "--rounds", "1", "--json", "--host", server.url, cwd=tmp_path)
    assert [json.loads(result.out)] == transcripts(tmp_path)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", result.out)


def test_control_characters_never_reach_the_output(server: StandIn, tmp_path: Path) -> None:
    """Escape sequences in a model's text become visible marks; the transcript keeps what was said."""
    server.script(Say(NASTY), Say("fine"))
    result = llm_gc("run", M1, "--task", "x", "--rounds", "1", "--host", server.url, cwd=tmp_path)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", result.out + result.err)
    assert "red ␛[31m" in result.out
    assert transcripts(tmp_path)[0]["turns"][0]["content"] == NASTY


def test_in_a_terminal_the_text_streams_below_its_speaker(server: StandIn, tmp_path: Path) -> None:
    """Name and model, the text, then one dim line of figures; control characters of the model stay out."""
    server.script(Say(f"A plan in a few words. {NASTY}"), Say("I approve.\n\nAPPROVED"))
    terminal = Terminal(command("run", M1, "--task", "x", "--host", server.url), tmp_path, environ())
    shown = terminal.read()
    assert terminal.code == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert "Implementer  qwen2.5-coder:1.5b · turn 1" in plain
    assert "A plan in a few words." in plain
    assert re.search(r"\d\.\d s · first token after .* tokens/s", plain)
    assert plain.index("Implementer  ") < plain.index("A plan") < plain.index("Reviewer  ")
    assert "completed (stop_token): reviewer said APPROVED" in plain
    assert "result: what Implementer said in turn 1, above" in plain
    assert re.search(r"transcript: sessions/\S+-m1\.json", plain)
    assert "\x1b]0;" not in shown
    assert "\x9b2J" not in shown
    assert "\x07" not in shown


def test_in_a_terminal_words_are_not_torn(server: StandIn, tmp_path: Path) -> None:
    """Lines break between words at the terminal's width."""
    words = " ".join(f"wonderful{n}" for n in range(40))
    server.script(Say(words), Say("APPROVED"))
    terminal = Terminal(command("run", M1, "--task", "x", "--host", server.url), tmp_path, environ(), columns=50)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.read())
    lines = [line.rstrip() for line in shown.splitlines() if line.startswith("wonderful")]
    assert all(len(line) <= 50 for line in lines)
    assert " ".join(lines).split() == words.split()


def test_dumb_terminals_get_plain_lines(tmp_path: Path) -> None:
    """Where the terminal says that it can do nothing, nothing is sent to it but text."""
    terminal = Terminal(command(*REHEARSED, "--rounds", "1"), tmp_path, environ(TERM="dumb"))
    assert "\x1b" not in terminal.read()


class Gate(Behaviour):
    """A reply that waits until it is let go."""

    is_open = False

    def acts(self, job: Job) -> Iterator[Act]:
        """Wait, then say it."""
        while not self.is_open:
            yield Wait(0.01)
        yield from Say("At last.").acts(job)


def test_a_spinner_says_what_is_waited_for(server: StandIn, tmp_path: Path) -> None:
    """While nothing comes there is a line that says whom we wait for, and it goes when the text comes."""
    server.script(gate := Gate(), Say("APPROVED"))
    terminal = Terminal(command("run", M1, "--task", "x", "--host", server.url), tmp_path, environ())
    terminal.wait_for("waiting for Implementer (qwen2.5-coder:1.5b)")
    gate.is_open = True
    terminal.wait_for("At last.")
    terminal.read()


def interrupted(folder: Path, server: StandIn, *, number: int = signal.SIGINT) -> tuple[int, str, Any]:
    """Interrupt a run while its second turn hangs; return its code, its messages and its transcript."""
    server.script(Say("a plan"), Hang(Say("I am thinking about"), lines=2))
    words = command("run", M1, "--task", "x", "--host", server.url)
    process = subprocess.Popen(
        words, cwd=folder, env=environ(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    server.wait_for_chats(2)
    time.sleep(0.2)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    (transcript,) = transcripts(folder)
    return process.returncode, errors, transcript


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c(server: StandIn, tmp_path: Path, number: int) -> None:
    """The turn is cancelled, the transcript is closed as interrupted, exit 130."""
    code, errors, transcript = interrupted(tmp_path, server, number=number)
    assert code == 130
    assert server.chats[1].gone.wait(PATIENCE)
    assert transcript["status"] == "interrupted"
    assert len(transcript["turns"]) == 1
    assert "interrupted" in errors
    assert not list((tmp_path / "sessions").glob("*.jsonl"))


def test_help_lists_the_inputs_of_the_file(tmp_path: Path) -> None:
    """Each with its type, description and default."""
    result = llm_gc("run", M1, "--help", cwd=tmp_path)
    assert result.code == 0
    assert re.search(r"--task STRING\s+What to plan, in plain words\.\s+\[required\]", result.out)
    assert re.search(r"--rounds INTEGER\s+How often both speak\.\s+\[default: 3\]", result.out)
    assert "--task" not in llm_gc("run", "--help", cwd=tmp_path).out


CLASHING = """\
name: clashing
inputs:
  seed: {type: integer, description: What is sown.}
  tone: {type: string, enum: [warm, formal], default: warm, description: How it sounds.}
  topics: {type: [array, "null"], default: [rain], description: What it is about.}
roles: {anna: {model: m, prompt: Be kind.}}
opening: "{{ seed }} {{ tone }} {{ topics }}"
turns: [anna]
"""


def test_an_input_whose_name_an_option_has(tmp_path: Path) -> None:
    """The help lists it as it has to be given, and so does the error where it is missing."""
    (tmp_path / "clashing.yaml").write_text(CLASHING, encoding="utf-8")
    out = llm_gc("run", "clashing.yaml", "--help", cwd=tmp_path).out
    assert re.search(r"--input seed=INTEGER\s+What is sown\.\s+\[required\]", out)
    assert re.search(r"--tone \[warm\|formal\]\s+How it sounds\.\s+\[default: warm\]", out)
    assert re.search(r'--topics ARRAY\|NULL\s+What it is about\.\s+\[default: \["rain"\]\]', out)
    missing = llm_gc("run", "clashing.yaml", "--seed", "3", cwd=tmp_path)
    assert (missing.code, missing.out) == (2, "")
    assert "the input 'seed' is missing (What is sown); give it as --input seed=…" in missing.err


def test_an_input_by_name_and_by_option(tmp_path: Path) -> None:
    """``--input name=value`` always works, and the file may be after the options."""
    result = llm_gc("run", "--backend", "rehearsal", "--input", "rounds=1", "--task", "x", M1, cwd=tmp_path)
    assert result.code == 0
    assert transcripts(tmp_path)[0]["inputs"] == {"task": "x", "rounds": 1}


def test_a_shipped_pipeline_by_name(tmp_path: Path) -> None:
    """Where there is no such file, the pipeline of that name that ships with llm-gc is run."""
    assert llm_gc("run", "m1", "--task", "x", "--backend", "rehearsal", cwd=tmp_path).code == 0
    assert llm_gc("run", "pipelines/m1.yaml", "--task", "x", "--backend", "rehearsal", cwd=tmp_path).code == 0


WRONG = {
    "no file": (["run", "nofile.yaml"], "there is no pipeline nofile.yaml"),
    "a folder": (["run", "."], ". is a folder"),
    "not YAML": (["run", "broken.yaml"], "broken.yaml:"),
    "empty": (["run", "empty.yaml"], "empty.yaml:1:1: error: the file is empty"),
    "wrong type": (["run", "type.yaml", "--task", "x"], "type.yaml:16:18: error:"),
    "unknown key": (["run", "key.yaml", "--task", "x"], "Did you mean 'max_tokens'?"),
    "missing prompt": (["run", "prompt.yaml", "--task", "x"], "'m1/reviwer.j2'"),
    "missing input": (["run", M1], "the input 'task' is missing"),
    "unknown input": (["run", M1, "--tsk", "x"], "'--task'"),
    "not a pipeline": (["run", "compose.yaml"], "this is no pipeline"),
    "an input that does not fit": (["run", M1, "--task", "x", "--rounds", "many"], "'many' is not of type integer"),
    "no file given": (["run"], "Give the pipeline to run"),
    "no such command": (["rnu"], "Did you mean 'run'?"),
    "no such backend": (
        ["run", M1, "--task", "x", "--backend", "olama"],
        "'openai', 'embedded', 'rehearsal', 'auto'",
    ),
    "no port": (["run", M1, "--task", "x", "--host", "gpu:abc"], "--host: 'abc' in 'gpu:abc' is no port; give"),
    "no scheme": (["run", M1, "--task", "x", "--host", "ftp://gpu"], "ftp:// is neither http:// nor https://"),
    "an input without a value": (["run", M1, "--input", "task"], "is not NAME=VALUE. See llm-gc run --help."),
    "an option without a value": (["run", M1, "--task"], "requires an argument. See llm-gc run --help."),
}


@pytest.mark.parametrize(("args", "words"), WRONG.values(), ids=list(WRONG))
def test_wrong_input(tmp_path: Path, args: list[str], words: str) -> None:
    """One clear paragraph, exit 2, and nothing is written."""
    text = Path(M1).read_text(encoding="utf-8")
    copy_m1(tmp_path)
    files = {
        "broken.yaml": "a: [1, 2\nb: 3",
        "empty.yaml": "",
        "type.yaml": text.replace("temperature: 0.2", "temperature: warm"),
        "key.yaml": text.replace("max_tokens: 512", "max_tokns: 512"),
        "prompt.yaml": text.replace("m1/reviewer.j2", "m1/reviwer.j2"),
        "compose.yaml": "services: {web: {image: nginx}}",
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    result = llm_gc(*args, cwd=tmp_path)
    assert result.code == 2
    assert words in result.err
    assert "\n\n" not in result.err.strip()
    assert result.out == ""
    assert not (tmp_path / "sessions").exists()


@pytest.mark.parametrize("opening", ["<think>Hm, hm.</think>", ""], ids=["a stray block", "a field of its own"])
def test_thinking_is_shown_on_demand(server: StandIn, tmp_path: Path, opening: str) -> None:
    """In a pipe beside the conversation, never in it; without the flag not at all; in the transcript always."""
    for more in ((), ("--thinking",)):
        server.script(Say(f"{opening}A plan.", thinking="" if opening else "Hm, hm."), Say("APPROVED"))
        result = llm_gc("run", M1, "--task", "x", "--rounds", "1", "--host", server.url, *more, cwd=tmp_path)
        assert result.out.splitlines()[0] == "implementer: A plan."
        assert ("Implementer thinks: Hm, hm." in result.err) is bool(more)
    assert all("Hm" not in json.dumps(chat.json["messages"]) for chat in server.chats)
    assert [[turn["thinking"] for turn in each["turns"]] for each in transcripts(tmp_path)] == [["Hm, hm.", ""]] * 2


def test_thinking_streams_dim_in_a_terminal(server: StandIn, tmp_path: Path) -> None:
    """Above the words, on lines of its own; a tag that comes in pieces is never seen."""
    server.script(Say(["<th", "ink>Hm,", " hm.</thi", "nk>", "A plan."]), Say("APPROVED"))
    words = ("run", M1, "--task", "x", "--rounds", "1", "--host", server.url, "--thinking")
    shown = Terminal(command(*words), tmp_path, environ()).read()
    assert "\x1b[2mHm," in shown
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert "Hm, hm.\nA plan." in plain
    assert "think>" not in plain


def test_text_that_was_only_thought_does_not_count(server: StandIn, tmp_path: Path) -> None:
    """In a terminal the words begin again below it; the others hear nothing of it."""
    server.script(Say(["Hm, hm.", "\n", "</think>", "A plan."]), Say("APPROVED"))
    words = ("run", M1, "--task", "x", "--rounds", "1", "--host", server.url)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", Terminal(command(*words), tmp_path, environ()).read())
    assert "Hm, hm.\nImplementer" in re.sub(r"\n+", "\n", shown)
    assert "think>" not in shown
    assert "Hm" not in str(server.chats[1].json)


def test_a_place_that_cannot_be_written_is_known_before_the_first_turn(server: StandIn, tmp_path: Path) -> None:
    """The server is not even asked."""
    (tmp_path / "sessions").write_text("a file stands here", encoding="utf-8")
    result = llm_gc("run", M1, "--task", "x", "--host", server.url, cwd=tmp_path)
    assert result.code == 1
    assert "sessions" in result.err
    assert server.requests == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_in_the_middle_loses_nothing_from_the_screen(tmp_path: Path) -> None:
    """The conversation continues to its end on the screen, the warning says what is wrong, and the exit code is 1."""
    runner = tmp_path / "runner.py"
    runner.write_text(
        "import errno, os, sys\n"
        "from llm_gc.cli import main\n"
        "write, count = os.write, 0\n"
        "def full(fd, data):\n"
        "    global count\n"
        "    if fd > 2 and bytes(data)[:8] == b'{\"turn\":' or count:\n"
        "        count += 1\n"
        "        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))\n"
        "    return write(fd, data)\n"
        "os.write = full\n"
        "main()\n",
        encoding="utf-8",
    )
    words = [command()[0], str(runner), *REHEARSED]
    done = subprocess.run(words, cwd=tmp_path, env=environ(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stdout.count("reviewer: ") >= 3
    assert "disk is full" in done.stderr
    assert "Traceback" not in done.stderr


def test_nobody_reads_the_output(tmp_path: Path) -> None:
    """A closed pipe ends it without a traceback, and the transcript is whole."""
    process = subprocess.Popen(
        command(*REHEARSED), cwd=tmp_path, env=environ(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    errors = process.stderr.read().decode()
    process.stderr.close()
    process.wait(60)
    assert "Traceback" not in errors
    assert list((tmp_path / "sessions").iterdir())


def test_without_a_command_there_is_the_help(tmp_path: Path) -> None:
    """It is no mistake to ask what there is."""
    result = llm_gc(cwd=tmp_path)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("Usage:")


def test_a_turn_that_was_cut_off_is_marked(server: StandIn, tmp_path: Path) -> None:
    """What was on the screen of it does not count, and the result says whose words it is."""
    server.script(Say("a plan"), Hang(Say("I am thinking about"), lines=2))
    terminal = Terminal(command("run", M1, "--task", "x", "--host", server.url), tmp_path, environ())
    terminal.wait_for("turn 2\nI")
    terminal.process.send_signal(signal.SIGINT)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.read())
    assert "(cut off here; this turn is not kept)" in shown
    assert "interrupted: stopped by hand" in shown
    assert "result: what Implementer said in turn 1, above" in shown


def test_a_turn_in_a_branch_is_told_by_the_branch(tmp_path: Path) -> None:
    """It has no number yet, and all copies of a role have one label there; afterwards they are numbered."""
    (tmp_path / "vote.yaml").write_text(
        "name: vote\nroles: {anna: {model: m, label: Anna}}\nopening: x\nturns: [{parallel: [anna], times: 2}, anna]\n",
        encoding="utf-8",
    )
    terminal = Terminal(command("run", "vote.yaml", "--backend", "rehearsal"), tmp_path, environ())
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.read())
    assert [line for line in plain.splitlines() if line.startswith("Anna")] == [
        "Anna  rehearsal · branch 1",
        "Anna  rehearsal · branch 2",
        "Anna  rehearsal · turn 3",
    ]
    shown = Terminal(command("show", "last"), tmp_path, environ()).read()
    assert "Anna 2" in shown
