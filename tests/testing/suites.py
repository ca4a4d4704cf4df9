"""Test files for tests: a pipeline and cases in a folder, played."""

from __future__ import annotations

import textwrap
from pathlib import Path

from llm_gc.testing.playing import Verdict, play
from llm_gc.testing.reading import CaseSuite, read
from llm_gc.testing.verdicts import failure

TWO = """
name: p
inputs: {task: {type: string, default: T}}
roles:
  anna: {model: m, prompt: You are Anna.}
  ben: {model: m, format: {ok: {type: boolean}}}
opening: "{{ task }}"
turns:
  - {say: anna, as: plan}
  - ben
  - {set: {ok: last.data.ok, all: messages, none_at_all: none}}
limits: {repairs: 1}
stop: [DONE]
"""
"""Anna speaks, then Ben says whether that is ok."""


def suite(folder: Path, cases: str, pipeline: str = TWO) -> CaseSuite:
    """Write a pipeline and its test file, and read them."""
    (folder / "p.yaml").write_text(textwrap.dedent(pipeline), encoding="utf-8")
    path = folder / "p.test.yaml"
    path.write_text(textwrap.dedent(cases), encoding="utf-8")
    return read(path, "p.test.yaml")


def verdict(folder: Path, case: str, pipeline: str = TWO) -> Verdict:
    """Play one case, given by the lines that follow its name; the first of them is line 3."""
    lines = textwrap.indent(textwrap.dedent(case).strip("\n"), "    ")
    return play(suite(folder, f"cases:\n  - name: c\n{lines}\n", pipeline), 0)


def told(folder: Path, case: str, pipeline: str = TWO) -> list[str]:
    """Return what is said of one case, without the file's name; nothing where it passed."""
    return [
        line.replace("p.test.yaml:", "").removeprefix("  ")
        for line in list(failure(verdict(folder, case, pipeline)))[1:]
    ]
