"""extends, defaults, --set and --model: layers over one another, and the place of every value."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_gc import project, source
from llm_gc.errors import PipelineError, UsageError
from llm_gc.project.documents import as_yaml, merge, read_override

BASE = """
name: base
defaults: {temperature: 0.1}
roles:
  anna: {model: small, prompt: p/anna.j2}
  ben: {model: large, temperature: 0.9}
turns: [anna, ben]
limits: {max_turns: 7, reply_time: 10s}
opening: Begin.
"""
CHILD = """
extends: lib/base.yaml
name: child
roles:
  anna: {model: other}
  ben: null
turns: [anna]
limits: {max_turns: 3}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in which child.yaml extends lib/base.yaml, which has prompts of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / "lib" / "prompts" / "p").mkdir(parents=True)
    (tmp_path / "lib" / "prompts" / "p" / "anna.j2").write_text("I am {{ role.label }}.", encoding="utf-8")
    (tmp_path / "lib" / "base.yaml").write_text(BASE, encoding="utf-8")
    (tmp_path / "child.yaml").write_text(CHILD, encoding="utf-8")
    return tmp_path


def findings(name: str, *overrides: str) -> list[str]:
    """Return what is wrong with a file."""
    with pytest.raises(PipelineError) as caught:
        project.load(name, overrides)
    return [str(finding) for finding in caught.value.findings]


def test_maps_merge_lists_and_scalars_replace_null_deletes() -> None:
    """The three rules of laying one document over another."""
    under = {"a": {"x": 1, "y": 2}, "b": [1, 2], "c": 3, "d": 4}
    over = {"a": {"y": 5, "z": 6}, "b": [7], "c": None, "e": None}
    assert merge(over, under) == {"a": {"x": 1, "y": 5, "z": 6}, "b": [7], "d": 4, "e": None}


def test_a_pipeline_extends_another(folder: Path) -> None:
    """What it does not say is as the other one says; paths there resolve from the other's place."""
    loaded = project.load("child.yaml")
    assert loaded.pipeline.name == "child"
    assert list(loaded.pipeline.roles) == ["anna"]
    assert loaded.pipeline.roles["anna"].model == "other"
    assert loaded.pipeline.limits.max_turns == 3
    assert loaded.pipeline.limits.reply_time == "10s"
    assert loaded.pipeline.opening == "Begin."
    assert loaded.prompts == {"p/anna.j2": "I am {{ role.label }}."}


def test_defaults_fill_every_role(folder: Path) -> None:
    """What a role says itself comes first."""
    roles = project.load("lib/base.yaml").pipeline.roles
    assert [role.temperature for role in roles.values()] == [0.1, 0.9]


def test_a_mistake_is_reported_where_it_is_written(folder: Path) -> None:
    """In the file that is extended, at its own line."""
    (folder / "lib" / "base.yaml").write_text(BASE.replace("reply_time: 10s", "reply_time: soon"), encoding="utf-8")
    (finding,) = findings("child.yaml")
    assert finding.startswith("lib/base.yaml:8:36: error: 'soon'")


def test_files_that_extend_each_other(folder: Path) -> None:
    """A circle is named, and no hang."""
    (folder / "lib" / "base.yaml").write_text("extends: ../child.yaml\n" + BASE, encoding="utf-8")
    (finding,) = findings("child.yaml")
    assert "child.yaml extends lib/base.yaml extends child.yaml" in finding


def test_a_file_that_is_not_there(folder: Path) -> None:
    """The line that names it is named."""
    (folder / "lib" / "base.yaml").unlink()
    assert findings("child.yaml") == [
        "child.yaml:2:10: error: there is no file 'lib/base.yaml' beside child.yaml [missing-file]"
    ]


def test_set_lays_a_value_over_the_document(folder: Path) -> None:
    """Values are YAML; lists are entered by number; null deletes."""
    over = [
        "limits.max_turns=2",
        "turns.0={say: anna, max_tokens: 5, instruction: Go.}",
        "opening=null",
        "roles.anna.seed=1",
    ]
    loaded = project.load("child.yaml", over)
    assert loaded.pipeline.limits.max_turns == 2
    assert loaded.pipeline.opening is None
    assert loaded.pipeline.roles["anna"].seed == 1
    assert loaded.document.origin(("limits", "max_turns")) == "--set limits.max_turns=2"
    assert loaded.document.origin(("limits", "reply_time")) == "lib/base.yaml:8"
    assert loaded.document.origin(("name",)) == ""


@pytest.mark.parametrize("text", ["limits", "=3", "limits.max_turns=", "a..b=1", "limits.max_turns=[1"])
def test_a_set_that_is_none(text: str) -> None:
    """It is refused with its text and an example or a reason."""
    with pytest.raises(UsageError, match="--set"):
        read_override(text)


@pytest.mark.parametrize("text", ["turns.9=anna", "turns.first=anna", "name.x=1"])
def test_a_set_that_leads_nowhere(folder: Path, text: str) -> None:
    """It says where the way ends."""
    with pytest.raises(UsageError, match="--set"):
        project.load("child.yaml", [text])


def test_a_set_that_does_not_fit(folder: Path) -> None:
    """The finding names the option in place of a file."""
    (finding,) = findings("child.yaml", "limits.max_turns=many")
    assert finding.startswith("--set limits.max_turns=many:1:1: error: 'many'")


def test_another_model_for_one_role_or_for_all(folder: Path) -> None:
    """A role that is not there is named, with those that are."""
    models = {
        name: role.model
        for name, role in project.load("lib/base.yaml", models=["tiny", "ben=huge"]).pipeline.roles.items()
    }
    assert models == {"anna": "tiny", "ben": "huge"}
    with pytest.raises(UsageError, match="anna, ben"):
        project.load("lib/base.yaml", models=["zoe=huge"])


def test_a_resolved_document_says_where_its_values_come_from(folder: Path) -> None:
    """It is YAML again, with a comment behind each value that the file itself does not give."""
    document = project.load("child.yaml", ["limits.max_turns=2"]).document
    text = as_yaml(document)
    assert source.load(text, "resolved.yaml").data == document.data
    lines = text.splitlines()
    assert "  max_turns: 2  # --set limits.max_turns=2" in lines
    assert '  reply_time: "10s"  # lib/base.yaml:8' in lines
    assert "name: child" in lines


def test_a_format_from_a_file(folder: Path) -> None:
    """A schema file is beside the pipeline that names it, and its content becomes part of the document."""
    (folder / "lib" / "verdict.json").write_text('{"type": "object"}', encoding="utf-8")
    text = BASE.replace("model: large,", "model: large, format: verdict.json,")
    (folder / "lib" / "base.yaml").write_text(text, encoding="utf-8")
    assert project.load("lib/base.yaml").pipeline.roles["ben"].format == {"type": "object"}
    (folder / "lib" / "verdict.json").write_text("[", encoding="utf-8")
    assert any("'verdict.json' is no JSON" in finding for finding in findings("lib/base.yaml"))


SCENE = """
name: outer
roles: {anna: {model: m}}
opening: Begin.
turns:
  - anna
  - scene: lib/base.yaml
"""


def test_a_scene_from_a_file(folder: Path) -> None:
    """It is read with all that it names, and checked like any other."""
    (folder / "outer.yaml").write_text(SCENE, encoding="utf-8")
    loaded = project.load("outer.yaml")
    assert loaded.scenes["lib/base.yaml"].pipeline.name == "base"
    assert loaded.files.scenes["lib/base.yaml"][1].prompts == {"p/anna.j2": "I am {{ role.label }}."}
    (folder / "lib" / "base.yaml").write_text(BASE.replace("turns: [anna, ben]", "turns: [zoe]"), encoding="utf-8")
    assert findings("outer.yaml")[0].startswith("lib/base.yaml:7:9: error: 'zoe' is no role")


def test_a_scene_that_plays_itself(folder: Path) -> None:
    """It is an error, and no hang."""
    (folder / "outer.yaml").write_text(SCENE.replace("lib/base.yaml", "outer.yaml"), encoding="utf-8")
    (finding,) = findings("outer.yaml")
    assert finding.startswith("outer.yaml:7:12: error: this goes in a circle: outer.yaml plays outer.yaml")


def test_a_scene_file_that_is_not_there(folder: Path) -> None:
    """The line that names it is named."""
    (folder / "outer.yaml").write_text(SCENE.replace("lib/base.yaml", "nowhere.yaml"), encoding="utf-8")
    assert "there is no file 'nowhere.yaml' beside outer.yaml" in findings("outer.yaml")[0]


def test_a_set_for_a_role_that_is_not_there(folder: Path) -> None:
    """A misspelt role is refused, and not made again."""
    with pytest.raises(UsageError, match="there is no role 'ana'; the roles are anna"):
        project.load("child.yaml", ["roles.ana.temperature=1"])
