"""What editors, pre-commit and GitHub are given: it is of the form that they read, and does what its page says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.commands import ROOT, environ, llm_gc
from tools.release import problems

PAGE = ROOT / "docs" / "editors-and-ci.md"
BAD = "name: bad\nroles: {anna: {model: m, options: {mirostat: 1}}}\nturns: [ana]\nopening: Hello.\n"


def blocks(language: str) -> list[str]:
    """Return the code blocks of a language in the page."""
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def fits(schema: str, file: Path) -> str:
    """Hold a file against one of the schemas that check-jsonschema brings; return what it says."""
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(file)]
    return subprocess.run(words, capture_output=True, text=True, check=False, env=environ()).stdout.strip()


def run_with_llm_gc(script: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a script in which `llm-gc` is the checkout's."""
    folder = cwd / "bin"
    folder.mkdir(exist_ok=True)
    (folder / "llm-gc").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m llm_gc "$@"\n', encoding="utf-8")
    (folder / "llm-gc").chmod(0o755)
    env = environ(PATH=f"{folder}{os.pathsep}{os.environ['PATH']}", **more)
    words = ["bash", "-e", "-c", script]
    return subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository with one bad pipeline."""
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "bad.yaml").write_text(BAD, encoding="utf-8")
    return tmp_path


def action() -> Any:
    """Return the action."""
    return yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))


def test_github_would_read_the_action_and_the_workflows(tmp_path: Path) -> None:
    """Ours, and the one that the page shows."""
    assert fits("vendor.github-actions", ROOT / "action.yml") == "ok -- validation done"
    shown = tmp_path / "pipelines.yml"
    (workflow,) = [text for text in blocks("yml") if "jobs:" in text]
    shown.write_text(workflow, encoding="utf-8")
    for file in (shown, *(ROOT / ".github" / "workflows").glob("*.yml")):
        assert fits("vendor.github-workflows", file) == "ok -- validation done"


def test_the_page_lists_every_input_of_the_action() -> None:
    """With what it is where nobody says it."""
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (.*?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    stated = {
        name: f"`{entry['default']}`" if entry["default"] else "none" for name, entry in action()["inputs"].items()
    }
    assert {name: rows.get(name) for name in stated} == stated


def test_the_workflow_of_the_page_annotates(folder: Path) -> None:
    """Its last step finds the fault, in the form that GitHub reads."""
    (workflow,) = [yaml.safe_load(text) for text in blocks("yml") if "jobs:" in text]
    script = workflow["jobs"]["validate"]["steps"][-1]["run"].replace(" more/pipelines", "")
    done = run_with_llm_gc(script, folder)
    assert done.returncode == 1
    assert "::error file=pipelines/bad.yaml,line=3," in done.stdout


def test_the_workflows_name_paths_that_exist() -> None:
    """A folder of tests that was moved would fail on the other systems alone."""
    for file in (ROOT / ".github" / "workflows").glob("*.yml"):
        for path in re.findall(r"\btests/[\w/.]*", file.read_text(encoding="utf-8")):
            assert (ROOT / path).exists(), f"{file.name}: {path}"


def test_no_document_has_a_placeholder() -> None:
    """Whoever copies a line from a page need not fill anything in."""
    for file in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), ROOT / "pyproject.toml"]:
        assert "OWNER" not in file.read_text(encoding="utf-8"), file.name


@pytest.mark.parametrize(
    ("tag", "changelog", "words"),
    [
        ("v1.2.3", "## [Unreleased]\n\n## [1.2.3] - 2026-01-02\n\n- A.\n", []),
        ("v1.2.4", "## [Unreleased]\n\n## [1.2.3] - 2026-01-02\n", ["the tag is v1.2.4"]),
        ("v1.2.3", "## [Unreleased]\n\n- B.\n\n## [1.2.2] - 2026-01-02\n", ["no section", "still has entries"]),
    ],
)
def test_a_release_is_refused_where_versions_differ(tag: str, changelog: str, words: list[str]) -> None:
    """The tag, the package and the changelog must agree."""
    found = problems(tag, "1.2.3", changelog)
    assert [word in text for word, text in zip(words, found, strict=True)] == [True] * len(words)


def test_what_the_action_runs(folder: Path) -> None:
    """Annotations, the exit code, and SARIF in a file where it is asked for; strange paths are no code."""
    script = action()["runs"]["steps"][-1]["run"]
    done = run_with_llm_gc(script, folder, PATHS="pipelines $(touch oops) *", STRICT="true", SARIF="found.sarif")
    assert done.returncode == 2  # of the paths some lead nowhere
    assert not (folder / "oops").exists()
    assert "::error file=pipelines/bad.yaml,line=3,endLine=3,col=9,endColumn=12,title=unknown-role::" in done.stdout
    assert len(json.loads((folder / "found.sarif").read_text(encoding="utf-8"))["runs"][0]["results"]) == 2
    assert run_with_llm_gc(script, folder, PATHS="pipelines", STRICT="false", SARIF="").returncode == 1


@pytest.mark.parametrize(("strict", "code"), [("true", 1), ("false", 0)])
def test_the_action_lets_warnings_fail(folder: Path, strict: str, code: int) -> None:
    """Where it is strict, and else not."""
    (folder / "pipelines" / "bad.yaml").write_text(BAD.replace("[ana]", "[anna]"), encoding="utf-8")
    script = action()["runs"]["steps"][-1]["run"]
    done = run_with_llm_gc(script, folder, PATHS="pipelines", STRICT=strict, SARIF="")
    assert (done.returncode, done.stdout.startswith("::warning ")) == (code, True)


def test_the_hook(folder: Path) -> None:
    """The page names it, and it does what it says: the whole folder, whatever file was changed."""
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert {"id", "name", "entry", "language", "files"} <= set(hook)
    (config,) = [yaml.safe_load(text) for text in blocks("yml") if "hooks:" in text]
    (shown,) = config["repos"][0]["hooks"]
    told = {key: value for key, value in hook.items() if key != "description"}
    assert shown == told | {"additional_dependencies": ["llm-gc"]}
    assert not hook["pass_filenames"]
    changed = ["pipelines/a.yaml", "prompts/a/b.j2", "schemas/x.json", "a.yml"]
    assert all(re.search(hook["files"], name) for name in changed)
    done = run_with_llm_gc(" ".join([hook["entry"], *hook["args"]]), folder)
    assert (done.returncode, "[unknown-role]" in done.stdout) == (1, True)


def test_an_editor_finds_the_place(folder: Path) -> None:
    """What the page gives to VS Code reads our lines, with colours or not."""
    (matcher,) = [
        json.loads(text)["tasks"][0]["problemMatcher"]["pattern"] for text in blocks("json") if "tasks" in text
    ]
    lines = llm_gc("validate", "pipelines", cwd=folder).out.splitlines()
    found = [match for line in lines if (match := re.match(matcher["regexp"], line))]
    assert [(match[matcher["line"]], match[matcher["severity"]], match[matcher["code"]]) for match in found] == [
        ("2", "warning", "bad-option"),
        ("3", "error", "unknown-role"),
    ]


def test_the_page_shows_every_option() -> None:
    """And the line that every pipeline that ships begins with."""
    text, options = PAGE.read_text(encoding="utf-8"), llm_gc("validate", "--help", cwd=ROOT).out
    for option in re.findall(r"^ +(--[a-z]+)", options, re.MULTILINE):
        assert option in text or option == "--help"
    assert "# yaml-language-server: $schema=../schemas/pipeline.schema.json" in text


def test_the_line_leads_to_the_schema() -> None:
    """From every pipeline and every test that ships."""
    for file in sorted((ROOT / "pipelines").glob("*.yaml")):
        first = file.read_text(encoding="utf-8").splitlines()[0]
        place = first.removeprefix("# yaml-language-server: $schema=")
        name = "test" if file.name.endswith(".test.yaml") else "pipeline"
        assert (file.parent / place).resolve() == ROOT / "schemas" / f"{name}.schema.json"
