"""From a file's name to a pipeline that can be run: what is found, what is read, what is refused, and where."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_gc import project, source
from llm_gc.errors import PipelineError, TemplateError, UsageError

QUICK = settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

HEAD = "name: case\nroles:\n  anna: {model: m}\n"
ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, and the working directory."""
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, content: str | bytes) -> Path:
    """Write a file, and the folders it is in."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refused(name: str) -> list[str]:
    """Return the findings about a file that is refused."""
    with pytest.raises(PipelineError) as caught:
        project.load(name)
    return [str(finding) for finding in caught.value.findings]


def with_prompt(prompt: str) -> list[str]:
    """Return the findings about a pipeline whose role has this prompt."""
    write("p.yaml", f"name: p\nroles: {{anna: {{model: m, prompt: {prompt}}}}}\nturns: [anna]\nopening: Begin.\n")
    return refused("p.yaml")


# --- The file itself


def test_a_pipeline_is_loaded() -> None:
    """With its document, the typed pipeline, and the texts that it names."""
    write("prompts/a.j2", "Hello, {{ task }}.\r\n{% include 'b.j2' %}")
    write("prompts/b.j2", b"\xef\xbb\xbfBe\rshort.")
    write(
        "p.yaml",
        "name: p\ninputs: {task: {}}\nroles: {anna: {model: m, prompt: a.j2}}\nturns: [anna]\nopening: Begin.\n",
    )
    loaded = project.load("p.yaml")
    assert (loaded.file, loaded.pipeline.name, loaded.folder) == ("p.yaml", "p", Path.cwd() / "prompts")
    assert dict(loaded.prompts) == {"a.j2": "Hello, {{ task }}.\n{% include 'b.j2' %}", "b.j2": "Be\nshort."}
    assert loaded.warnings == ()


def test_warnings_do_not_stop_it() -> None:
    """They come with what was loaded."""
    write("p.yaml", "name: p\nroles: {anna: {model: m, options: {mirostat: 1}}}\nturns: [anna]\nopening: Begin.\n")
    assert [finding.severity for finding in project.load("p.yaml").warnings] == ["warning"]


@pytest.mark.parametrize("name", ["nowhere.yaml", "no/folder.yaml", "\0", "x" * 5000])
def test_a_file_that_is_not_there(name: str) -> None:
    """Is answered with what ships, or with what the system says of such a name."""
    with pytest.raises(UsageError, match=r"there is no pipeline|cannot be read"):
        project.load(name)


def test_a_pipeline_that_ships() -> None:
    """Is found by its name, and by the path that it has here."""
    for name in ("m1", "m1.yaml", "pipelines/m1.yaml"):
        loaded = project.load(name)
        assert (loaded.pipeline.name, loaded.file) == ("m1", "pipelines/m1.yaml")


def test_a_file_here_comes_first() -> None:
    """Before one of the same name that ships."""
    write("m1.yaml", HEAD + "turns: [anna]\nopening: Begin.\n")
    assert project.load("m1.yaml").pipeline.name == "case"


@pytest.mark.parametrize("name", [".", "sub", ""])
def test_a_folder_is_no_file(name: str) -> None:
    """One in it is offered."""
    write("sub/a.yaml", "")
    with pytest.raises(UsageError, match=r"is a folder, and a pipeline file was expected"):
        project.load(name)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_that_may_not_be_read() -> None:
    """Says why."""
    write("p.yaml", "").chmod(0)
    with pytest.raises(UsageError, match=r"p\.yaml cannot be read: "):
        project.load("p.yaml")


def test_a_huge_file() -> None:
    """Is not read to its end."""
    write("p.yaml", b"#" * (source.MAX_BYTES + 1))
    with pytest.raises(UsageError, match=r"p\.yaml is larger than 4096 KiB; a pipeline is a short text"):
        project.load("p.yaml")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such device")
def test_a_file_without_an_end() -> None:
    """Nor is what says that it has no size."""
    with pytest.raises(UsageError, match="is larger than"):
        project.load("/dev/zero")


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (b"name: caf\xe9\n", "1:10: error: the byte 0xE9 is no text in UTF-8. Save the file as UTF-8."),
        (b"a: \xc3\xa9\nb: \xc3\xa9\xff\n", "2:5: error: the byte 0xFF is no text in UTF-8. Save the file as UTF-8."),
        (b"\xef\xbb\xbfa\xff", "1:2: error: the byte 0xFF is no text in UTF-8. Save the file as UTF-8."),
        ("name: p".encode("utf-16"), "1:1: error: the byte 0xFF is no text in UTF-8. Save the file as UTF-8."),
        (
            b"turns: [a]\nname: x\0\nopening: x\nroles: {a: {model: m}}",
            "2:8: error: the character U+0000 is not allowed here; remove it",
        ),
    ],
)
def test_bytes_that_are_no_text(content: bytes, finding: str) -> None:
    """At the place of the first of them."""
    write("p.yaml", content)
    assert refused("p.yaml") == [f"p.yaml:{finding} [yaml]"]


@QUICK
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    """Nothing but a refusal is ever raised."""
    write("p.yaml", content)
    with contextlib.suppress(PipelineError, UsageError):
        project.load("p.yaml")


VALUES: st.SearchStrategy[Any] = st.sampled_from([
    "x", "anna", "{{ x }}", "{{ x", "{% if %}", "a.j2", "../a.j2", "\0.j2", 3, -1, True, None, [], {}, ["anna"],
    [["anna"]], {"say": "anna"}, {"say": "{{ x }}"}, {"type": "object"}, {"type": 3}, {"$ref": "#"}, "x.json",
    {"$ref": "#/a/0/~2/%"}, "file.yaml", ".", "/", {"properties": []}, {"properties": {"a": None}}, {"enum": 3},
    {"default": "x", "type": "integer"}, {"pattern": "("}, {"temperature": 1}, {"stop": 3}, {"anna": ["x"]},
    {"token": "(", "match": "regex"}, {"when": "("}, {"say": "anna", "when": 3}, {"repeat": [{"repeat": []}]},
    10**200, 1e300, "𝔘", "a\nb",
])  # fmt: skip
KEYS = ["name", "roles", "turns", "inputs", "opening", "stop", "limits", "result", "seed", "defaults", "extends"]
INNER = ["anna", "model", "prompt", "sees", "format", "options", "max_turns", "timeout", "say", "with", "scene", "by"]


@QUICK
@given(
    st.dictionaries(
        st.sampled_from(KEYS),
        VALUES
        | st.lists(VALUES, max_size=2)
        | st.dictionaries(
            st.sampled_from(INNER), VALUES | st.dictionaries(st.sampled_from(INNER), VALUES, max_size=3), max_size=2
        ),
    )
)
def test_any_document_is_read_or_refused(document: dict[str, Any]) -> None:
    """Whatever is under the keys of a pipeline, no rule falls over it."""
    import json

    base = {"name": "p", "roles": {"anna": {"model": "m"}}, "turns": ["anna"]}
    write("p.yaml", json.dumps(base | document, ensure_ascii=True).replace("\\ud835\\udd18", "𝔘"))
    with contextlib.suppress(PipelineError, UsageError):
        project.load("p.yaml")


# --- Prompts


def test_the_nearest_prompts_folder() -> None:
    """From the pipeline's own folder upwards."""
    write("prompts/a.j2", "far")
    write("sub/prompts/a.j2", "near")
    for name in ("p.yaml", "sub/p.yaml", "sub/sub/p.yaml"):
        write(name, "name: p\nroles: {anna: {model: m, prompt: a.j2}}\nturns: [anna]\nopening: Begin.\n")
    found = [dict(project.load(name).prompts) for name in ("p.yaml", "sub/p.yaml", "sub/sub/p.yaml")]
    assert found == [{"a.j2": "far"}, {"a.j2": "near"}, {"a.j2": "near"}]


@pytest.mark.parametrize("mark", ["pyproject.toml", ".git"])
def test_no_further_than_the_projects_root(mark: str) -> None:
    """What lies above a project is none of its business."""
    write("prompts/a.j2", "far")
    write(f"sub/{mark}", "")
    write("sub/sub/p.yaml", "name: p\nroles: {anna: {model: m, prompt: a.j2}}\nturns: [anna]\nopening: Begin.\n")
    (finding,) = refused("sub/sub/p.yaml")
    assert finding.startswith("sub/sub/p.yaml:2:34: error: there is no folder prompts/ beside the pipeline or above it")


@pytest.mark.parametrize("name", ["../a.j2", "x/../../a.j2", "/etc/a.j2", "'x\\a.j2'", '"a\\0.j2"', "'..\\a.j2'"])
def test_names_that_lead_out(name: str) -> None:
    """Are refused without a look at what is there."""
    write("prompts/b.j2", "")
    write("a.j2", "secret")
    (finding,) = with_prompt(name)
    assert "leads out of prompts/; a template lives under it and nowhere else" in finding


@pytest.mark.skipif(sys.platform == "win32", reason="links take rights there")
def test_links_that_lead_out() -> None:
    """A link is followed only within the folder."""
    write("secret.j2", "secret")
    write("prompts/real.j2", "fine")
    Path("prompts/link.j2").symlink_to(Path.cwd() / "secret.j2")
    Path("prompts/folder").symlink_to(Path.cwd())
    Path("prompts/inside.j2").symlink_to("real.j2")
    assert "is a link that leads out of prompts/" in with_prompt("link.j2")[0]
    assert "is a link that leads out of prompts/" in with_prompt("folder/secret.j2")[0]
    write("p.yaml", "name: p\nroles: {anna: {model: m, prompt: inside.j2}}\nturns: [anna]\nopening: Begin.\n")
    assert dict(project.load("p.yaml").prompts) == {"inside.j2": "fine"}


@pytest.mark.skipif(sys.platform == "win32", reason="links take rights there")
def test_links_that_lead_nowhere() -> None:
    """To themselves, or to what is gone."""
    write("prompts/x", "")
    Path("prompts/self.j2").symlink_to("self.j2")
    Path("prompts/gone.j2").symlink_to("nothing.j2")
    assert "self.j2" in with_prompt("self.j2")[0]
    assert "there is no file 'gone.j2' under prompts/" in with_prompt("gone.j2")[0]


def test_prompts_that_are_no_files() -> None:
    """A folder, a name too long, a file too large, bytes that are no text."""
    write("prompts/folder.j2/x", "")
    write("prompts/big.j2", b"x" * (1024 * 1024 + 1))
    write("prompts/latin.j2", b"caf\xe9")
    assert "'folder.j2' is a folder, and a file was expected" in with_prompt("folder.j2")[0]
    assert "cannot be read" in with_prompt("x" * 300 + ".j2")[0]
    assert "'big.j2' is larger than 1024 KiB" in with_prompt("big.j2")[0]
    assert "'latin.j2' is not text in UTF-8" in with_prompt("latin.j2")[0]


def test_a_near_name_is_offered() -> None:
    """Of the files that are there."""
    write("prompts/sub/reviewer.j2", "")
    assert "Did you mean 'sub/reviewer.j2'?" in with_prompt("sub/revewer.j2")[0]


# --- Where things are


def test_a_mistake_in_the_defaults_is_told_there() -> None:
    """Once, and not of every role that takes them over."""
    document = (
        "defaults: {model: m, prompt: '{{ nope }}'}\nroles: {anna: {}, ben: {}}\nturns: [anna, ben]\nopening: Go.\n"
    )
    write("p.yaml", f"name: p\n{document}")
    names = "The names here are last, messages, role, roles, said, turn."
    assert refused("p.yaml") == [f"p.yaml:2:34: error: 'nope' is not declared anywhere. {names} [unknown-name]"]


def test_a_mistake_in_an_extended_file_is_told_there() -> None:
    """In that file, at its line."""
    write("base.yaml", "roles:\n  anna: {model: m}\nopening: |\n  Hello\n  {{ nope }}\n")
    write("p.yaml", "extends: base.yaml\nname: p\nturns: [anna]\n")
    assert [finding.partition(" error")[0] for finding in refused("p.yaml")] == ["base.yaml:5:6:"]


def test_two_scenes_of_one_broken_file() -> None:
    """It is told what is wrong in the file, and not that it plays itself."""
    write("inner.yaml", HEAD + "turns: [bob]\n")
    write("p.yaml", HEAD + "turns: [{scene: inner.yaml}, {scene: inner.yaml}, anna]\n")
    assert refused("p.yaml") == ["inner.yaml:4:9: error: 'bob' is no role. The roles are anna. [unknown-role]"]


def test_a_failure_at_run_time_is_located() -> None:
    """In the document, also inside a block; in a prompt file, at its line."""
    write("p.yaml", HEAD + "turns:\n  - say: anna\n    instruction: |\n      one\n        {{ last.content[99] }}\n")
    loaded = project.load("p.yaml")
    error = TemplateError("it fails", line=2, path=("turns", 0, "instruction"))
    assert str(loaded.locate(error)) == "p.yaml:8:9: error: it fails [template]"
    error = TemplateError("it fails", line=2, column=4, path=("turns", 0, "instruction"))
    assert str(loaded.locate(error)) == "p.yaml:8:10: error: it fails [template]"
    error = TemplateError("it fails", path=("turns", 0, "say"))
    assert str(loaded.locate(error)) == "p.yaml:5:10: error: it fails [template]"


def test_a_failure_in_a_prompt_file_is_located() -> None:
    """At the first word of its line."""
    write("prompts/a.j2", "one\n  {{ last.content[99] }}\n")
    write("p.yaml", "name: p\nroles: {anna: {model: m, prompt: a.j2}}\nturns: [anna]\nopening: Begin.\n")
    located = project.load("p.yaml").locate(TemplateError("it fails", "a.j2", 2, ("roles", "anna", "prompt")))
    assert str(located) == f"{Path('prompts')}/a.j2:2:3: error: it fails [template]"


def test_findings_come_in_order() -> None:
    """By file and place, whatever found them."""
    write("p.yaml", HEAD + "turns:\n  - {say: ben, when: nope, instruction: '{{ }}'}\nstop: [{}]\nopening: '{{ x }}'\n")
    with pytest.raises(PipelineError) as caught:
        project.load("p.yaml")
    places = [(finding.line, finding.column) for finding in caught.value.findings]
    assert places == sorted(places)
    assert len(places) == 5
