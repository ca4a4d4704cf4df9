"""The files under tests/cases: `ok` has nothing wrong with it, `err` has exactly the findings in the `.out` beside it.

Dropping a file there is adding a test. `CASES=write pytest tests/test_cases.py` writes the `.out` files again.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from llm_gc import project
from llm_gc.analysis.rule_pages import pages
from llm_gc.analysis.rules import RULES
from llm_gc.errors import PipelineError
from llm_gc.validation import validate

CASES = Path(__file__).parent / "cases"
OK = sorted((CASES / "ok").glob("*.yaml"))
ERR = sorted((CASES / "err").glob("*.yaml"))

JARGON = re.compile(r"pydantic|jsonschema|anyOf|oneOf|\bNone\b|\bdict\b|(?<!!)\bstr\b|Undefined| at 0x|Traceback")


def findings(file: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what is found in a file, a line each, as seen from its folder."""
    monkeypatch.chdir(file.parent)
    report = validate([file.name])
    assert not report.wrong
    return "".join(f"{finding}\n" for finding in report.findings)


@pytest.mark.parametrize("file", OK, ids=lambda file: file.stem)
def test_nothing_is_wrong(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is right is found right: no error, no warning."""
    assert findings(file, monkeypatch) == ""


@pytest.mark.parametrize("file", ERR, ids=lambda file: file.stem)
def test_findings(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each mistake gives its findings, to the letter."""
    found, wanted = findings(file, monkeypatch), file.with_suffix(".out")
    if os.environ.get("CASES") == "write":
        wanted.write_text(found, encoding="utf-8")
    assert found == wanted.read_text(encoding="utf-8")
    assert found


@pytest.mark.parametrize("file", ERR, ids=lambda file: file.stem)
def test_what_has_errors_cannot_be_run(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading it for a run tells the same, and what has warnings alone is loaded with them."""
    monkeypatch.chdir(file.parent)
    wanted = file.with_suffix(".out").read_text(encoding="utf-8")
    try:
        found = project.load(file.name).warnings
    except PipelineError as error:
        found = error.findings
    else:
        assert " error: " not in wanted
    assert {f"{finding}\n" for finding in found} >= {
        line for line in wanted.splitlines(keepends=True) if "[unused-ignore]" not in line
    }


@pytest.mark.parametrize("file", ERR, ids=lambda file: file.stem)
def test_findings_read_well(file: Path) -> None:
    """A finding is one line that names a place in a file that is there, in no library's jargon."""
    for line in file.with_suffix(".out").read_text(encoding="utf-8").splitlines():
        found = re.fullmatch(r"([\w./-]+):(\d+):(\d+): (error|warning): (.+) \[([a-z-]+)\]", line)
        assert found, line
        assert not JARGON.search(re.sub(r"'[^']*'", "", found[5])), line  # what is quoted is the author's own
        lines = (file.parent / found[1]).read_text(encoding="utf-8").splitlines() or [""]
        assert 1 <= int(found[2]) <= len(lines), line
        assert 1 <= int(found[3]) <= len(lines[int(found[2]) - 1]) + 1, line


@pytest.mark.parametrize("file", ERR, ids=lambda file: file.stem)
def test_line_ends_do_not_matter(file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With CRLF and a byte order mark the findings are the same, at the same places."""
    folder = tmp_path / "err"
    shutil.copytree(file.parent / "prompts", folder / "prompts")
    shutil.copytree(CASES / "ok", tmp_path / "ok")
    (tmp_path / "pyproject.toml").touch()
    text = file.read_text(encoding="utf-8").replace("\n", "\r\n")
    copy = folder / file.name
    copy.write_text(text, encoding="utf-8-sig", newline="")
    assert findings(copy, monkeypatch) == file.with_suffix(".out").read_text(encoding="utf-8")


def test_every_out_has_its_file() -> None:
    """No `.out` is left of a case that is gone."""
    assert {file.stem for file in (CASES / "err").glob("*.out")} == {file.stem for file in ERR}


def test_every_code_has_a_case() -> None:
    """Whatever can be found is seen to be found."""
    found = "".join(file.read_text(encoding="utf-8") for file in (CASES / "err").glob("*.out"))
    assert {code for code in pages() if f"[{code}]" not in found} == set()


@pytest.mark.parametrize("code", RULES)
def test_every_rule_has_a_bad_and_a_good_twin(code: str) -> None:
    """Files of its name: the one shows what it finds, the other what it lets pass."""
    assert f" [{code}]\n" in (CASES / "err" / f"{code}.out").read_text(encoding="utf-8")
    assert (CASES / "ok" / f"{code}.yaml").is_file()
