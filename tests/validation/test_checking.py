"""Files and folders to one report: what is told, of which file, once, in order, and all in one pass."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from pathlib import Path

import pytest

from llm_gc.errors import Finding
from llm_gc.project import Library, PipelineReading
from llm_gc.project.reading import ExaminedPipeline
from llm_gc.source import Source
from llm_gc.validation import checking, discovery, validate

HEAD = "name: case\nroles: {anna: {model: m}}\nopening: Hello.\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, and the working directory."""
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(**files: str) -> None:
    """Write files, by names in which two underscores stand for a slash."""
    for name, text in files.items():
        path = Path(name.replace("__", "/") + (".j2" if name.startswith("prompts") else ".yaml"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def told(*names: str) -> list[str]:
    """Return every finding as file, line, column and code."""
    return [f"{one.file}:{one.line}:{one.column} {one.code}" for one in validate(names or ["."]).findings]


TWELVE = """\
name: a dozen
inputs:
  task: string
roles:
  anna: {model: m, prompt: anna.j2, temperature: hot}
  ben:
    model: m
    promt: Be brief.
    format: {approved: boolean}
    options: {top_k: many}
  carl: {model: m, prompt: "{{ task | uper }}", format: gone.json}
turns:
  - say: bne
  - {say: ben, when: "{{ turn > 2 }}"}
  - sya: ben
  - {scene: gone.yaml}
  - {say: carl, instruction: @all}
limits: {timeout: 30}
stop: [{token: "(", match: regex}]
opening: "{{ tsk }}"
"""


def test_a_document_with_many_mistakes() -> None:
    """Of every kind, one in each line: each is told in the one pass, at its place, and nothing else is."""
    write(twelve=TWELVE, prompts__anna="Look at {{ tsak }}.\n{% include 'gone.j2' %}\n")
    assert told("twelve.yaml") == [
        "prompts/anna.j2:1:12 unknown-name",
        "prompts/anna.j2:2:13 unreadable-template",
        "twelve.yaml:1:7 shape",
        "twelve.yaml:3:9 shape",
        "twelve.yaml:5:50 shape",
        "twelve.yaml:8:5 shape",
        "twelve.yaml:9:24 bad-format",
        "twelve.yaml:10:22 bad-option",
        "twelve.yaml:11:39 unreadable-template",
        "twelve.yaml:11:57 missing-file",
        "twelve.yaml:13:10 unknown-role",
        "twelve.yaml:14:23 unreadable-template",
        "twelve.yaml:15:5 shape",
        "twelve.yaml:16:13 missing-file",
        "twelve.yaml:17:30 yaml",
        "twelve.yaml:18:19 shape",
        "twelve.yaml:19:16 bad-stop",
        "twelve.yaml:20:14 unknown-name",
    ]


def test_twelve_mistakes_of_independent_kinds() -> None:
    """As many findings as mistakes, with no consequence of one among them, also where an extended file is gone."""
    text = TWELVE.replace("  - {say: carl, instruction: @all}\n", "").replace("name: a dozen", "extends: gone.yaml")
    write(twelve=text, prompts__anna="Hello.")
    found = told("twelve.yaml")
    assert "twelve.yaml:1:10 missing-file" in found
    assert "twelve.yaml:13:10 unknown-role" not in found  # the file that is gone may declare the role
    assert len(found) == 13


def test_a_file_that_is_gone_does_not_end_it_for_the_others() -> None:
    """Nor does one that is no YAML, or is no pipeline."""
    write(a="name: [", b="just: text", c=HEAD + "turns: [bob]\n", d=HEAD + "turns: [anna]\n")
    report = validate(["gone.yaml", "a.yaml", "b.yaml", "c.yaml", "d.yaml"])
    assert [f"{one.file} {one.code}" for one in report.findings] == [
        "a.yaml yaml",
        "b.yaml shape",
        "c.yaml unknown-role",
    ]
    assert (report.checked, report.wrong) == (4, ("there is no pipeline gone.yaml",))


def test_what_several_files_share_is_told_once() -> None:
    """At its own place: an extended file, a scene's file, a prompt."""
    base = "roles:\n  anna: {model: m, prompt: a.j2}\n  ben: {model: m, temperature: hot}\nopening: Go.\n"
    write(lib__base=base + "turns: [anna]\n", prompts__a="{{ nope }}")
    for name in ("one", "two"):
        write(**{name: f"extends: lib/base.yaml\nname: {name}\nturns: [anna, {{scene: lib/inner.yaml}}]\n"})
    write(lib__inner=HEAD + "turns: [bob]\n")
    wanted = ["lib/base.yaml:3:32 shape", "lib/inner.yaml:4:9 unknown-role", "prompts/a.j2:1:4 unknown-name"]
    assert told("one.yaml", "two.yaml") == wanted


def test_yaml_faults_of_an_extended_file_are_told_there() -> None:
    """Beside what is wrong in the file that extends it."""
    write(base="roles:\n  anna: {model: m}\n  anna: {model: n}\nlimits: {timeout: @}\n")
    write(child="extends: base.yaml\nname: child\nturns: [anna, bob]\nseed: -1\n")
    assert told("child.yaml") == [
        "base.yaml:3:3 yaml",
        "base.yaml:4:19 yaml",
        "child.yaml:3:15 unknown-role",
        "child.yaml:4:7 shape",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "turns: []",
        "extends: other.yaml",
        "name: x\nroles: {}",
        "{name: x, turns: [a]}",
        "# yaml-language-server: $schema=../schemas/pipeline.schema.json\nnothing: here",
        "turns: [\n",
    ],
)
def test_what_is_taken_for_a_pipeline(text: str) -> None:
    """In a folder, by the keys that it has, also where it is broken."""
    write(p=text)
    assert validate(["."]).checked == 1


@pytest.mark.parametrize("text", ["", "a: 1", "- hosts: all\n  roles: [x]", "name: x\nservices: {}", "roles: [admin]"])
def test_what_is_not(text: str) -> None:
    """It is named, and a folder with nothing else in it is wrong use."""
    write(p=text)
    report = validate(["."])
    assert (report.checked, report.passed_over) == (0, ("p.yaml",))
    assert report.wrong == ("there is no pipeline and no test in the folder .",)


def test_a_named_file_is_checked_whatever_it_is() -> None:
    """Who names it means it."""
    write(p="a: 1")
    assert told("p.yaml") == ["p.yaml:1:1 shape"]


def test_findings_have_ends() -> None:
    """Of a word, of a value, of the last value of a block."""
    write(
        p=HEAD
        + "turns: [anna, bob]\nlimits:\n  max_turns: -10\nstop:\n  - role: anna\n\n# the end\nresult: 'xx {{ nope }}'\n"
    )
    found = [(one.line, one.column, one.end_line, one.end_column) for one in validate(["p.yaml"]).findings]
    assert found == [(4, 15, 4, 18), (6, 14, 6, 17), (8, 5, 8, 15), (11, 16, 11, 20)]


def test_test_files_are_checked_as_such() -> None:
    """In a folder and by name, against their pipeline; their faults in YAML too."""
    write(p=HEAD + "turns: [anna]\n")
    cases = "cases:\n  - name: It speaks.\n    replies: {anna: [Hello.]}\n"
    Path("p.test.yaml").write_text(cases, encoding="utf-8")
    assert (told(), validate(["."]).checked) == ([], 2)
    Path("p.test.yaml").write_text(cases + "    expect: {trns: 1}\n", encoding="utf-8")
    assert told() == told("p.test.yaml") == ["p.test.yaml:4:14 shape"]
    Path("p.test.yaml").write_text(cases.replace("anna", "bob"), encoding="utf-8")
    assert [line.split()[0] for line in told()] == ["p.test.yaml:3:15"]
    Path("p.test.yaml").write_text("cases: @\n", encoding="utf-8")
    assert told() == ["p.test.yaml:1:8 yaml"]


def test_files_that_lie_too_deep_in_one_another() -> None:
    """As scenes or by what they extend: it is told where it is too much, and is no circle."""
    last = HEAD + "turns: [anna]\n"
    for number in range(300):
        write(**{f"scene{number}": HEAD + f"turns: [anna, {{scene: scene{number + 1}.yaml}}]\n"})
        write(**{f"layer{number}": f"extends: layer{number + 1}.yaml\n"})
    write(scene300=last, layer300=last)
    assert [(one.file, one.code, one.message) for one in validate(["scene0.yaml", "layer0.yaml"]).findings] == [
        ("layer15.yaml", "extends-cycle", "at most 16 files extend one another"),
        (
            "scene15.yaml",
            "scene-cycle",
            "scenes play scenes in at most 16 files, and scene16.yaml is one too many",
        ),
    ]
    assert told("scene285.yaml") == []


def test_a_circle_of_scenes() -> None:
    """Is told of every file on it, with the way round."""
    write(one=HEAD + "turns: [anna, {scene: two.yaml}]\n", two=HEAD + "turns: [anna, {scene: one.yaml}]\n")
    assert [(one.file, one.message) for one in validate(["."]).findings] == [
        ("one.yaml", "this goes in a circle: two.yaml plays one.yaml plays two.yaml"),
        ("two.yaml", "this goes in a circle: one.yaml plays two.yaml plays one.yaml"),
    ]


def test_a_scene_that_many_play_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else files that each play two others would take twice as long with each further one."""
    examine, seen = PipelineReading.examine, list[str]()

    def noted(self: PipelineReading, source: Source) -> ExaminedPipeline:
        seen.append(source.file)
        return examine(self, source)

    for number in range(12):
        both = f"turns: [anna, {{scene: a{number + 1}.yaml}}, {{scene: b{number + 1}.yaml}}]\n"
        write(**{f"{kind}{number}": HEAD + (both if number < 11 else "turns: [anna]\n") for kind in "ab"})
    monkeypatch.setattr(PipelineReading, "examine", noted)
    assert validate(["a0.yaml"]).findings == ()
    assert len(seen) == len(set(seen)) == 23


def test_garbage_is_looked_for_between_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mostly among what is new, now and then in everything, and never in the middle of a document; then as before."""
    collect, collected = gc.collect, list[int]()

    def noted(generation: int = 2) -> int:
        assert not gc.isenabled()
        collected.append(generation)
        return collect(generation)

    write(**{f"case{number:03}": HEAD + "turns: [anna]\n" for number in range(2 * checking.THOROUGH)})
    monkeypatch.setattr(gc, "collect", noted)
    was_enabled = gc.isenabled()
    assert validate(["."]).findings == ()
    often = checking.THOROUGH // checking.BETWEEN
    assert collected == [*[0] * (often - 1), 2] * 2
    assert gc.isenabled() == was_enabled


@pytest.mark.parametrize("count", [1, checking.BETWEEN])
def test_what_a_call_leaves_behind_is_young(count: int) -> None:
    """Python looks for garbage mostly among what is young: a program that calls often would else only grow."""
    write(**{f"case{number}": TWELVE for number in range(count)})
    assert len(validate(["."]).findings) > count
    gc.collect()
    for _ in range(5):
        validate(["."])
    gc.collect(1)
    assert gc.collect() < 50


def test_a_document_is_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many no more are held than are between two looks for garbage."""
    check, read, held = discovery.check, list[weakref.ref[Source]](), list[int]()

    def noted(library: Library, document: discovery.CheckedDocument, content: bytes) -> Sequence[Finding]:
        findings = check(library, document, content)
        source = library.source(document.file)
        assert source is not None
        read.append(weakref.ref(source))
        held.append(sum(one() is not None for one in read))
        return findings

    write(**{f"case{number:02}": HEAD + "turns: [anna]\n" for number in range(30)})
    monkeypatch.setattr(checking, "check", noted)
    assert validate(["."]).findings == ()
    assert len(held) == 30
    assert max(held) <= checking.BETWEEN + 1
