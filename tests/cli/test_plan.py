"""``llm-gc plan`` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.terminal import ESCAPES, Terminal
from tests.commands import M1, command, environ, llm_gc

ESCALATION = M1.replace("m1", "escalation")


def test_m1(tmp_path: Path) -> None:
    """A block for each turn and a summary; what nobody has said yet is named, and nothing is written."""
    result = llm_gc("plan", M1, "--rounds", "1", cwd=tmp_path)
    assert (result.code, result.err) == (0, "")
    blocks, _, summary = result.out.partition("\n\n")
    lines = blocks.splitlines()
    assert lines[0].startswith("  1  Implementer speaks, on qwen2.5-coder:1.5b  ")
    assert lines[2].startswith("  2  Reviewer speaks, on deepseek-coder:1.3b  ")
    assert lines[2].endswith("m1.yaml:29:27  ⇄ another model")
    assert lines[4] == "     may end here, by saying APPROVED"
    assert summary.splitlines()[:2] == [
        "It ends here at the latest: every turn was taken (turns_done).",
        "2 turns, 2 requests, 1 change of model.",
    ]
    assert "Not counted, since it is not known yet: ⟨task⟩." in summary
    assert "rounds is 1 (given)" in summary
    assert list(tmp_path.iterdir()) == []


def test_what_a_turn_is_sent(tmp_path: Path) -> None:
    """``--turn`` prints one with its request, ``--requests`` all; a given input is in it as it is."""
    one = llm_gc("plan", M1, "--task", "Build a kite", "--turn", "2", cwd=tmp_path)
    everything = llm_gc("plan", M1, "--task", "Build a kite", "--requests", cwd=tmp_path)
    assert one.code == everything.code == 0
    assert "Task: Build a kite." in one.out
    assert "Implementer: ⟨Implementer, turn 1: up to 512 tokens⟩" in one.out
    assert "  1  Implementer" not in one.out
    assert everything.out.count("Task: Build a kite.") == 6
    assert "Not counted" not in everything.out


def test_what_is_assumed(tmp_path: Path) -> None:
    """Every decision that depends on a reply is told with its place, and the end only if all that is so."""
    result = llm_gc("plan", ESCALATION, cwd=tmp_path)
    assert "     assuming `last.data.confidence < threshold` holds (" in result.out
    assert "escalation.yaml:28:25)" in result.out
    assert "If all that is so, it ends here: every turn was taken (turns_done)." in result.out


def test_as_json(tmp_path: Path) -> None:
    """All of it as data, with where each input is from."""
    result = llm_gc("plan", ESCALATION, "--threshold", "50", "--json", cwd=tmp_path)
    data = json.loads(result.out)
    assert data["inputs"] == {
        "question": {"value": "⟨question⟩", "origin": "unknown"},
        "threshold": {"value": 50, "origin": "given"},
    }
    assert [turn["model"] for turn in data["turns"]] == ["llama3.2:1b", "qwen2.5:3b", "qwen2.5:7b"]
    assert data["turns"][1]["assumptions"][0]["text"] == "assuming `last.data.confidence < threshold` holds"
    assert data["turns"][0]["messages"][-1]["content"] == "Question: ⟨question⟩"
    assert (data["reason"], data["switches"]) == ("turns_done", 2)


def test_more_than_fits(tmp_path: Path) -> None:
    """It is told where it reaches it, and is no failure: a plan tells, it does not judge."""
    result = llm_gc("plan", M1, "--set", "defaults.num_ctx=1024", cwd=tmp_path)
    assert result.code == 0
    assert ": MORE than fits; limits.on_overflow says what is done" in result.out


def test_a_seed(tmp_path: Path) -> None:
    """Without one nobody knows what chance draws; with one it is known, and the same each time."""
    name = M1.replace("m1", "group-chat-random")
    without = llm_gc("plan", name, "--set", "seed=null", cwd=tmp_path)
    first, second = (llm_gc("plan", name, "--seed", "7", cwd=tmp_path) for _ in range(2))
    assert "assuming chance draws " in without.out
    assert "assuming" not in first.out
    assert first.out == second.out


def test_wrong_use(tmp_path: Path) -> None:
    """No file, no such turn, an input that does not fit: each is one sentence, and exit code 2."""
    nothing = llm_gc("plan", cwd=tmp_path)
    beyond = llm_gc("plan", M1, "--turn", "7", cwd=tmp_path)
    unfit = llm_gc("plan", M1, "--rounds", "0", cwd=tmp_path)
    assert (nothing.code, beyond.code, unfit.code) == (2, 2, 2)
    assert "Give the pipeline to plan" in nothing.err
    assert "There is no turn 7: the plan has 6." in beyond.err
    assert "the input 'rounds' does not fit: 0 is less than 1" in unfit.err


def test_in_a_terminal_no_word_is_torn(tmp_path: Path) -> None:
    """Lines break between words where the terminal ends, and say the same as in a pipe."""
    terminal = Terminal(command("plan", M1), tmp_path, environ(), columns=60)
    shown = ESCAPES.sub("", terminal.read())
    assert max(map(len, shown.splitlines())) <= max(60, len(M1) + 10)
    assert shown.split() == llm_gc("plan", M1, cwd=tmp_path).out.split()
    assert shown != llm_gc("plan", M1, cwd=tmp_path).out
