"""Reading test files: what is wrong in one is told at once, each mistake at its word."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llm_gc.errors import PipelineError
from llm_gc.files import locations
from llm_gc.testing.reading import check, read

PIPELINE = """\
name: p
inputs: {task: {type: string}, rounds: {type: integer, default: 1}}
roles: {anna: {model: m}, ben: {model: m}}
opening: "{{ task }}"
turns:
  - {say: anna, as: plan}
  - {repeat: [ben], times: "{{ rounds }}"}
"""


def found(folder: Path, text: str, pipeline: str | None = PIPELINE) -> list[str]:
    """Return everything that is found in a test file, a line each, without the file and the code."""
    if pipeline is not None:
        (folder / "p.yaml").write_text(pipeline, encoding="utf-8")
    path = folder / "p.test.yaml"
    path.write_text(text, encoding="utf-8")
    findings = check(locations.read_yaml(path, "p.test.yaml"), path)
    return [re.sub(r"^p.test.yaml:|error: | \[\w+\]$", "", str(finding)) for finding in findings]


def case(text: str) -> str:
    """Return a file with one case that has these lines besides its name; they begin in line 4."""
    lines = "".join(f"    {line}\n" for line in text.splitlines())
    return f"inputs: {{task: T}}\ncases:\n  - name: c\n{lines}"


def test_a_whole_file_is_clean(tmp_path: Path) -> None:
    """Every key that there is, rightly used."""
    text = """\
description: All keys.
pipeline: p.yaml
inputs: {task: T}
set: {seed: 1}
cases:
  - name: one
    inputs: {rounds: 2}
    set: {limits.on_error: stop}
    replies:
      anna: [{text: A, thinking: hm, tokens: {prompt: 3, completion: 4}, seconds: 2m}]
      ben#1: {error: timeout, message: Slow., seconds: 2.5}
      ben#2: [{data: null, cut: true, tokens: 3}, {text: B, done_reason: stop}]
    expect:
      speakers: [anna, ben]
      asked: [anna, ben]
      turns: 2
      asks:
        - {turn: 1, sent: T, not_sent: [x], system: {equals: null}, messages: [{user: T}], heard: A, failed: false}
        - {role: ben#2, ask: 1, data: null, failed: malformed, offered: [anna]}
      variables: {plan: A}
      result: null
      ended: {status: completed, reason: turns_done, detail: {matches: turn}}
"""
    assert found(tmp_path, text) == []


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("replies: {ana: A}", "4:15: 'ana' is no role. Did you mean 'anna'?"),
        ("replies: {carl#2: A}", "4:15: 'carl' is no role. The roles are anna, ben."),
        ("replies: {anna: []}", "4:21: there is no reply in this list. Leave the role out."),
        ("replies: {anna: 3}", "4:21: 3 was given in 'replies.anna', and a list, text or a map was expected"),
        ("replies: {anna: [{data: 1, text: A}]}", "4:23: a reply has 'data' or 'text', and not both"),
        ("replies: {anna: {data: 1, error: server}}", "4:22: a reply has 'data' or 'error', and not both"),
        ("replies: {anna: {message: no}}", "4:22: 'message' is an error's, and there is no 'error' here"),
        ("replies: {anna: {cut: true, done_reason: x}}", "4:33: a reply that is 'cut' has no other reason to be done"),
        ("expect: {speakers: [anna, bem]}", "4:31: 'bem' is no role. Did you mean 'ben'?"),
        ("expect: {asked: [carl]}", "4:22: 'carl' is no role. The roles are anna, ben."),
        ("expect: {asks: [{role: bn, sent: A}]}", "4:28: 'bn' is no role. Did you mean 'ben'?"),
        ("expect: {asks: [{sent: A}]}", "4:21: an ask is meant by its 'turn' or by its 'role', one of them"),
        ("expect: {asks: [{turn: 1, role: ben, sent: A}]}", "4:21: an ask is meant by its 'turn' or by its 'role'"),
        ("expect: {asks: [{turn: 1, ask: 1, sent: A}]}", "4:31: 'ask' counts the asks of a role"),
        ("expect: {asks: [{turn: 1}]}", "4:21: nothing is expected of this ask. Say for example what is 'sent'."),
        ("expect: {asks: [{turn: 1, messages: [{}]}]}", "4:42: a message is one of 'user' and 'assistant'"),
        ("expect: {asks: [{turn: 1, sent: {}}]}", "4:37: this says nothing. Say for example what it 'contains'."),
        ("expect: {asks: [{turn: 1, sent: {matches: '('}}]}", "4:47: '(' is no regular expression"),
        ("expect: {variables: {plam: A}}", "4:26: nothing in the pipeline sets 'plam'. Did you mean 'plan'?"),
        ("expect: {ended: turnsdone}", "4:21: 'turnsdone' was given in 'expect.ended', and one of turns_done"),
        ("expect: {result: {contains: 3}}", "4:33: this is a map of how a value must be, and it does not fit."),
        ("expect: {result: {matches: '('}}", "4:32: '(' is no regular expression"),
        ("expect: {variables: {plan: {contains: []}}}", "4:43: this is a map of how a value must be"),
        ("expects: {}", "4:5: unknown key 'expects' in 'cases'. Did you mean 'expect'?"),
        ("inputs: {task: 3}", "4:20: the input 'task' does not fit: 3 is not of type string"),
        ("inputs: {taks: x}", "4:14: there is no input 'taks'. Did you mean 'task'?"),
        ("set: {roles.carl.model: x}", "4:10: --set roles.carl.model="),
        ("set: {limits.max_turns: -1}", "4:10: -1 was given"),
    ],
)
def test_each_mistake_is_told_at_its_word(tmp_path: Path, lines: str, message: str) -> None:
    """With line and column, and what was meant where that is near."""
    (line,) = found(tmp_path, case(lines))
    assert line.startswith(message)


def test_all_are_told_at_once(tmp_path: Path) -> None:
    """Of every case; and what is wrong for all cases once."""
    two = case("replies: {ana: A}") + "  - {name: c, replies: {bn: B}}\n"
    assert found(tmp_path, two.replace("task: T", "task: 3")) == [
        "1:16: the input 'task' does not fit: 3 is not of type string",
        "4:15: 'ana' is no role. Did you mean 'anna'?",
        "5:12: the name 'c' is used twice; each case needs its own",
        "5:25: 'bn' is no role. Did you mean 'ben'?",
    ]


def test_an_input_that_is_missing_is_told_of_the_case(tmp_path: Path) -> None:
    """There is no better place for it."""
    assert found(tmp_path, "cases: [{name: c}]") == ["1:16: the input 'task' is missing"]


def test_a_file_that_is_none(tmp_path: Path) -> None:
    """An empty one, and a pipeline."""
    assert found(tmp_path, "") == ["1:1: the file is empty. A test file is a map with cases."]
    assert found(tmp_path, PIPELINE) == [
        "1:1: this is no test file: it has no 'cases'. A test file is a map with cases."
    ]


def test_a_pipeline_that_is_not_there(tmp_path: Path) -> None:
    """Beside the file, or where it says; the file of one that ships does not stand in for it, but its name does."""
    text = "cases: [{name: c}]"
    assert found(tmp_path, text, None) == [
        "1:1: there is no pipeline 'p.yaml' beside this one; name it under 'pipeline'"
    ]
    assert found(tmp_path, f"pipeline: m1.yaml\n{text}", None) == ["1:11: there is no pipeline 'm1.yaml' there"]
    assert found(tmp_path, f"pipeline: ./m1\n{text}", None) == ["1:11: there is no pipeline './m1' there"]
    assert found(tmp_path, f"pipeline: m1\ninputs: {{task: T}}\n{text}", None) == []


def test_a_pipeline_that_cannot_be_loaded(tmp_path: Path) -> None:
    """Is told of in one finding by check, and with everything that is wrong in it by read."""
    text = "inputs: {task: T}\ncases: [{name: c}]"
    (line,) = found(tmp_path, text, PIPELINE.replace("say: anna", "say: ana"))
    assert line.startswith("1:1: the pipeline cannot be loaded: ")
    assert line.endswith("p.yaml:6: 'ana' is no role")
    with pytest.raises(PipelineError) as caught:
        read(tmp_path / "p.test.yaml")
    assert [one.message for one in caught.value.findings if one.severity == "error"] == ["'ana' is no role"]


def test_a_pipeline_may_be_named_and_stand_elsewhere(tmp_path: Path) -> None:
    """Its path is seen from the test file."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "q.yaml").write_text(PIPELINE, encoding="utf-8")
    assert found(tmp_path, "pipeline: deep/q.yaml\ninputs: {task: T}\ncases: [{name: c}]", None) == []


def test_a_cases_own_values_come_last(tmp_path: Path) -> None:
    """Inputs and settings of a case are laid over those of the file."""
    text = "inputs: {task: T, rounds: 2}\nset: {seed: 1, limits.max_turns: 9}\ncases:\n"
    found(tmp_path, text + "  - {name: a}\n  - {name: b, inputs: {rounds: 3}, set: {seed: 2}}\n")
    suite = read(tmp_path / "p.test.yaml")
    first, second = suite.cases.cases
    assert (suite.inputs(first), suite.inputs(second)) == ({"task": "T", "rounds": 2}, {"task": "T", "rounds": 3})
    loaded = [suite.load(one).pipeline for one in (first, second)]
    assert [(one.seed, one.limits.max_turns) for one in loaded] == [(1, 9), (2, 9)]
