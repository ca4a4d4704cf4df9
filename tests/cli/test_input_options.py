"""Inputs as options of a command: flags, lists, files and standard input, and those of an earlier session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.commands import Result, llm_gc, transcripts

TALK = """\
name: talk
inputs:
  polite: {type: boolean, default: false, description: How.}
  names: {type: array, items: {type: string}, default: [], description: Who.}
  sizes: {type: array, items: {type: integer}, default: [], description: How large.}
  text: {type: string, default: "", description: What.}
roles: {anna: {model: m, prompt: hi}}
opening: "{{ polite }} {{ names }} {{ sizes }} {{ text }}"
turns: [anna]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the pipeline talk.yaml."""
    (tmp_path / "talk.yaml").write_text(TALK, encoding="utf-8")
    return tmp_path


def run(folder: Path, *args: str, **more: Any) -> Result:
    """Run the pipeline against the stand-in for a model."""
    return llm_gc("run", *args, "--backend", "rehearsal", "--quiet", cwd=folder, **more)


def inputs(folder: Path) -> Any:
    """Return the inputs of the newest session."""
    return transcripts(folder)[-1]["inputs"]


@pytest.mark.parametrize(
    ("words", "polite"),
    [
        (["--polite"], True),
        (["--no-polite"], False),
        (["--polite=false"], False),
        (["--polite=yes"], True),
        (["--polite", "true"], True),
        (["--input", "polite=true"], True),
        ([], False),
    ],
    ids=str,
)
@pytest.mark.parametrize("is_first", [True, False], ids=["before the file", "behind the file"])
def test_a_truth_value_is_a_flag(folder: Path, words: list[str], *, polite: bool, is_first: bool) -> None:
    """Alone, undone, or with a value; before the pipeline's file as behind it."""
    args = [*words, "talk.yaml"] if is_first else ["talk.yaml", *words]
    result = run(folder, *args)
    assert result.code == 0, result.err
    assert inputs(folder)["polite"] is polite


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--names", "ada"], ["ada"]),
        (["--names", "ada", "--names", "bob, the builder"], ["ada", "bob, the builder"]),
        (["--names", '["ada", "bob"]'], ["ada", "bob"]),
        (["--names", "@@ada"], ["@ada"]),
        (["--names", "[]"], []),
    ],
    ids=str,
)
def test_a_list_is_repeated_or_json(folder: Path, words: list[str], names: list[str]) -> None:
    """One option for each item, or one with all of them as JSON."""
    assert run(folder, "talk.yaml", *words).code == 0
    assert inputs(folder)["names"] == names


def test_the_items_of_a_list_have_their_type(folder: Path) -> None:
    """A number stays a number."""
    assert run(folder, "talk.yaml", "--sizes", "1", "--sizes", "2").code == 0
    assert inputs(folder)["sizes"] == [1, 2]


def test_a_list_with_commas_is_answered_with_its_json(folder: Path) -> None:
    """It might be one item or two, so it is written out and not guessed."""
    result = run(folder, "talk.yaml", "--names", "ada,bob")
    assert (result.code, '\'["ada", "bob"]\'' in result.err) == (2, True)


def test_a_value_from_standard_input(folder: Path) -> None:
    """By ``@-``, once."""
    assert run(folder, "talk.yaml", "--text", "@-", stdin="from\na pipe").code == 0
    assert inputs(folder)["text"] == "from\na pipe"
    result = run(folder, "talk.yaml", "--text", "@-", "--names", "@-", stdin="x")
    assert (result.code, "read once" in result.err) == (2, True)


def test_a_fork_has_the_inputs_of_its_session_as_options(folder: Path) -> None:
    """Without the file being named again."""
    run(folder, "talk.yaml", "--names", "ada", "--polite")
    result = run(folder, "--from", "last", "--turn", "1", "--names", "bob", "--no-polite")
    assert result.code == 0, result.err
    newest = [one["inputs"] for one in transcripts(folder) if "parent" in one]
    assert [(one["names"], one["polite"]) for one in newest] == [(["bob"], False)]
    assert "--names" in llm_gc("run", "--from", "last", "--help", cwd=folder).out


def test_a_pipeline_from_standard_input(folder: Path) -> None:
    """Its inputs are options too, and the session can be forked without it."""
    result = run(folder, "-", "--polite", "--names", "ada", stdin=TALK)
    assert result.code == 0, result.err
    assert (inputs(folder)["polite"], inputs(folder)["names"]) == (True, ["ada"])
    assert run(folder, "--from", "last", "--turn", "1", "--no-polite").code == 0
    result = run(folder, "-", "--text", "@-", stdin=TALK)
    assert (result.code, "read once" in result.err) == (2, True)


@pytest.mark.parametrize("words", [("rehearse", "-"), ("plan", "-"), ("graph", "-"), ("schema", "--resolved", "-")])
def test_other_commands_read_standard_input_too(folder: Path, words: tuple[str, ...]) -> None:
    """As they read a file."""
    assert llm_gc(*words, cwd=folder, stdin=TALK).code == 0


def test_what_is_wrong_in_standard_input_is_told_with_its_line(folder: Path) -> None:
    """Under a name of its own."""
    result = run(folder, "-", stdin=TALK.replace("turns: [anna]", "turns: [ben]"))
    assert (result.code, "<stdin>:9:9: error" in result.err) == (2, True), result.err


def test_a_pipeline_is_found_without_its_ending(folder: Path) -> None:
    """The one in the working directory before one that ships with llm-gc."""
    (folder / "m1.yaml").write_text(TALK.replace("name: talk", "name: mine"), encoding="utf-8")
    assert run(folder, "talk").code == 0
    assert run(folder, "m1").code == 0
    assert sorted(one["pipeline"]["name"] for one in transcripts(folder)) == ["mine", "talk"]
    assert sorted(one["pipeline"]["file"] for one in transcripts(folder)) == ["m1.yaml", "talk.yaml"]
