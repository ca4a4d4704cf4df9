"""``llm-gc`` with a model of its own: a file on the command line, in a pipeline, and in a record."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests import tiny_gguf
from tests.backends.embedded.asking import needs_engine
from tests.commands import M1, Result, llm_gc, transcripts

PIPELINE = """
name: two
defaults: {max_tokens: 24, options: {threads: 1}, backend: embedded}
roles:
  anna: {model: models/tiny.gguf, prompt: You plan.}
  ben: {model: models/tiny.gguf, prompt: You judge.}
opening: Plan it.
turns: [anna, ben, anna]
seed: 1
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the tiny model."""
    pytest.importorskip("gguf", reason="gguf is not installed: no tiny model can be made")
    return tiny_gguf.write(tmp_path_factory.mktemp("models") / "tiny.gguf")


@pytest.fixture
def project(tmp_path: Path, tiny: Path) -> Path:
    """Return a project with a pipeline and its model."""
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "models").mkdir()
    shutil.copy(tiny, tmp_path / "models")
    (tmp_path / "two.yaml").write_text(PIPELINE, encoding="utf-8")
    return tmp_path


def llm(*args: str, cwd: Path, **more: str) -> Result:
    """Run llm-gc in a home without any program's models."""
    return llm_gc(*args, cwd=cwd, HOME=str(cwd / "home"), **more)


@needs_engine
def test_m1_with_a_file(tmp_path: Path, tiny: Path) -> None:
    """`--model FILE` runs every role here, whatever the pipeline says; the record has the digest and both windows."""
    shutil.copy(tiny, tmp_path / "tiny.gguf")
    sets = ("--set", "defaults.options.threads=1", "--set", "roles.implementer.max_tokens=16")
    result = llm("run", M1, "--task", "x", "--model", "tiny.gguf", *sets, "--rounds", "1", cwd=tmp_path)
    assert result.code == 0, result.err
    [transcript] = transcripts(tmp_path)
    versions = transcript["versions"]
    assert versions["backend"] == "embedded"
    assert versions["server"].startswith("xllamacpp ")
    whole = str(tmp_path / "tiny.gguf")
    assert versions["models"][whole].startswith("sha256:")
    assert transcript["turns"][0]["tokens"]["completion"] == 16


@needs_engine
def test_a_pipeline_names_a_file_of_its_project(project: Path) -> None:
    """Seen from the project's root, from whatever folder it is run; the same seed gives the same words."""
    (project / "deep").mkdir()
    first = llm("run", "two.yaml", cwd=project)
    second = llm("run", "../two.yaml", "--sessions", "../sessions", cwd=project / "deep")
    assert (first.code, second.code) == (0, 0), first.err + second.err
    one, two = transcripts(project)
    assert [turn["content"] for turn in one["turns"]] == [turn["content"] for turn in two["turns"]]


def test_a_pipeline_names_no_file_outside(project: Path, tiny: Path) -> None:
    """Not by an absolute path either; the user may."""
    pytest.importorskip("xllamacpp", reason="xllamacpp is not installed: no engine")
    (project / "two.yaml").write_text(PIPELINE.replace("models/tiny.gguf", str(tiny)), encoding="utf-8")
    refused = llm("run", "two.yaml", cwd=project)
    assert refused.code == 3
    assert "leads out of the project" in refused.err
    assert f"--model {tiny}" in refused.err
    assert llm("run", "two.yaml", "--model", str(tiny), cwd=project).code == 0


@needs_engine
def test_a_file_that_the_user_named_is_found_again(project: Path, tiny: Path) -> None:
    """By `run --from`: the record says that the user had named it."""
    assert llm("run", "two.yaml", "--model", str(tiny), cwd=project).code == 0
    [file] = (project / "sessions").glob("*.json")
    forked = llm("run", "--from", "last", "--turn", "2", cwd=project)
    assert forked.code == 0, forked.err
    assert file.exists()


@needs_engine
def test_doctor_lists_what_can_run_here(project: Path) -> None:
    """With sizes; of a pipeline it says what its models are."""
    folder = project / "home" / ".lmstudio" / "models" / "pub" / "Tiny-GGUF"
    folder.mkdir(parents=True)
    shutil.copy(project / "models" / "tiny.gguf", folder)
    listed = llm("doctor", "--backend", "embedded", cwd=project)
    assert listed.code == 0
    assert "pub/Tiny-GGUF/tiny, 304 kB" in listed.out
    examined = llm("doctor", "two.yaml", "--probe", "--json", cwd=project)
    [server] = json.loads(examined.out)["servers"]
    assert server["kind"] == "embedded"
    assert server["models"]["models/tiny.gguf"]["facts"]["context_length"] == 4096
    assert server["probes"]["models/tiny.gguf"]["answered"]
    missing = llm("doctor", "two.yaml", "--model", "nope", cwd=project)
    assert missing.code == 3
    assert "Name a .gguf file, or cast one that it has: pub/Tiny-GGUF/tiny." in missing.out


@needs_engine
def test_a_role_here_and_a_name_from_a_store(project: Path) -> None:
    """A name that another program has on its disk plays without it."""
    folder = project / "home" / ".lmstudio" / "models" / "pub" / "Tiny-GGUF"
    folder.mkdir(parents=True)
    shutil.copy(project / "models" / "tiny.gguf", folder)
    result = llm("run", "two.yaml", "--model", "ben=Tiny-GGUF", cwd=project)
    assert result.code == 0, result.err
    assert "Tiny-GGUF" in transcripts(project)[0]["versions"]["models"]


def test_without_the_extra(project: Path) -> None:
    """It is said what to install, and what works without."""
    result = llm("run", "two.yaml", cwd=project, PYTHONPATH=f"{_hiding(project)}:{Path(M1).parent.parent}")
    assert result.code == 3
    assert "pip install 'llm-gc[embedded]'" in result.err
    assert "--backend rehearsal" in result.err


def _hiding(project: Path) -> Path:
    """Return a folder that hides the engine's package from a command."""
    folder = project / "hiding"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import importlib.util as util\n"
        "found = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'xllamacpp' else found(name, *rest)\n",
        encoding="utf-8",
    )
    return folder
