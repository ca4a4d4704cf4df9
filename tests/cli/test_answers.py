"""``--answers``: what people answer, from a file, and what becomes of a run when it is not enough."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llm_gc.cli import terminal_human
from llm_gc.errors import PipelineError, UsageError
from llm_gc.sessions import load_session
from tests.commands import llm_gc, transcripts

EDITOR = """\
name: review
roles:
  writer: {model: m, prompt: Write.}
  editor: {human: true, label: Editor}
opening: Begin.
turns: [{repeat: [writer, editor], times: 2}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a pipeline in which a person has two turns."""
    (tmp_path / "review.yaml").write_text(EDITOR, encoding="utf-8")
    return tmp_path


RUN = ("run", "review.yaml", "--backend", "rehearsal")


def from_file(folder: Path, name: str, text: str | bytes) -> list[str]:
    """Return the answers that are in a file."""
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return terminal_human.read(str(folder / name))._answers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one", ["one"]),
        ("one\n---\ntwo\n", ["one", "two"]),
        ("---\n one\n\n- a list\n--- \r\n\ntwo\n---\n", ["one\n\n- a list", "two"]),
        ("one --- more\n----\nand more", ["one --- more\n----\nand more"]),
        ("\ufeffone", ["one"]),
        ("", []),
    ],
)
def test_a_text_with_lines_between(tmp_path: Path, text: str, expected: list[str]) -> None:
    """An answer may have many lines; only a line of three dashes separates."""
    assert from_file(tmp_path, "answers.txt", text) == expected


@pytest.mark.parametrize("name", ["answers.yaml", "answers.yml", "answers.json"])
def test_a_list(tmp_path: Path, name: str) -> None:
    """What is no text in it is what JSON makes of it: a number from a menu, the data of a form."""
    text = '["one\\ntwo", 2, true, {"next": "ben"}]'
    assert from_file(tmp_path, name, text) == ["one\ntwo", "2", "true", '{"next": "ben"}']


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "one\n---\n \n---\ntwo", r"answer 2 in .*a\.txt is empty; write /skip"),
        ("a.yaml", "[one, '']", r"answer 2 in .*a\.yaml is empty"),
        ("a.yaml", "one: two", "is no list"),
        ("a.txt", b"\xff", "not text in UTF-8"),
    ],
)
def test_answers_that_cannot_be_read(tmp_path: Path, name: str, text: str | bytes, message: str) -> None:
    """That is known before the first turn."""
    with pytest.raises(UsageError, match=message):
        from_file(tmp_path, name, text)


def test_a_list_that_is_no_yaml(tmp_path: Path) -> None:
    """It is notified of with its line."""
    with pytest.raises(PipelineError, match=r"a\.yaml:1:1: error: .*\]"):
        from_file(tmp_path, "a.yaml", "[one,\n two")


def test_a_run_with_answers(folder: Path) -> None:
    """They are the person's turns, and are in the transcript as such."""
    (folder / "answers.txt").write_text("Shorter.\n---\nMuch\nbetter.\n", encoding="utf-8")
    result = llm_gc(*RUN, "--answers", "answers.txt", cwd=folder)
    assert result.code == 0
    assert "editor: Shorter.\n" in result.out
    assert "editor: Much\neditor: better.\n" in result.out
    assert "turn 2, Editor (human)\n" in result.err
    (transcript,) = transcripts(folder)
    turns = [(turn["role"], turn["model"]) for turn in transcript["turns"]]
    assert turns == [("writer", "rehearsal"), ("editor", "human")] * 2
    assert [turn["seconds"] for turn in transcript["turns"]] == [0.0] * 4


def test_answers_from_standard_input(folder: Path) -> None:
    """All of it is read before the first turn."""
    result = llm_gc(*RUN, "--answers", "-", cwd=folder, stdin="Good.\n---\n/skip\n")
    assert result.code == 0
    assert [turn["content"] for turn in transcripts(folder)[0]["turns"][1::2]] == ["Good.", ""]
    assert "turn 4, Editor (human) failed: Editor gave no answer to this." in result.err


def test_without_a_terminal_and_without_answers(folder: Path) -> None:
    """It ends before the first turn, and says who is a person and what to do; nothing is written."""
    result = llm_gc(*RUN, cwd=folder, stdin="")
    assert result.code == 2
    assert "the role 'editor' is a person" in result.err
    assert "--answers FILE" in result.err
    assert result.out == ""
    assert not (folder / "sessions").exists()


def test_several_people_without_a_terminal(folder: Path) -> None:
    """All of them are named."""
    (folder / "review.yaml").write_text(EDITOR.replace("model: m", "human: true"), encoding="utf-8")
    assert "the roles writer and editor are people" in llm_gc(*RUN, cwd=folder, stdin="").err


@pytest.mark.parametrize(
    ("text", "done", "message"),
    [
        ("Shorter.\n", 3, "no answer is left for Editor: all 1 in answers.txt were used"),
        ("", 1, "no answer is left for Editor: all 0 in answers.txt were used"),
    ],
)
def test_answers_that_run_out(folder: Path, text: str, done: int, message: str) -> None:
    """Exit 2; the journal stays where the message says, with all finished turns, and no transcript beside it."""
    (folder / "answers.txt").write_text(text, encoding="utf-8")
    result = llm_gc(*RUN, "--answers", "answers.txt", cwd=folder)
    assert result.code == 2
    assert f"llm-gc: {message}; the finished turns are in " in result.err
    assert "nothing of them is lost" in result.err
    (journal,) = set(re.findall(r"sessions\S+\.jsonl", result.err))
    assert result.err.endswith(f"; llm-gc resume {journal} continues with them\n")
    assert len(load_session(folder / journal).turns) == done
    assert not list((folder / "sessions").glob("*.json"))


def test_answers_left_over(folder: Path) -> None:
    """The run has ended well, and there is a warning that says how many were not needed."""
    (folder / "answers.txt").write_text("---\n".join(f"{n}\n" for n in range(5)), encoding="utf-8")
    result = llm_gc(*RUN, "--answers", "answers.txt", "--quiet", cwd=folder)
    assert (result.code, result.out) == (0, "1\n")
    assert result.err == "warning: 3 of 5 answers in answers.txt were not needed\n"


def test_answers_for_nobody(folder: Path) -> None:
    """Where no role is a person none is needed, and that is said too."""
    (folder / "review.yaml").write_text(EDITOR.replace("human: true", "model: m"), encoding="utf-8")
    result = llm_gc(*RUN, "--answers", "-", cwd=folder, stdin="one\n")
    assert result.code == 0
    assert "1 of 1 answers in standard input were not needed" in result.err


def test_answers_that_are_not_there(folder: Path) -> None:
    """A wrong name is known before the first turn."""
    result = llm_gc(*RUN, "--answers", "nofile.txt", cwd=folder)
    assert result.code == 2
    assert "nofile.txt cannot be read" in result.err
    assert not (folder / "sessions").exists()
