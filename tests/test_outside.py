"""A repository whose pipeline reaches for what is outside of it: nothing is read, whatever command is given."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llm_gc import project
from llm_gc.errors import PipelineError, UsageError
from llm_gc.testing import reading, selection
from llm_gc.testing.playing import CaseRun
from llm_gc.validation import validate
from tests.commands import llm_gc
from tests.standin import StandIn

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links take rights there")

SECRET = "top-secret-word"
INNER = f"name: inner\nroles: {{anna: {{model: m, prompt: {SECRET}}}}}\nturns: [anna]\nopening: {SECRET}\n"

NAMED = {
    "prompt": ("roles: {{anna: {{model: m, prompt: {}}}}}\nturns: [anna]\n", "leak.j2", SECRET),
    "instruction": ("roles: {{anna: {{model: m}}}}\nturns: [{{say: anna, instruction: {}}}]\n", "leak.j2", SECRET),
    "include": (
        "roles: {{anna: {{model: m, prompt: \"{{% include '{}' %}}\"}}}}\nturns: [anna]\n",
        "leak.j2",
        SECRET,
    ),
    "extends": ("extends: {}\nroles: {{anna: {{model: m}}}}\nturns: [anna]\n", "leak.yaml", INNER),
    "scene": ("roles: {{anna: {{model: m}}}}\nturns: [{{scene: {}}}, anna]\n", "leak.yaml", INNER),
    "format": (
        "roles: {{anna: {{model: m, format: {}}}}}\nturns: [anna]\n",
        "leak.json",
        f'{{"type": "object", "title": "{SECRET}"}}',
    ),
}
"""What names a file: the pipeline's text, the file's name, and what is in it."""


def _name(home: Path, secret: Path) -> str:
    return os.path.relpath(secret, home)


def _absolute(_home: Path, secret: Path) -> str:
    return str(secret)


def _link(home: Path, secret: Path) -> str:
    (home / secret.name).symlink_to(secret)
    return secret.name


def _relative_link(home: Path, secret: Path) -> str:
    (home / secret.name).symlink_to(os.path.relpath(secret, home))
    return secret.name


def _folder_link(home: Path, secret: Path) -> str:
    (home / "sub").symlink_to(secret.parent)
    return f"sub/{secret.name}"


def _root_link(home: Path, secret: Path) -> str:
    (home / "slash").symlink_to("/")
    return f"slash{secret}"


def _pipe(home: Path, secret: Path) -> str:
    os.mkfifo(home / secret.name)
    return secret.name


def _linked_pipe(home: Path, secret: Path) -> str:
    secret.unlink()
    os.mkfifo(secret)
    return _link(home, secret)


def _device(home: Path, secret: Path) -> str:
    (home / secret.name).symlink_to("/dev/zero")
    return secret.name


def _process(home: Path, secret: Path) -> str:
    (home / secret.name).symlink_to("/proc/self/environ")
    return secret.name


WAYS = [_name, _absolute, _link, _relative_link, _folder_link, _root_link, _pipe, _linked_pipe, _device, _process]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository beside a folder of secrets, and the working directory."""
    folder = tmp_path / "repository"
    for name in ("pipelines", "prompts", ".git"):
        (folder / name).mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    monkeypatch.chdir(folder)
    return folder


def write(repository: Path, kind: str, way: Callable[[Path, Path], str]) -> Path:
    """Write a pipeline that names a file of this kind in this way."""
    text, name, content = NAMED[kind]
    secret = repository.parent / "outside" / name
    secret.write_text(content)
    home = repository / ("prompts" if name.endswith(".j2") else "pipelines")
    path = repository / "pipelines" / "p.yaml"
    path.write_text("name: p\nopening: Begin.\n" + text.format(way(home, secret)))
    return path


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", NAMED)
def test_nothing_outside_is_read(repository: Path, kind: str, way: Callable[[Path, Path], str]) -> None:
    """By no name and by no link; the finding names the file, and nothing of what is in it is told."""
    path = write(repository, kind, way)
    with pytest.raises(PipelineError) as caught:
        project.load(str(path))
    found = [one for one in caught.value.findings if one.code in ("missing-file", "unreadable-template")]
    assert found
    assert "leak" in found[0].message
    assert SECRET not in str(caught.value)
    report = validate(["pipelines"])
    assert any(one.message == found[0].message for one in report.findings)


@pytest.mark.parametrize("kind", NAMED)
def test_a_file_of_the_project_is_read(repository: Path, kind: str) -> None:
    """The same files within the project, also by links, are as good as any."""
    text, name, content = NAMED[kind]
    home = repository / ("prompts" if name.endswith(".j2") else "pipelines")
    (home / "real").mkdir()
    (home / "real" / name).write_text(content)
    (home / name).symlink_to(f"real/{name}")
    path = repository / "pipelines" / "p.yaml"
    path.write_text("name: p\nopening: Begin.\n" + text.format(name))
    assert project.load(str(path)).pipeline.name == "p"
    path.write_text("name: p\nopening: Begin.\n" + text.format(f"real/{name}"))
    assert project.load(str(path)).pipeline.name == "p"


def test_what_an_inner_file_names_is_held_to_the_same_root(repository: Path) -> None:
    """A file of the project names one outside of it no better than the first one does."""
    (repository.parent / "outside" / "leak.yaml").write_text(INNER)
    inner = repository / "pipelines" / "sub"
    inner.mkdir()
    (inner / "inner.yaml").write_text("extends: ../../../outside/leak.yaml\nname: inner\n")
    for text in ("extends: sub/inner.yaml\nname: p\n", "name: p\nroles: {}\nturns: [{scene: sub/inner.yaml}]\n"):
        path = repository / "pipelines" / "p.yaml"
        path.write_text(text)
        with pytest.raises(PipelineError, match=r"leak\.yaml' leads out of the project"):
            project.load(str(path))


def test_a_default_that_looks_like_a_file(repository: Path) -> None:
    """``@file`` reads a file for who types it; in a pipeline it is a text like any other."""
    path = repository / "pipelines" / "p.yaml"
    path.write_text(
        'name: p\ninputs: {task: {type: string, default: "@/etc/passwd"}}\nroles: {anna: {model: m}}\nturns: [anna]\n'
        'opening: "{{ task }}"\n'
    )
    planned = llm_gc("plan", str(path), "--requests", cwd=repository)
    assert planned.code == 0
    assert "@/etc/passwd" in planned.out
    assert "root:" not in planned.out


# --- The folders themselves


@pytest.mark.parametrize("target", ["/", "..", "../outside"])
def test_a_folder_of_prompts_that_is_a_link(repository: Path, target: str) -> None:
    """One that leads out of the project holds no prompts, and is not looked through for names."""
    (repository.parent / "outside" / "leak.j2").write_text(SECRET)
    (repository / "prompts").rmdir()
    (repository / "prompts").symlink_to(target)
    path = repository / "pipelines" / "p.yaml"
    for name in ("leak.j2", "etc/passwd.j2", "outside/leak.j2"):
        path.write_text(f"name: p\nroles: {{anna: {{model: m, prompt: {name}}}}}\nturns: [anna]\nopening: Begin.\n")
        (found,) = validate(["pipelines"]).findings
        assert found.message.startswith("prompts/ is a link that leads out of the project, ")
        assert "copy the prompts into it" in found.message


def test_a_folder_of_prompts_that_is_a_link_within(repository: Path) -> None:
    """It is the folder that it leads to; what leads out of that is refused as ever."""
    (repository / "prompts").rmdir()
    (repository / "shared" / "prompts").mkdir(parents=True)
    (repository / "shared" / "prompts" / "a.j2").write_text("Hello.")
    (repository / "prompts").symlink_to("shared/prompts")
    path = repository / "pipelines" / "p.yaml"
    text = "name: p\nroles: {{anna: {{model: m, prompt: {}}}}}\nturns: [anna]\nopening: Begin.\n"
    path.write_text(text.format("a.j2"))
    assert dict(project.load(str(path)).prompts) == {"a.j2": "Hello."}
    (repository / "shared" / "prompts" / "b.j2").symlink_to("../../shared/prompts/../c.j2")
    (repository / "shared" / "c.j2").write_text(SECRET)
    path.write_text(text.format("b.j2"))
    with pytest.raises(PipelineError, match="is a link that leads out of prompts/"):
        project.load(str(path))


@pytest.mark.parametrize("target", ["/", "..", "../outside"])
def test_a_folder_of_pipelines_that_is_a_link(repository: Path, target: str) -> None:
    """Neither is it walked through."""
    (repository.parent / "outside" / "leak.yaml").write_text(INNER)
    (repository.parent / "outside" / "leak.test.yaml").write_text("cases: []")
    (repository / "pipelines").rmdir()
    (repository / "pipelines").symlink_to(target)
    report = validate(["pipelines"])
    assert (report.checked, report.findings) == (0, ())
    (wrong,) = report.wrong
    assert wrong.startswith("pipelines is a link that leads out of the project, to ")
    with pytest.raises(UsageError, match="pipelines is a link that leads out of the project, to "):
        selection.find(("pipelines",))


@pytest.mark.parametrize("name", ["leak.yaml", "leak.test.yaml"])
@pytest.mark.parametrize("way", [_link, _relative_link, _pipe, _linked_pipe, _device, _process])
def test_a_file_that_is_found_in_a_folder(repository: Path, name: str, way: Callable[[Path, Path], str]) -> None:
    """Nobody has named it: it has to be a file of the project."""
    secret = repository.parent / "outside" / name
    secret.write_text(INNER)
    way(repository / "pipelines", secret)
    (repository / "pipelines" / "p.yaml").write_text(INNER.replace(SECRET, "fine"))
    report = validate(["pipelines"])
    assert report.checked == 1
    (wrong,) = report.wrong
    assert wrong.startswith(f"pipelines/{name} is a")
    if name.endswith(".test.yaml"):
        (tested,) = CaseRun(selection.find(("pipelines",))).go()
        assert str(tested.broken).startswith(f"pipelines/{name} is a")


def test_a_pipe_beside_a_pipeline(repository: Path) -> None:
    """Whoever looks for prompts that nobody names looks into all that is there, and waits for nobody."""
    (repository / "prompts" / "p").mkdir()
    (repository / "prompts" / "p" / "spare.j2").touch()
    os.mkfifo(repository / "prompts" / "pipe.j2")
    os.mkfifo(repository / "pipelines" / "pipe.yaml")
    path = repository / "pipelines" / "p.yaml"
    path.write_text("name: p\nroles: {anna: {model: m, prompt: Hi.}}\nturns: [anna]\nopening: Begin.\n")
    assert [one.code for one in validate([str(path)]).findings] == ["unused-prompt"]


# --- What a user names


@pytest.mark.parametrize("way", [_name, _absolute, _link, _folder_link, _root_link])
def test_a_user_may_name_any_file(repository: Path, way: Callable[[Path, Path], str]) -> None:
    """By any name and any link; the project is then the one in which the file really is."""
    outside = repository.parent / "outside"
    (outside / "prompts").mkdir()
    (outside / "prompts" / "a.j2").write_text("Hello.")
    secret = outside / "p.yaml"
    secret.write_text("name: p\nroles: {anna: {model: m, prompt: a.j2}}\nturns: [anna]\nopening: Begin.\n")
    name = way(repository, secret)
    assert dict(project.load(name).prompts) == {"a.j2": "Hello."}
    assert validate([name]).findings == ()
    assert validate([name]).wrong == ()


def test_a_user_may_name_any_test(repository: Path) -> None:
    """The same holds for a test file: its pipeline is the one beside it."""
    outside = repository.parent / "outside"
    (outside / "p.yaml").write_text(INNER)
    (outside / "p.test.yaml").write_text(f"cases: [{{name: c, expect: {{opening: {SECRET}}}}}]\n")
    (repository / "x.test.yaml").symlink_to(outside / "p.test.yaml")
    (found,) = selection.find(("x.test.yaml",))
    assert found == outside / "p.test.yaml"


def test_a_user_may_name_a_pipe(repository: Path) -> None:
    """It is read; what it names is looked for in the working directory."""
    (repository / "prompts" / "a.j2").write_text("Hello.")
    there, here = os.pipe()
    os.write(here, b"name: p\nroles: {anna: {model: m, prompt: a.j2}}\nturns: [anna]\nopening: Begin.\n")
    os.close(here)
    assert dict(project.load(f"/dev/fd/{there}").prompts) == {"a.j2": "Hello."}
    os.close(there)


@pytest.mark.parametrize("way", [_name, _absolute, _link, _folder_link, _root_link, _pipe])
def test_a_test_file_names_no_pipeline_outside(repository: Path, way: Callable[[Path, Path], str]) -> None:
    """Nor does it name anything else."""
    secret = repository.parent / "outside" / "leak.yaml"
    secret.write_text(INNER)
    path = repository / "pipelines" / "p.test.yaml"
    path.write_text(f"pipeline: {way(path.parent, secret)}\ncases: [{{name: c}}]\n")
    with pytest.raises(PipelineError) as caught:
        reading.read(path)
    assert "p.test.yaml:1:11: error: '" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert [one.code for one in validate(["pipelines"]).findings] == ["test"]


# --- Every command


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A server that would be sent the secret."""
    with StandIn() as running:
        yield running


@pytest.mark.parametrize(
    "words",
    ["validate", "run --backend ollama", "rehearse", "plan", "graph", "schema --resolved", "doctor", "test", "replay"],
)
def test_no_command_reads_it(repository: Path, server: StandIn, words: str) -> None:
    """Each goes by the same reader: it ends with the finding, and no server hears of anything."""
    (repository / "prompts").rmdir()
    (repository / "prompts").symlink_to("/")
    secret = repository.parent / "outside" / "leak.j2"
    secret.write_text(SECRET)
    path = repository / "pipelines" / "p.yaml"
    prompt = str(secret).lstrip("/")
    path.write_text(f"name: p\nroles: {{anna: {{model: m, prompt: {prompt}}}}}\nturns: [anna]\nopening: Begin.\n")
    (path.parent / "p.test.yaml").write_text("cases: [{name: c}]\n")
    if words == "replay":
        bad = path.read_text()
        path.write_text(bad.replace(prompt, "Hello."))
        assert llm_gc("run", "pipelines/p.yaml", "--backend", "rehearsal", cwd=repository).code == 0
        path.write_text(bad)
    named = "last" if words == "replay" else "pipelines/p.yaml"
    done = llm_gc(*words.split(), named, cwd=repository, OLLAMA_HOST=server.url)
    assert done.code in (1, 2)
    assert "is a link that leads out of the project" in done.out + done.err
    assert SECRET not in done.out + done.err
    assert server.chats == []
