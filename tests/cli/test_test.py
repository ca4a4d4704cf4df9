"""``llm-gc test`` as its own process: what it says of test files, what it writes, and how it ends."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from tests.cli.terminal import Terminal
from tests.commands import ROOT, Result, command, environ, llm_gc
from tests.testing.suites import TWO

GOOD = """\
cases:
  - name: Both speak.
    replies: {anna: A plan., ben: {data: {ok: true}}}
  - name: Anna ends it.
    replies: {anna: DONE}
    expect: {ended: stop_token}
"""
BAD = """\
cases:
  - name: Both speak.
    replies: {anna: A plan., ben: {data: {ok: true}}}
    expect: {speakers: [ben]}
  - name: Anna ends it.
    replies: {anna: DONE}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a pipeline and a good test file, and below it one with a bad test file."""
    (tmp_path / "p.yaml").write_text(TWO, encoding="utf-8")
    (tmp_path / "p.test.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "q.test.yaml").write_text(f"pipeline: ../p.yaml\n{BAD}", encoding="utf-8")
    return tmp_path


def run(folder: Path, *args: str) -> Result:
    """Run the command; the seconds in its last line are nobody's business."""
    result = llm_gc("test", *args, cwd=folder)
    return Result(result.code, re.sub(r"in [0-9.]+ s\n", "in T s\n", result.out), result.err)


def test_what_passes_is_a_line_for_each_file(folder: Path) -> None:
    """And one for all."""
    assert run(folder, "p.test.yaml") == Result(0, "p.test.yaml: 2 passed\n\n2 passed in T s\n", "")


def test_what_fails_is_told_in_full(folder: Path) -> None:
    """Place, expectation, and how it differs; exit 1."""
    result = run(folder, ".")
    assert result == Result(
        1,
        """\
p.test.yaml: 2 passed
deep/q.test.yaml: 1 passed, 1 failed

deep/q.test.yaml:3: Both speak.
  deep/q.test.yaml:5:24: who speaks is not as expected
      + anna
        ben


3 passed, 1 failed in T s
""",
        "",
    )


def test_each_case_can_be_named(folder: Path) -> None:
    """With -v."""
    result = run(folder, "-v", "p.test.yaml")
    assert result.out.startswith("p.test.yaml: 2 passed\n  passed: Both speak.\n  passed: Anna ends it.\n")


def test_cases_can_be_chosen(folder: Path) -> None:
    """By words of their file and name; what is left out is counted, and does not fail."""
    result = run(folder, ".", "-k", "ends and not deep/")
    assert (
        result.out == "p.test.yaml: 1 passed, 1 left out\ndeep/q.test.yaml: 2 left out\n\n1 passed, 3 left out in T s\n"
    )
    assert result.code == 0


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "Give the test files or folders, for example: llm-gc test pipelines/. See llm-gc test --help."),
        (("no.test.yaml",), "there is no test file no.test.yaml"),
        (("empty",), "there is no test file in empty; one is called NAME.test.yaml"),
        (("other.yaml",), "there is no test file for other.yaml; write one as other.test.yaml"),
        (("nosuch",), "there is no pipeline nosuch"),
        (("p.yaml", "-k", "and"), "-k 'and' cannot be read: a word is missing before 'and'; write for example"),
        (("p.yaml", "-k", "nothing"), "no case is meant by -k 'nothing'; all are left out"),
        (("p.yaml", "--junit", "p.yaml"), "p.yaml already exists; overwrite it with --force, or give another name"),
        (("p.yaml", "--junit", "none/x.xml"), "none/x.xml cannot be written: no such file or directory"),
        (("p.yaml", "--fail-under", "101"), "101"),
    ],
)
def test_wrong_usage(folder: Path, args: tuple[str, ...], words: str) -> None:
    """Is told in a sentence that says what to do; exit 2."""
    (folder / "empty").mkdir()
    (folder / "other.yaml").write_text(TWO, encoding="utf-8")
    result = run(folder, *args)
    assert result.code == 2
    assert result.err.startswith("llm-gc: ")
    assert words in result.err


def test_a_pipeline_stands_for_its_test_file(folder: Path) -> None:
    """One of ours by its name too, from anywhere."""
    assert run(folder, "p.yaml", "p.test.yaml").out.startswith("p.test.yaml: 2 passed\n\n2 passed")
    result = run(folder, "m1")
    assert result.code == 0
    assert "m1.test.yaml: 6 passed" in result.out


def test_a_file_that_cannot_be_played_does_not_keep_the_others(folder: Path) -> None:
    """Everything that is wrong in it is told, and the exit is 2."""
    (folder / "a.test.yaml").write_text("cases:\n  - name: x\n    replys: {}\n  - nam: y\n", encoding="utf-8")
    (folder / "deep" / "b.test.yaml").write_text("cases: [", encoding="utf-8")
    result = run(folder, ".")
    assert result.code == 2
    assert "a.test.yaml: cannot be played\n  a.test.yaml:3:5: error: unknown key 'replys'" in result.out
    assert "  a.test.yaml:4:5: error: unknown key 'nam'" in result.out
    assert "deep/b.test.yaml: cannot be played\n  deep/b.test.yaml:1:9: error: " in result.out
    assert "3 passed, 1 failed, 2 files that cannot be played in T s" in result.out


def test_coverage_is_shown(folder: Path) -> None:
    """What the cases of all files reach of a pipeline, and what none does."""
    result = run(folder, "p.test.yaml", "--cover")
    assert "coverage  reached      of   share\np.yaml          4       4   100 %\n" in result.out
    less = run(folder, "p.test.yaml", "--cover", "-k", "both")
    assert "p.yaml          3       4    75 %\n  p.yaml:13:8: this stop is never met\n" in less.out
    both = run(folder, "p.yaml", "m1", "--cover")
    assert "all " in both.out


def test_coverage_can_be_asked_for(folder: Path) -> None:
    """Below the floor the exit is 1; at it all is well."""
    few = run(folder, "p.yaml", "-k", "both", "--fail-under", "75.5")
    assert (few.code, few.err) == (1, "llm-gc: 75.0 % is covered, and 75.5 % were asked for; see --cover\n")
    assert run(folder, "p.yaml", "-k", "both", "--fail-under", "75").code == 0


def test_a_report_is_written(folder: Path) -> None:
    """As JUnit XML: what failed and what could not be played with all that is said of it."""
    (folder / "broken.test.yaml").write_text("cases: [", encoding="utf-8")
    result = run(folder, ".", "--junit", "report.xml")
    root = Xml.parse(folder / "report.xml").getroot()
    assert {key: root.get(key) for key in ("tests", "failures", "errors")} == {
        "tests": "5", "failures": "1", "errors": "1",
    }  # fmt: skip
    assert [suite.get("name") for suite in root] == ["broken.test.yaml", "p.test.yaml", "deep/q.test.yaml"]
    cases = {(case.get("classname"), case.get("name")): case for case in root.iter("testcase")}
    assert [len(case) for case in cases.values()] == [1, 0, 0, 1, 0]
    failed = cases["deep/q.test.yaml", "Both speak."]
    (failure,) = failed
    assert (failed.get("file"), failed.get("line")) == ("deep/q.test.yaml", "3")
    assert (failure.tag, failure.get("message")) == ("failure", "deep/q.test.yaml:5:24: who speaks is not as expected")
    assert "      + anna" in (failure.text or "")
    (error,) = cases["broken.test.yaml", "the file can be played"]
    assert error.tag == "error"
    assert "broken.test.yaml:1:9: error: " in (error.text or "")
    again = run(folder, ".", "--junit", "report.xml", "--force")
    assert (result.code, again.code) == (2, 2)


def test_on_a_terminal_it_has_colours(folder: Path) -> None:
    """Green for what passed, red for what did not; and nothing that a model could have smuggled in."""
    (folder / "p.test.yaml").write_text(GOOD.replace("{ended: stop_token}", '{result: "\\e[31m"}'), encoding="utf-8")
    shown = Terminal(command("test", "p.test.yaml"), folder, environ()).read()
    assert "\x1b[31mp.test.yaml: 1 passed, 1 failed\x1b[0m" in shown
    assert "\x1b[31m      - ␛[31m\x1b[0m" in shown
    assert "\x1b[32m      + DONE\x1b[0m" in shown


def test_the_gallery_passes_and_everything_is_come_to() -> None:
    """Every pipeline that ships, by one call."""
    result = llm_gc("test", "pipelines", "--cover", "--fail-under", "100", cwd=ROOT)
    assert result.code == 0
    assert result.err == ""
    files = list((ROOT / "pipelines").glob("*.test.yaml"))
    assert result.out.count(".test.yaml: ") == len(files)
