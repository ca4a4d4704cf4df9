"""Coverage: what there is to reach in a pipeline, and what is said of that which no case reaches."""

from __future__ import annotations

from pathlib import Path

from llm_gc.testing.coverage import Coverage, percent
from llm_gc.testing.playing import play
from tests.testing.suites import suite

PIPELINE = """\
name: p
inputs: {loud: {type: boolean, default: false}, who: {type: string, default: anna}}
roles: {anna: {model: m}, ben: {model: m}, carl: {model: m}}
opening: Begin.
turns:
  - do: [anna]
    when: loud
    else: [ben]
  - repeat: [{choose: {anna: [ben], ben: [anna]}, by: "{{ who }}"}]
    until: "'yes' in last"
    times: 2
  - scene:
      - carl
      - {say: carl, when: loud}
    opening: Inside.
    stop: [OVER]
stop: [{token: DONE}, {when: turn > 9}]
"""


def missed(folder: Path, *cases: str) -> tuple[list[str], tuple[int, int]]:
    """Play cases; return what none of them came to, without the file's name, and the counts."""
    listed = "".join(f"  - {{name: c{number}, {case}}}\n" for number, case in enumerate(cases))
    read = suite(folder, f"cases:\n{listed}", PIPELINE)
    coverage = Coverage(read.bare())
    for index in range(len(cases)):
        assert play(read, index, coverage.visited.add).passed
    return [f"{one.line}:{one.column}: {one.message}" for one in coverage.findings()], coverage.counts


ALMOST = "replies: {ben: [B], anna: [yes], carl: [C]}"


def test_what_no_case_comes_to_is_told_with_its_place(tmp_path: Path) -> None:
    """Steps, sides of conditions, roles of a choice, stops; nothing inside a step that never runs."""
    told, counts = missed(tmp_path, ALMOST)
    assert told == [
        "7:11: this is never true",
        "9:23: ben is never chosen",
        "10:12: this is never false",
        "14:27: this is never true",
        "16:12: this stop is never met",
        "17:8: this stop is never met",
        "17:23: this stop is never met",
    ]
    assert counts == (9, 17)


def test_the_cases_of_a_file_count_together(tmp_path: Path) -> None:
    """What one reaches, no other need."""
    told, counts = missed(
        tmp_path,
        ALMOST,
        "inputs: {loud: true, who: ben}, replies: {anna: [A, no], ben: [no], carl: [C, C]}",
        "replies: {ben: DONE}",
        "inputs: {who: ben}, replies: {ben: [no], anna: [yes], carl: [OVER]}",
        "set: {stop: [{token: DONE}, {when: turn > 0}]}, replies: {ben: B}",
    )
    assert (told, counts) == ([], (17, 17))


def test_a_step_that_is_never_reached_is_told_once(tmp_path: Path) -> None:
    """Neither its condition nor what is in it is told besides."""
    told, _ = missed(tmp_path, "replies: {ben: DONE}")
    assert told == [
        "7:11: this is never true",
        "9:5: this step never runs",
        "12:5: this step never runs",
        "17:23: this stop is never met",
    ]


def test_a_share_in_percent() -> None:
    """Where there is nothing to reach, all of it was."""
    assert (percent(1, 4), percent(4, 4), percent(0, 0)) == (25.0, 100.0, 100.0)


TEAM = "name: team\nroles: {dora: {model: m}}\nopening: Hi.\nturns: [dora, {say: dora, when: 1 > 2}]\nstop: [OVER]\n"


def test_another_files_steps_are_its_own_business(tmp_path: Path) -> None:
    """Only what is in the pipeline itself is counted."""
    (tmp_path / "team.yaml").write_text(TEAM, encoding="utf-8")
    outer = "name: p\nroles: {anna: {model: m}}\nopening: Hi.\nturns: [anna, {scene: team.yaml}]\n"
    read = suite(tmp_path, "cases: [{name: c, replies: {anna: A, dora: OVER}}]", outer)
    coverage = Coverage(read.bare())
    assert play(read, 0, coverage.visited.add).passed
    assert (coverage.missed, coverage.counts) == ([], (2, 2))
