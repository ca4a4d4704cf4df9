"""Comments that silence findings: where they are, what they silence, and that useless ones are notified of."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_gc import project
from llm_gc.errors import PipelineError
from llm_gc.validation import validate

HEAD = "name: case\nopening: Hello.\nroles:\n  anna: {model: m, options: {mirostat: 1}}"
TURNS = "\nturns: [anna]\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, and the working directory."""
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(text: str, prompt: str | None = None) -> list[str]:
    """Return the findings about a pipeline, each as line, column and code."""
    Path("p.yaml").write_text(text, encoding="utf-8")
    if prompt is not None:
        Path("prompts").mkdir(exist_ok=True)
        Path("prompts/a.j2").write_text(prompt, encoding="utf-8")
    return [f"{one.line}:{one.column} {one.code}" for one in validate(["p.yaml"]).findings]


def test_a_comment_silences_its_line() -> None:
    """Its code there, and nothing else anywhere."""
    assert told(HEAD + TURNS) == ["4:30 bad-option"]
    assert told(HEAD + " # llm-gc: ignore bad-option" + TURNS) == []
    assert told(HEAD + TURNS + "# llm-gc: ignore bad-option\n") == ["4:30 bad-option", "6:18 unused-ignore"]
    assert told(HEAD + " # llm-gc: ignore bad-stop" + TURNS) == ["4:30 bad-option", "4:61 unused-ignore"]


def test_several_codes() -> None:
    """With commas between them; those that are not found are notified of one by one."""
    ignored = " # for now; llm-gc: ignore bad-option"
    assert told(HEAD + ignored + TURNS) == ["4:30 bad-option"]  # the comment begins with the mark
    assert told(HEAD + " # llm-gc: ignore bad-option, bad-stop" + TURNS) == ["4:73 unused-ignore"]


def test_a_code_that_there_is_not() -> None:
    """Is answered with the one that was meant."""
    Path("p.yaml").write_text(HEAD + " # llm-gc: ignore bad-optoin" + TURNS, encoding="utf-8")
    _, unused = validate(["p.yaml"]).findings
    assert unused.severity == "warning"
    assert unused.text == "'bad-optoin' is ignored here, and there is no such code. Did you mean 'bad-option'?"
    assert (unused.column, unused.end_column) == (61, 71)


def test_in_a_block_of_text() -> None:
    """Behind its mark a comment speaks of the whole block; inside, one of Jinja's speaks of its line."""
    text = "name: case\nopening: Hello.\nroles: {anna: {model: m}}\nturns:\n"
    text += "  - say: anna\n    instruction: |%s\n      one {{ nope }}\n"
    assert told(text % "") == ["7:14 unknown-name"]
    assert told(text % " # llm-gc: ignore unknown-name") == []
    assert told(text % "" + "      {{ nay }} {# llm-gc: ignore unknown-name #}\n") == ["7:14 unknown-name"]
    assert told(text % "" + "      # llm-gc: ignore unknown-name\n") == ["7:14 unknown-name"]  # that is text


def test_in_a_quoted_text() -> None:
    """What looks like a comment is none."""
    assert told(HEAD.replace("model: m", "prompt: 'x # llm-gc: ignore bad-option', model: m") + TURNS) == [
        "4:71 bad-option"
    ]


def test_in_a_prompt_file() -> None:
    """As a comment of Jinja's, for its line."""
    text = "name: case\nopening: Hello.\nroles:\n  anna: {model: m, prompt: a.j2}\nturns: [anna]\n"
    assert told(text, "{{ nope }}\n{{ nay }} {# llm-gc: ignore unknown-name #}\n") == ["1:4 unknown-name"]


def test_a_run_is_not_silenced() -> None:
    """A pipeline that cannot run does not run because somebody would not hear of it."""
    assert (
        told("name: case\nopening: Hello.\nroles: {anna: {model: m}}\nturns: [bob] # llm-gc: ignore unknown-role\n")
        == []
    )
    with pytest.raises(PipelineError):
        project.load("p.yaml")
