"""The report: where what was found is, also in the files of scenes."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_gc import project
from tests.model_checker.exploring import report

OUTER = """\
name: {name}
roles: {{anna: {{model: m}}}}
opening: Begin.
turns:
  - anna
  - {{scene: teams/inner.yaml, with: {{about: x}}{more}}}
"""

INNER = """\
name: inner
inputs: {about: {type: string}}
roles: {ben: {model: m, prompt: "You speak of {{ about }}."}}
opening: "Speak of {{ about }}."
turns:
  - ben
  - {say: ben, instruction: Go on.}
"""

FAILS = "{{ 1 / (about | length - 1) }}"


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("Go on.", f'"{FAILS}"', "teams/inner.yaml:7:30 turns.1.instruction"),
        ("- {say: ben, in", f'- {{post: "{FAILS}"}}\n  - {{say: ben, in', "teams/inner.yaml:7:13 turns.1.post"),
        ("Speak of {{ about }}.", FAILS, "teams/inner.yaml:4:11 opening"),
        ("You speak of {{ about }}.", FAILS, "teams/inner.yaml:3:34 roles.ben.prompt"),
        ('"You speak of {{ about }}."', "inner.j2", "prompts/inner.j2:2:1 roles.ben.prompt"),
        ("m, prompt", f'"{FAILS}", prompt', "teams/inner.yaml:3:23 roles.ben.model"),
        ("m, prompt", "m, num_ctx: 1030, prompt", "teams/inner.yaml:3:34 roles.ben.num_ctx"),
        ("{say: ben, in", "{say: ben, when: false and last, in", "teams/inner.yaml:7:22 turns.1.when"),
        ("turns:", f'result: "{FAILS}"\nturns:', "teams/inner.yaml:5:10 result"),
    ],
)
def test_what_is_wrong_in_the_file_of_a_scene_is_told_of_that_file(
    old: str, new: str, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File, line and column are that file's, and so is the path."""
    assert where in found(tmp_path, monkeypatch, OUTER.format(name="outer", more=""), INNER.replace(old, new, 1))


def test_a_name_that_two_pipelines_have_misleads_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step that was reached tells which of them it is."""
    outer, inner = OUTER.format(name="inner", more=""), INNER.replace("You speak of {{ about }}.", FAILS)
    assert "teams/inner.yaml:3:34 roles.ben.prompt" in found(tmp_path, monkeypatch, outer, inner)


@pytest.mark.parametrize(
    ("more", "where"),
    [
        (', result: "{{ 1 / (last.content | length * 0) }}"', "outer.yaml:6:58 turns.1.result"),
        (", stop: [{when: 1 / (last.content | length * 0) > 1}]", "outer.yaml:6:63 turns.1.stop.0.when"),
    ],
)
def test_what_the_step_gives_to_the_file_of_a_scene_stands_outside(
    more: str, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its result and its stops are the step's own, though they are looked at inside."""
    assert where in found(tmp_path, monkeypatch, OUTER.format(name="outer", more=more), INNER)


def found(folder: Path, monkeypatch: pytest.MonkeyPatch, outer: str, inner: str) -> set[str]:
    """Return the places and paths of all that is found in a pipeline whose scene plays another one's file."""
    (folder / "pyproject.toml").touch()
    (folder / "teams").mkdir()
    (folder / "prompts").mkdir()
    (folder / "prompts" / "inner.j2").write_text(f"You are Ben.\n{FAILS}\n")
    (folder / "outer.yaml").write_text(outer)
    (folder / "teams" / "inner.yaml").write_text(inner)
    monkeypatch.chdir(folder)
    told = [one.finding for one in report(project.load("outer.yaml")).findings]
    return {f"{one.file}:{one.line}:{one.column} {one.path}" for one in told}
