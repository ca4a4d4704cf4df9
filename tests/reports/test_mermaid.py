"""The picture of a pipeline: every turn, decision and ending is in it, and Mermaid can draw it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import mmdr
import pytest

from llm_gc.files.locations import pipelines_in
from llm_gc.language.pipeline import Pipeline
from llm_gc.reports.mermaid import mermaid
from tests.commands import ROOT, llm_gc
from tools.gallery import page

PIPELINES = pipelines_in(ROOT / "pipelines")


def drawn(**keys: Any) -> list[str]:
    """Draw a pipeline of two roles; return the lines, without their indentation."""
    roles = {"anna": {"model": "a:1b"}, "ben": {"model": "b:1b", "label": "Ben"}}
    return [
        line.strip() for line in mermaid(Pipeline.model_validate({"name": "t", "roles": roles, **keys})).splitlines()
    ]


def test_turns_follow_one_another() -> None:
    """Each turn is a box with its label and its model, and an arrow leads to the next one."""
    lines = drawn(turns=["anna", "ben"], opening="Go.")
    assert lines == [
        "flowchart TD",
        'n1(["opening: Go."])',
        'n2["anna<br/>a:1b"]',
        'n3["Ben<br/>b:1b"]',
        'n4(["end"])',
        "n1 --> n2",
        "n2 --> n3",
        "n3 --> n4",
    ]


def test_a_condition_is_a_diamond() -> None:
    """What is done where a condition does not hold has its own arrow, and so has what is simply passed over."""
    lines = drawn(turns=[{"do": ["anna"], "when": "turn > 1", "else": ["ben"]}, {"say": "anna", "when": "last"}])
    assert 'n2{"turn #gt; 1"}' in lines
    assert 'n2 -->|"yes"| n3' in lines
    assert 'n2 -->|"no"| n4' in lines
    assert [line for line in lines if line.endswith("--> n5")] == ["n3 --> n5", "n4 --> n5"]
    assert 'n5 -->|"no"| n7' in lines


def test_a_loop_leads_back() -> None:
    """What is repeated is in a frame that says how often, and a dotted arrow leads back to its first step."""
    lines = drawn(turns=[{"repeat": ["anna", "ben"], "times": "{{ rounds }}", "until": "last == 'x'"}])
    assert 'subgraph f1["repeat, rounds times"]' in lines
    assert "n4{\"until last == 'x'\"}" in lines
    assert 'n4 -.->|"no"| n2' in lines
    assert 'n4 -->|"yes"| n5' in lines


def test_branches_part_and_meet() -> None:
    """Branches leave one dot, and all of them lead on to what follows."""
    lines = drawn(turns=[{"parallel": ["anna", "ben"]}, "anna"])
    assert {"n2 --> n3", "n2 --> n4", "n3 --> n5", "n4 --> n5"} <= set(lines)
    assert 'subgraph f1["side by side"]' in lines


def test_a_stop_ends_the_scene_that_declares_it() -> None:
    """A stop inside a scene leads on to what follows the scene; one at the top leads to the end."""
    scene = {"scene": ["anna"], "stop": [{"token": "DONE", "role": "anna"}]}
    lines = drawn(turns=[scene, "ben"], stop=["OVER"])
    inner = next(line for line in lines if "anna says DONE" in line).partition("(")[0]
    outer = next(line for line in lines if "anybody says OVER" in line).partition("(")[0]
    assert f"{inner} --> n4" in lines
    assert {f"n2 -.-> {outer}", f"n4 -.-> {outer}"} <= set(lines)
    assert not any(line.startswith(f"{outer} ") for line in lines)


def test_a_table_shows_who_may_follow_whom() -> None:
    """Of a choice by a table, each pair is an arrow."""
    lines = drawn(turns=[{"choose": {"anna": ["ben"], "ben": []}, "by": "random"}])
    assert 'n3 -.->|"then"| n4' in lines
    assert 'n4 -.->|"then"| n3' not in lines


def test_nothing_follows_an_end() -> None:
    """After an end without a condition there is no way on."""
    lines = drawn(turns=["anna", {"end": "Enough."}])
    assert lines[-1] == "n2 --> n3"
    assert 'n3(["end: Enough."])' in lines


def test_no_text_of_the_pipeline_is_markup() -> None:
    """Quotes, angle brackets and marks of Mermaid's are in the picture as they are written."""
    lines = drawn(turns=["anna"], opening='<b>"x"</b> #quot; `y`')
    assert 'n1(["opening: #lt;b#gt;#quot;x#quot;#lt;/b#gt; #35;quot; #96;y#96;"])' in lines


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.stem)
def test_mermaid_draws_every_pipeline_of_the_gallery(path: Path, tmp_path: Path) -> None:
    """What is printed is Mermaid's language, and every role that speaks is in the picture."""
    done = llm_gc("graph", str(path), cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    svg = str(mmdr.render(done.out).svg())
    assert svg.startswith("<svg")
    assert len(re.findall(r'class="[^"]*\bnode\b', svg)) == len(
        re.findall(r"^ *n\d+[^ ]*[\[({]", done.out, re.MULTILINE)
    )


def test_the_page_of_the_gallery_is_fresh() -> None:
    """pipelines/README.md is what `make docs` would write."""
    assert (ROOT / "pipelines" / "README.md").read_text(encoding="utf-8") == page(ROOT / "pipelines")


def test_a_picture_is_written_once(tmp_path: Path) -> None:
    """--svg writes one file and nothing else; a file that is there is written over with --force alone."""
    done = llm_gc("graph", str(ROOT / "pipelines/m1.yaml"), "--svg", "m1.svg", cwd=tmp_path)
    assert (done.code, done.out, done.err) == (0, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["m1.svg"]
    assert (tmp_path / "m1.svg").read_text(encoding="utf-8").startswith("<svg")
    again = llm_gc("graph", "m1", "--svg", "m1.svg", cwd=tmp_path)
    assert (again.code, "--force" in again.err) == (2, True)
    assert llm_gc("graph", "m1", "--svg", "m1.svg", "--force", cwd=tmp_path).code == 0


def test_wrong_use_is_told(tmp_path: Path) -> None:
    """No file, a file that is not there, and a folder that is not there are each one sentence and exit 2."""
    for words in ((), ("nowhere.yaml",), ("m1", "--svg", "no/such/folder/x.svg")):
        done = llm_gc("graph", *words, cwd=tmp_path)
        assert done.code == 2
        assert done.err.startswith("llm-gc: ")
        assert done.out == ""
