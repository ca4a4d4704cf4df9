"""The pytest plugin: an item for each case, our own words for what failed, and nothing loaded before it is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.commands import environ
from tests.hostile import CONTROLS, HOSTILE
from tests.testing.suites import TWO

CASES = """\
cases:
  - name: Both speak.
    replies: {anna: A plan., ben: {data: {ok: true}}}
    expect: {speakers: [ben]}
  - name: Anna ends it.
    replies: {anna: DONE}
"""


def pytest_in(folder: Path, *args: str) -> tuple[int, str]:
    """Run pytest in a folder of its own; return its exit code, and what it printed."""
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args]
    done = subprocess.run(words, cwd=folder, env=environ(), capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_each_case_is_an_item(tmp_path: Path) -> None:
    """By its name; what failed is shown in our words alone."""
    (tmp_path / "p.yaml").write_text(TWO, encoding="utf-8")
    (tmp_path / "p.test.yaml").write_text(CASES, encoding="utf-8")
    code, out = pytest_in(tmp_path, "-v")
    assert code == 1
    assert "p.test.yaml::Both speak. FAILED" in out
    assert "p.test.yaml::Anna ends it. PASSED" in out
    assert "_ p.test.yaml: Both speak. _" in out
    shown = out.partition("= FAILURES =")[2].partition("short test summary")[0].splitlines()
    assert [line for line in shown if line and line[0] not in "=_"] == [
        "  p.test.yaml:4:24: who speaks is not as expected",
        "      + anna",
        "        ben",
    ]
    assert pytest_in(tmp_path, "-k", "ends")[0] == 0


def test_a_file_that_cannot_be_played_is_an_error(tmp_path: Path) -> None:
    """With everything that is wrong in it, and no traceback."""
    (tmp_path / "p.yaml").write_text(TWO, encoding="utf-8")
    (tmp_path / "p.test.yaml").write_text("cases: [{nam: x}]\n", encoding="utf-8")
    code, out = pytest_in(tmp_path)
    assert code == 2
    assert "p.test.yaml:1:10: error: unknown key 'nam'" in out
    assert "Traceback" not in out
    assert "reading.py" not in out


def test_names_and_texts_do_not_steer_a_terminal(tmp_path: Path) -> None:
    """Of a case, a reply, and what is wrong with a file."""
    (tmp_path / "p.yaml").write_text(TWO, encoding="utf-8")
    case = {"name": HOSTILE, "replies": {"anna": HOSTILE}, "expect": {"speakers": ["ben"], "result": HOSTILE}}
    for cases in ([case], [case, {"name": "b", HOSTILE: 1}]):
        (tmp_path / "p.test.yaml").write_text(json.dumps({"cases": cases}), encoding="utf-8")
        code, out = pytest_in(tmp_path, "-v")
        assert code
        assert "set-env" in out
        assert not {one for one in out if ord(one) in CONTROLS}


def test_what_another_tool_calls_so_is_left_alone(tmp_path: Path) -> None:
    """A file of that name without cases and without a pipeline; one with cases is ours, wherever its pipeline is."""
    (tmp_path / "other.test.yaml").write_text("steps: [a]\n", encoding="utf-8")
    (tmp_path / "test_it.py").write_text("def test_it(): pass\n", encoding="utf-8")
    assert pytest_in(tmp_path)[0] == 0
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "p.yaml").write_text(TWO, encoding="utf-8")
    (tmp_path / "ours.test.yaml").write_text("pipeline: deep/p.yaml\n" + CASES, encoding="utf-8")
    code, out = pytest_in(tmp_path, "-k", "not Both")
    assert code == 0
    assert "2 passed, 1 deselected" in out


def test_it_loads_nothing_where_there_is_no_test_file(tmp_path: Path) -> None:
    """Every run of pytest in the environment has the plugin, and most are not about us."""
    (tmp_path / "test_it.py").write_text(
        "import sys\n\ndef test_it():\n"
        "    ours = ('llm_gc', 'pydantic', 'jinja2', 'yaml')\n"
        "    loaded = {name for name in sys.modules if name.split('.')[0] in ours}\n"
        "    assert loaded == {'llm_gc', 'llm_gc._version', 'llm_gc.testing', 'llm_gc.testing.plugin'}\n",
        encoding="utf-8",
    )
    code, out = pytest_in(tmp_path, "-p", "no:hypothesispytest")
    assert code == 0, out
