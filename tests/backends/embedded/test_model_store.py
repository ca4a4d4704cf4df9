"""Names of models, looked up in the stores of other programs, which are only read; paths, within bounds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from llm_gc.backends.embedded.model_store import ModelStore

DIGEST = "sha256:" + "ab" * 32


def ollama(home: Path, manifest: str, content: bytes = b"model", digest: str = DIGEST) -> Path:
    """Put a model into Ollama's store."""
    store = home / ".ollama" / "models"
    place = store / "manifests" / manifest
    place.parent.mkdir(parents=True, exist_ok=True)
    layers = [
        {"mediaType": "application/vnd.ollama.image.template", "digest": "sha256:00", "size": 3},
        {"mediaType": "application/vnd.ollama.image.model", "digest": digest, "size": len(content)},
    ]
    place.write_text(json.dumps({"schemaVersion": 2, "layers": layers}), encoding="utf-8")
    blob = store / "blobs" / digest.replace(":", "-")
    blob.parent.mkdir(exist_ok=True)
    blob.write_bytes(content)
    return blob


def put(file: Path, content: bytes = b"model") -> Path:
    """Write a file in a folder that may not be there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def cached(home: Path, repository: str, file: str, number: str = "c") -> Path:
    """Put a model into Hugging Face's cache: a link to a blob that is named by its digest."""
    folder = home / ".cache" / "huggingface" / "hub" / f"models--{repository.replace('/', '--')}"
    blob = put(folder / "blobs" / (number * 64))
    link = folder / "snapshots" / "rev1" / file
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(blob)
    return link


def store(home: Path, **more: str) -> ModelStore:
    """Return a store for a home folder."""
    environ: Mapping[str, str] = {"HOME": str(home), **more}
    return ModelStore(home, environ=environ)


@pytest.mark.parametrize(
    ("manifest", "names"),
    [
        ("registry.ollama.ai/library/llama3.2/3b", ["llama3.2:3b", "Llama3.2:3B", "library/llama3.2:3b"]),
        ("registry.ollama.ai/library/demo/latest", ["demo:latest", "demo"]),
        ("registry.ollama.ai/me/demo/q4", ["me/demo:q4"]),
        ("hf.co/org/Repo-GGUF/Q4_K_M", ["hf.co/org/Repo-GGUF:Q4_K_M"]),
    ],
)
def test_ollamas_store(tmp_path: Path, manifest: str, names: list[str]) -> None:
    """By the names that Ollama has for a model; the digest is that of the manifest."""
    blob = ollama(tmp_path, manifest)
    for name in names:
        found = store(tmp_path).find(name)
        assert (found.path, found.digest, found.store) == (blob, DIGEST, "Ollama's store")
    [listed] = store(tmp_path).models()
    assert (listed.name, listed.size) == (names[0], 5)


def test_ollamas_store_may_be_elsewhere(tmp_path: Path) -> None:
    """Where OLLAMA_MODELS says; then the usual place is not looked at."""
    blob = ollama(tmp_path / "other", "registry.ollama.ai/library/demo/latest")
    ollama(tmp_path, "registry.ollama.ai/library/usual/latest")
    moved = store(tmp_path, OLLAMA_MODELS=str(tmp_path / "other" / ".ollama" / "models"))
    assert moved.find("demo").path == blob
    assert [model.name for model in moved.models()] == ["demo:latest"]


@pytest.mark.parametrize("digest", ["sha256:../../../etc/passwd", "md5:00", "", "sha256:" + "ab" * 31])
def test_a_manifest_leads_to_no_place_outside(tmp_path: Path, digest: str) -> None:
    """One that names no digest is passed over."""
    ollama(tmp_path, "registry.ollama.ai/library/demo/latest")
    manifest = tmp_path / ".ollama/models/manifests/registry.ollama.ai/library/bad/latest"
    put(
        manifest,
        json.dumps({"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": digest}]}).encode(),
    )
    put(manifest.with_name("garbled"), b"{")
    assert [model.name for model in store(tmp_path).models()] == ["demo:latest"]


def test_lm_studios_folder(tmp_path: Path) -> None:
    """By repository where it has one file, by file, and by both."""
    file = put(tmp_path / ".lmstudio" / "models" / "pub" / "Small-GGUF" / "Small-Q4.gguf")
    put(file.with_name("mmproj-Small.gguf"))
    for name in ("pub/Small-GGUF/Small-Q4", "pub/small-gguf", "Small-GGUF", "small-q4", "Small-GGUF/Small-Q4"):
        assert store(tmp_path).find(name).path == file
    put(file.with_name("Small-Q8.gguf"))
    assert store(tmp_path).find("Small-Q8").path.name == "Small-Q8.gguf"
    with pytest.raises(LookupError, match="Small-GGUF is not on this machine"):
        store(tmp_path).find("Small-GGUF")


def test_one_name_for_several_models(tmp_path: Path) -> None:
    """It is not guessed which is meant."""
    for publisher in ("a", "b"):
        put(tmp_path / ".lmstudio" / "models" / publisher / "Small-GGUF" / "Small.gguf")
    with pytest.raises(LookupError, match="may be any of a/Small-GGUF/Small, b/Small-GGUF/Small, all in LM Studio"):
        store(tmp_path).find("Small")
    assert store(tmp_path).find("b/Small-GGUF/Small").path.parts[-3] == "b"


def test_hugging_faces_cache(tmp_path: Path) -> None:
    """The file in a snapshot; its blob's name is its digest. Of a model in several files the first counts."""
    file = cached(tmp_path, "org/Tiny-GGUF", "tiny.gguf")
    cached(tmp_path, "org/Big-GGUF", "big-00001-of-00002.gguf", "d")
    cached(tmp_path, "org/Big-GGUF", "big-00002-of-00002.gguf", "e")
    found = store(tmp_path).find("org/Tiny-GGUF")
    assert (found.path, found.digest) == (file, "sha256:" + "c" * 64)
    assert [model.name for model in store(tmp_path).models()] == [
        "org/Big-GGUF/big-00001-of-00002", "org/Tiny-GGUF/tiny"
    ]  # fmt: skip
    elsewhere = store(tmp_path / "nobody", HF_HUB_CACHE=str(tmp_path / ".cache" / "huggingface" / "hub"))
    assert elsewhere.find("tiny").path == file


def test_the_first_store_counts(tmp_path: Path) -> None:
    """A name that is in several of them."""
    cached(tmp_path, "org/demo", "demo.gguf")
    put(tmp_path / ".lmstudio" / "models" / "pub" / "demo" / "demo.gguf")
    assert store(tmp_path).find("demo").store == "LM Studio's folder"
    ollama(tmp_path, "registry.ollama.ai/library/demo/latest")
    assert store(tmp_path).find("demo").store == "Ollama's store"


def test_a_name_that_is_nowhere(tmp_path: Path) -> None:
    """What was looked through, and a near name; nothing is written anywhere."""
    ollama(tmp_path, "registry.ollama.ai/library/llama3.2/3b")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(LookupError, match=r"llama3.1:3b is not on this machine: .* Did you mean 'llama3.2:3b'\?"):
        store(tmp_path).find("llama3.1:3b")
    assert sorted(tmp_path.rglob("*")) == before
    with pytest.raises(LookupError, match="They have none at all"):
        store(tmp_path / "nobody").find("x")


def test_a_path_in_a_pipeline_is_in_its_project(tmp_path: Path) -> None:
    """Neither an absolute path nor one upwards nor a link leads out of it; what the user names may be anywhere."""
    inside, outside = put(tmp_path / "project" / "models" / "a.gguf"), put(tmp_path / "b.gguf")
    (tmp_path / "project" / "link.gguf").symlink_to(outside)
    bounded = ModelStore(tmp_path / "project")
    assert bounded.find("models/a.gguf").path == inside
    for name in ("../b.gguf", str(outside), "link.gguf"):
        with pytest.raises(LookupError, match=r"leads out of .*; or name it yourself, by --model"):
            bounded.find(name)
    with pytest.raises(LookupError, match=r"there is no file 'c\.gguf' beside the project's root"):
        bounded.find("c.gguf")
    assert ModelStore(tmp_path / "project", {str(outside)}).find(str(outside)).path == outside
    with pytest.raises(LookupError, match="there is no file /nowhere"):
        ModelStore(tmp_path, {"/nowhere/a.gguf"}).find("/nowhere/a.gguf")
