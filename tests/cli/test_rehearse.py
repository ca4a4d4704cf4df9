"""llm-gc rehearse: what it prints, writes and ends with."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

from llm_gc.reports.rehearsal_report import as_data, lines
from tests.cli.terminal import Terminal
from tests.commands import M1, ROOT, command, copy_m1, environ, llm_gc
from tests.model_checker.exploring import load, report

PLANTED = ROOT / "tests" / "cases" / "rehearse"


def test_it_says_how_a_conversation_can_end(tmp_path: Path) -> None:
    """Inputs by their origin, endings with their turns, prompts, switches; the exit code is 0."""
    done = llm_gc("rehearse", M1, "--task", "sort a list", "--rounds", "2", cwd=tmp_path)
    assert done.code == 0
    assert 'task = "sort a list" (given)' in done.out
    assert "rounds = 2 (given)" in done.out
    assert "It ends on every path:" in done.out
    assert "stop_token           2 to 4 turns  reviewer said APPROVED" in done.out
    assert "turns_done           4 turns       every turn was taken" in done.out
    assert "turns_done (failed)  4 turns       every turn was taken; no turn succeeded" in done.out
    assert "The model changes 1 to 3 times." in done.out
    assert "Every request begins with the role's last one." in done.out
    assert done.out.endswith(": no fault\n")
    assert not list(tmp_path.iterdir())


def test_what_is_not_given_is_made_up_and_said_so(tmp_path: Path) -> None:
    """An input without a default needs no value here."""
    done = llm_gc("rehearse", M1, cwd=tmp_path)
    assert done.code == 0
    assert "(made up)" in done.out
    assert "rounds = 3 (default)" in done.out


def test_a_fault_has_its_place_its_way_and_a_case(tmp_path: Path) -> None:
    """The exit code is 1, and what is to be pasted is a test case that goes as it says."""
    file = PLANTED / "unset-on-one-branch.yaml"
    done = llm_gc("rehearse", str(file), cwd=tmp_path)
    assert done.code == 1
    assert f"{file}:12:33: error: 'plan' is undefined [template]" in done.out
    assert '1. asker: {"plan": false}' in done.out
    case = done.out.partition("As a case for a test file:\n")[2].partition("\n\n")[0]
    shutil.copy(file, tmp_path)
    (tmp_path / "pasted.test.yaml").write_text(f"pipeline: {file.name}\ncases:\n{case}\n", encoding="utf-8")
    played = llm_gc("test", "pasted.test.yaml", cwd=tmp_path)
    assert played.code == 0, played.out


def test_json_says_the_same(tmp_path: Path) -> None:
    """The report as data, for programs."""
    done = llm_gc("rehearse", str(PLANTED / "unknown-role.yaml"), "--json", cwd=tmp_path)
    report = json.loads(done.out)
    assert done.code == 1
    assert report["states"]["all"] is True
    assert report["turns"] == {"least": 2, "most": 2}
    endings = {(ending["status"], ending["reason"]) for ending in report["endings"]}
    assert endings == {("completed", "turns_done"), ("failed", "turns_done")}
    [finding] = report["findings"]
    assert (finding["code"], finding["line"], finding["severity"]) == ("unknown-choice", 13, "error")
    assert finding["way"] == [{"who": "classifier", "reply": '{"field": "lawyer"}'}]
    assert finding["case"]["replies"]["classifier"] == {"data": {"field": "lawyer"}}


def test_a_bound_that_was_hit_is_said(tmp_path: Path) -> None:
    """Nothing is claimed of what was not looked at."""
    done = llm_gc("rehearse", M1, "--max-states", "3", cwd=tmp_path)
    assert done.code == 0
    assert "The bound on states was hit" in done.out
    assert "It ends on every path" not in done.out
    assert "and there are more: no fault so far, and nothing is proved" in done.out


def test_it_says_where_one_way_alone_was_followed() -> None:
    """To people and to programs."""
    full = report(load("unknown-role"))
    assert full.in_all_ways
    for one in (full, replace(full, in_all_ways=False)):
        assert as_data(one)["states"]["in_all_ways"] is one.in_all_ways
        assert any("one way round was followed" in line for line in lines(one)) is not one.in_all_ways


def test_tests_are_written_and_pass(tmp_path: Path) -> None:
    """One case for each ending, in a file that llm-gc test plays; what is there is not written over."""
    copy_m1(tmp_path, "base.yaml")
    (tmp_path / "m1.yaml").write_text("extends: base.yaml\nname: mine\n", encoding="utf-8")
    done = llm_gc("rehearse", "m1.yaml", "--task", "sort", "--write-tests", "m1.test.yaml", cwd=tmp_path)
    assert done.code == 0
    assert "m1.test.yaml: 3 cases for m1" in done.err
    text = (tmp_path / "m1.test.yaml").read_text(encoding="utf-8")
    assert text.count("- name: ") == 3
    played = llm_gc("test", "m1.test.yaml", cwd=tmp_path)
    assert played.code == 0, played.out
    again = llm_gc("rehearse", "m1.yaml", "--write-tests", "m1.test.yaml", cwd=tmp_path)
    assert (again.code, (tmp_path / "m1.test.yaml").read_text(encoding="utf-8")) == (2, text)
    assert "--force" in again.err
    assert llm_gc("rehearse", "m1.yaml", "--write-tests", "m1.test.yaml", "--force", cwd=tmp_path).code == 0


def test_tests_find_their_pipeline_from_anywhere(tmp_path: Path) -> None:
    """Under another name and in another folder, and with the values that were laid over the pipeline's."""
    copy_m1(tmp_path, "base.yaml")
    (tmp_path / "m1.yaml").write_text("extends: base.yaml\nname: mine\n", encoding="utf-8")
    (tmp_path / "tests").mkdir()
    for written, named in (("other.test.yaml", "m1.yaml"), ("tests/m1.test.yaml", "../m1.yaml")):
        done = llm_gc(
            "rehearse", "m1.yaml", "--set", "limits.max_turns=2", "--model", "reviewer=tiny", "--write-tests", written,
            cwd=tmp_path,
        )  # fmt: skip
        assert done.code == 0
        assert f"pipeline: {named}\n" in (tmp_path / written).read_text(encoding="utf-8")
        played = llm_gc("test", written, cwd=tmp_path)
        assert played.code == 0, played.out
        assert "ended: max_turns" in (tmp_path / written).read_text(encoding="utf-8")


def test_a_case_to_paste_has_its_inputs(tmp_path: Path) -> None:
    """So that it goes as it says in any test file: with what was made up, and what was laid over."""
    text = (PLANTED / "unset-on-one-branch.yaml").read_text(encoding="utf-8") + "inputs: {task: {type: string}}\n"
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
    done = llm_gc("rehearse", "x.yaml", "--set", "limits.on_error=stop", cwd=tmp_path)
    case = done.out.partition("As a case for a test file:\n")[2].partition("\n\n")[0]
    assert "set: {limits.on_error: stop}" in case
    (tmp_path / "x.test.yaml").write_text(f"cases:\n{case}\n", encoding="utf-8")
    played = llm_gc("test", "x.test.yaml", cwd=tmp_path)
    assert played.code == 0, played.out


def test_tests_go_to_standard_output_alone(tmp_path: Path) -> None:
    """With - in the place of a file, nothing else is printed."""
    done = llm_gc("rehearse", M1, "--write-tests", "-", cwd=tmp_path)
    assert done.code == 0
    assert done.out.startswith("inputs:")
    assert "states" not in done.out


def test_wrong_use(tmp_path: Path) -> None:
    """No file, an input that is not there, one that does not fit: each in one sentence, with exit code 2."""
    none = llm_gc("rehearse", cwd=tmp_path)
    unknown = llm_gc("rehearse", M1, "--input", "taks=x", cwd=tmp_path)
    misfit = llm_gc("rehearse", M1, "--rounds", "0", cwd=tmp_path)
    assert [done.code for done in (none, unknown, misfit)] == [2, 2, 2]
    assert "there is no input 'taks'" in unknown.err
    assert "'rounds' does not fit" in misfit.err


def test_a_template_over_the_inputs_fails_in_its_place(tmp_path: Path) -> None:
    """What cannot even begin is said as run says it."""
    text = "name: x\ninputs: {n: {type: integer, default: 0}}\nroles: {anna: {model: m}}\nopening: Go.\nturns: [anna]\n"
    (tmp_path / "x.yaml").write_text(text + "limits: {max_turns: '{{ 1 // n }}'}\n", encoding="utf-8")
    done = llm_gc("rehearse", "x.yaml", cwd=tmp_path)
    assert done.code == 2
    assert "x.yaml:6:" in done.err


def test_a_terminal_sees_how_far_it_is(tmp_path: Path) -> None:
    """Progress shows on standard error in a terminal, and is gone when the report is there."""
    file = str(ROOT / "pipelines" / "best-of-n.yaml")
    terminal = Terminal(command("rehearse", file), tmp_path, environ())
    shown = terminal.read()
    assert terminal.code == 0
    assert re.search(r"\r\x1b\[K[0-9,]+ states, [0-9]+ to look at", shown)
    assert "states" not in shown.rpartition("to look at")[2].partition("\x1b[K")[0]
    assert "no fault" in shown
