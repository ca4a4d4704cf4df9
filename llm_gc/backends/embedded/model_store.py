"""Where models are on this machine: a file that is named by its path, or a name in the store of another program.

The stores are looked at in the order of ``STORES``, and are only read: Ollama's, LM Studio's folder, Hugging Face's
cache, and what ``llm-gc demo`` has fetched. So nothing is downloaded twice.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llm_gc.errors import UsageError
from llm_gc.files import locations, opening
from llm_gc.values.did_you_mean import near

SUFFIX = ".gguf"
MAX_MANIFEST = 2**20
_DIGEST = re.compile(r"sha256[:-]([0-9a-f]{64})")
_LATER_PART = re.compile(r"-(?!00001)\d{5}-of-\d{5}\.gguf$")
_MODEL_LAYER = "application/vnd.ollama.image.model"


@dataclass(frozen=True)
class FoundModel:
    """A model that was found: its file, and the file's digest where the store knows it.

    ``name`` is what it is called in its ``store``; ``aliases`` are shorter names that mean it where nothing else has
    them. Of a path both are empty.
    """

    path: Path
    digest: str | None = None
    name: str = ""
    store: str = ""
    size: int = 0
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelStore:
    """Finds the files of models.

    A path in a pipeline is seen from the ``root`` of its project and leads to no place outside; those in ``named`` the
    user of this machine has named, and they may be anywhere. Where the stores are, the environment says.
    """

    root: Path
    named: Collection[str] = ()
    environ: Mapping[str, str] = field(default_factory=dict)

    def find(self, name: str) -> FoundModel:
        """Return the model of a name.

        Raises:
            LookupError: where there is none, or several; the message says where it was looked for.

        """
        if is_path(name):
            return FoundModel(self._located(name))
        others: list[str] = []
        for models in STORES.values():
            found = list(models(self.environ))
            match = [model for model in found if _is(model, name)] or [model for model in found if _means(model, name)]
            if len(match) > 1:
                listed = ", ".join(model.name for model in match)
                raise LookupError(f"{name} may be any of {listed}, all in {match[0].store}: name one of them.")
            if match:
                return match[0]
            others += (model.name for model in found)
        places = list(STORES)
        where = f"{', '.join(places[:-1])} and {places[-1]}"
        meant = near(name, others) or (f"There are {', '.join(others[:8])}." if others else "They have none at all.")
        raise LookupError(
            f"{name} is not on this machine: {where} were looked through. {meant} Or name a {SUFFIX} file."
        )

    def models(self) -> list[FoundModel]:
        """Return all models that have a name."""
        return [model for models in STORES.values() for model in models(self.environ)]

    def _located(self, name: str) -> Path:
        if name in self.named:
            path = Path(name).expanduser()
            if not opening.is_file(path):
                raise LookupError(f"there is no file {name}.")
            return path.resolve()
        try:
            return locations.locate(self.root, self.root, name, "the project's root")
        except UsageError as error:
            raise LookupError(f"model: {error}; or name it yourself, by --model {name}.") from error


def is_path(name: str) -> bool:
    """Return whether a model's name is the path of a file."""
    return name.lower().endswith(SUFFIX)


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder in which ``llm-gc demo`` keeps the models that it has fetched."""
    if os.name == "nt" and environ.get("LOCALAPPDATA"):
        return Path(environ["LOCALAPPDATA"]) / "llm-gc" / "models"
    cache = environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else _home(environ) / ".cache") / "llm-gc" / "models"


def _is(model: FoundModel, name: str) -> bool:
    """Return whether a model has exactly this name."""
    from llm_gc.backends.ollama.model_names import normalise  # late, for a start without the HTTP client

    return normalise(name) == normalise(model.name)


def _means(model: FoundModel, name: str) -> bool:
    return name.casefold() in {alias.casefold() for alias in (model.name, *model.aliases)}


def _home(environ: Mapping[str, str]) -> Path:
    named = environ.get("HOME") or environ.get("USERPROFILE")
    return Path(named) if named else Path.home()


def _ollama(environ: Mapping[str, str]) -> Iterator[FoundModel]:
    """Yield the models in Ollama's store: a manifest for each says which of the blobs is the model."""
    named = environ.get("OLLAMA_MODELS")
    usual = (_home(environ) / ".ollama" / "models", Path("/usr/share/ollama/.ollama/models"))
    for store in (Path(named),) if named else usual:
        for manifest in _files(store / "manifests", "*/*/*/*"):
            host, space, model, tag = manifest.relative_to(store / "manifests").parts
            layer = _model_layer(manifest)
            found = _DIGEST.fullmatch(str(layer.get("digest")))
            if found is None:
                continue
            blob = store / "blobs" / f"sha256-{found[1]}"
            if not opening.is_file(blob):
                continue
            prefix = "" if host == "registry.ollama.ai" else f"{host}/"
            name = f"{prefix}{'' if space == 'library' and not prefix else f'{space}/'}{model}:{tag}"
            yield FoundModel(blob, f"sha256:{found[1]}", name, "Ollama's store", _size(blob))


def _model_layer(manifest: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(opening.read_file(manifest, MAX_MANIFEST))
        layers = value["layers"]
        found: Mapping[str, Any] = next(layer for layer in layers if layer["mediaType"] == _MODEL_LAYER)
    except (OSError, ValueError, LookupError, TypeError, StopIteration):
        return {}
    return found


def _lm_studio(environ: Mapping[str, str]) -> Iterator[FoundModel]:
    """Yield the models in LM Studio's folder: those of a publisher, those of a repository, files."""
    home = _home(environ)
    pointer = home / ".lmstudio-home-pointer"
    try:
        moved = [Path(opening.read_file(pointer, 4096).decode().strip()) / "models"]
    except (OSError, ValueError):
        moved = []
    seen: set[Path] = set()
    for folder in (*moved, home / ".lmstudio" / "models", home / ".cache" / "lm-studio" / "models"):
        files = [file for file in _files(folder, f"*/*/*{SUFFIX}") if file not in seen]
        seen.update(files)
        yield from _in_repositories(files, lambda file: file.parts[-3:-1], "LM Studio's folder")


def _hugging_face(environ: Mapping[str, str]) -> Iterator[FoundModel]:
    """Yield the models in Hugging Face's cache: of each repository those of one snapshot, which links to blobs."""
    hub = environ.get("HF_HUB_CACHE") or environ.get("HUGGINGFACE_HUB_CACHE")
    base = environ.get("HF_HOME") or str(
        Path(environ.get("XDG_CACHE_HOME") or _home(environ) / ".cache") / "huggingface"
    )
    folder = Path(hub) if hub else Path(base) / "hub"
    files: dict[tuple[str, str], Path] = {}
    for file in _files(folder, f"models--*--*/snapshots/*/**/*{SUFFIX}"):
        files.setdefault((file.relative_to(folder).parts[0], file.name), file)

    def repository(file: Path) -> tuple[str, ...]:
        return tuple(file.relative_to(folder).parts[0].split("--", 2)[1:])

    yield from _in_repositories(list(files.values()), repository, "Hugging Face's cache")


def _fetched(environ: Mapping[str, str]) -> Iterator[FoundModel]:
    """Yield the models that ``llm-gc demo`` has fetched."""
    for file in _files(cache_folder(environ), f"*{SUFFIX}"):
        yield FoundModel(file, None, file.stem, "llm-gc's cache", _size(file))


STORES: Mapping[str, Callable[[Mapping[str, str]], Iterator[FoundModel]]] = {
    "Ollama's store": _ollama,
    "LM Studio's folder": _lm_studio,
    "Hugging Face's cache": _hugging_face,
    "llm-gc's cache": _fetched,
}
"""Where names are looked up; a name that is in several of them is that in the first."""


def _in_repositories(
    files: Collection[Path], repository: Callable[[Path], tuple[str, ...]], store: str
) -> Iterator[FoundModel]:
    """Yield the models of files that lie in repositories; the only one of its repository may go by that name."""
    kept = [file for file in files if "mmproj" not in file.name.lower() and not _LATER_PART.search(file.name)]
    for file in kept:
        publisher, name = repository(file)
        alone = sum(repository(other) == (publisher, name) for other in kept) == 1
        aliases = (file.stem, f"{name}/{file.stem}", *((f"{publisher}/{name}", name) if alone else ()))
        found = _DIGEST.fullmatch(f"sha256:{file.resolve().name}")
        digest = f"sha256:{found[1]}" if found else None
        yield FoundModel(file, digest, f"{publisher}/{name}/{file.stem}", store, _size(file), aliases)


def _files(folder: Path, pattern: str) -> list[Path]:
    """Return the files that are there; where nobody may look, there are none."""
    try:
        return sorted(file for file in folder.glob(pattern) if opening.is_file(file))
    except OSError:
        return []


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
