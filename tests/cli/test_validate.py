"""validate as a user runs it: paths, formats, exit codes, and what goes to which stream."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.terminal import ESCAPES, Terminal
from tests.commands import ROOT, command, environ, llm_gc

GOOD = "name: good\nroles: {anna: {model: m}}\nturns: [anna]\nopening: Hello.\n"
BAD = "name: bad\nroles: {anna: {model: m}}\nturns: [ana]\nopening: Hello.\n"
ODD = "name: odd\nroles: {anna: {model: m, options: {mirostat: 1}}}\nturns: [anna]\nopening: Hello.\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with pipelines: one right, one wrong, one with a warning; and a YAML file of another kind."""
    (tmp_path / "p" / "inner").mkdir(parents=True)
    (tmp_path / "p" / ".hidden").mkdir()
    (tmp_path / "p" / "good.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "p" / "inner" / "bad.yml").write_text(BAD, encoding="utf-8")
    (tmp_path / "p" / "odd.yaml").write_text(ODD, encoding="utf-8")
    (tmp_path / "p" / "compose.yaml").write_text("services: {}\n", encoding="utf-8")
    (tmp_path / "p" / ".hidden" / "bad.yaml").write_text(BAD, encoding="utf-8")
    (tmp_path / "p" / "notes.txt").write_text("turns: [ana]\n", encoding="utf-8")
    return tmp_path


BAD_TEXT = """p/inner/bad.yml:3:9: error: 'ana' is no role. Did you mean 'anna'? [unknown-role]
   3 | turns: [ana]
     |         ^^^
"""


def test_a_clean_file(folder: Path) -> None:
    """Prints nothing but a summary, on standard error."""
    result = llm_gc("validate", "p/good.yaml", cwd=folder)
    assert (result.code, result.out, result.err) == (0, "", "1 file checked: clean\n")


def test_findings_with_excerpts(folder: Path) -> None:
    """Each with its line, the word marked; without colours in a pipe."""
    result = llm_gc("validate", "p/inner/bad.yml", cwd=folder)
    assert (result.code, result.out, result.err) == (1, BAD_TEXT, "1 file checked: 1 error\n")


def test_a_folder(folder: Path) -> None:
    """All pipelines in it, in order; what else is YAML is named, what is hidden or no YAML is not looked at."""
    result = llm_gc("validate", "p", cwd=folder)
    assert result.code == 1
    assert [line for line in result.out.splitlines() if line.startswith("p/")] == [
        BAD_TEXT.splitlines()[0],
        "p/odd.yaml:2:36: warning: Ollama knows no option 'mirostat', and would pass it over [bad-option]",
    ]
    assert result.err.splitlines() == [
        "llm-gc: 1 YAML file not checked, it is no pipeline and no test: p/compose.yaml",
        "3 files checked: 1 error, 1 warning",
    ]


def test_warnings_fail_where_that_is_asked_for(folder: Path) -> None:
    """With --strict."""
    assert llm_gc("validate", "p/odd.yaml", cwd=folder).code == 0
    assert llm_gc("validate", "--strict", "p/odd.yaml", cwd=folder).code == 1
    assert llm_gc("validate", "--strict", "p/good.yaml", cwd=folder).code == 0


def test_a_file_that_is_named_twice(folder: Path) -> None:
    """Is checked once, also when it lies in a folder that is named."""
    result = llm_gc("validate", "p/good.yaml", "p", "./p/good.yaml", cwd=folder)
    assert "3 files checked" in result.err


def test_standard_input(folder: Path) -> None:
    """Is called so."""
    result = llm_gc("validate", "-", cwd=folder, stdin=BAD)
    assert (result.code, result.out.replace("<stdin>", "p/inner/bad.yml")) == (1, BAD_TEXT)
    assert llm_gc("validate", "-", cwd=folder, stdin=GOOD).code == 0


def test_a_path_that_leads_nowhere(folder: Path) -> None:
    """Is wrong use; the others are checked all the same."""
    (folder / "empty").mkdir()
    result = llm_gc("validate", "gone.yaml", "empty", "p/inner/bad.yml", cwd=folder)
    assert (result.code, result.out) == (2, BAD_TEXT)
    assert "llm-gc: there is no pipeline gone.yaml" in result.err
    assert "llm-gc: there is no pipeline and no test in the folder empty" in result.err


def test_nothing_but_a_path_that_leads_nowhere(folder: Path) -> None:
    """Nothing was checked, and so nothing is called clean."""
    result = llm_gc("validate", "gone.yaml", cwd=folder)
    assert (result.code, result.out) == (2, "")
    assert "clean" not in result.err


def test_no_path_at_all(folder: Path) -> None:
    """Is wrong use, with an example of the right one."""
    result = llm_gc("validate", cwd=folder)
    assert result.code == 2
    assert "for example: llm-gc validate pipelines/" in result.err


def test_json(folder: Path) -> None:
    """A list of objects with all fields; an empty list where nothing is wrong."""
    result = llm_gc("validate", "--format", "json", "p/inner/bad.yml", cwd=folder)
    assert json.loads(result.out) == [
        {
            "file": "p/inner/bad.yml",
            "line": 3,
            "column": 9,
            "end_line": 3,
            "end_column": 12,
            "code": "unknown-role",
            "severity": "error",
            "message": "'ana' is no role",
            "path": "turns.0.say",
            "hint": "Did you mean 'anna'?",
        }
    ]
    assert json.loads(llm_gc("validate", "--format", "json", "p/good.yaml", cwd=folder).out) == []


@pytest.mark.parametrize("form", ["text", "json", "github", "sarif"])
def test_the_number_of_processes_changes_nothing(form: str, tmp_path: Path) -> None:
    """The same findings in the same order."""
    for number in range(40):
        text = BAD.replace("name: bad", f"name: bad-{number}") if number % 3 else GOOD
        (tmp_path / f"{number:02}.yaml").write_text(text, encoding="utf-8")
    one, three = (llm_gc("validate", "--format", form, "--jobs", n, ".", cwd=tmp_path) for n in ("1", "3"))
    assert (one.code, one.out, one.err) == (three.code, three.out, three.err)
    assert one.out.count("'ana' is no role") == 26


def test_what_ships_is_clean() -> None:
    """Without as much as a warning."""
    result = llm_gc("validate", "--strict", "pipelines", cwd=ROOT)
    assert (result.code, result.out) == (0, "")


def test_a_page_of_the_manual(folder: Path) -> None:
    """For a code that there is; for another the one that was meant."""
    result = llm_gc("validate", "--explain", "unknown-role", cwd=folder)
    assert (result.code, result.out.startswith("unknown-role (error): ")) == (0, True)
    result = llm_gc("validate", "--explain", "unknwn-role", cwd=folder)
    assert (result.code, result.out) == (2, "")
    assert "Did you mean 'unknown-role'?" in result.err


def test_help_says_what_a_path_is(folder: Path) -> None:
    """File, folder, standard input."""
    assert "standard input" in llm_gc("validate", "--help", cwd=folder).out


def test_in_a_narrow_terminal(folder: Path) -> None:
    """What is shown of a line fits in one, so that the mark is under the word; a page breaks between words."""
    long = BAD.replace("Hello.", f"'{'a b ' * 30}{{{{ nope }}}}{' c' * 30}'")
    (folder / "p" / "long.yaml").write_text(long, encoding="utf-8")
    terminal = Terminal(command("validate", "p/long.yaml"), folder, environ(), columns=60)
    lines = ESCAPES.sub("", terminal.read()).splitlines()
    shown, mark = lines[lines.index("   3 | turns: [ana]") + 3 :][:2]
    assert (shown[:7], len(shown)) == ("   4 | ", 60)
    assert shown[mark.index("^") : mark.index("^") + 4] == "nope"
    page = Terminal(command("validate", "--explain", "context-overflow"), folder, environ(), columns=60)
    told = ESCAPES.sub("", page.read())
    assert max(map(len, told.splitlines())) <= 60
    assert told.split() == llm_gc("validate", "--explain", "context-overflow", cwd=folder).out.split()
