"""Where models are on this machine: a file that is named by its path, or a name in the store of another program."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from llm_gc.errors import UsageError
from llm_gc.files import locations
from llm_gc.files.opening import is_file

SUFFIX = ".gguf"


@dataclass(frozen=True)
class FoundModel:
    """A model that was found: its file, and the file's digest where the store knows it."""

    path: Path
    digest: str | None = None


@dataclass(frozen=True)
class ModelStore:
    """Finds the files of models.

    A path in a pipeline is seen from the ``root`` of its project and leads to no place outside; those in ``named`` the
    user of this machine has named, and they may be anywhere.
    """

    root: Path
    named: Collection[str] = ()
    environ: Mapping[str, str] = field(default_factory=dict)

    def find(self, name: str) -> FoundModel:
        """Return the model of a name.

        Raises:
            LookupError: where there is none; the message says where it was looked for.

        """
        if is_path(name):
            return FoundModel(self._located(name))
        raise LookupError(f"there is no model {name!r}; name a {SUFFIX} file.")

    def _located(self, name: str) -> Path:
        if name in self.named:
            path = Path(name).expanduser()
            if not is_file(path):
                raise LookupError(f"there is no file {name}.")
            return path.resolve()
        try:
            return locations.locate(self.root, self.root, name, "the project's root")
        except UsageError as error:
            raise LookupError(f"model: {error}; or name it yourself, by --model {name}.") from error


def is_path(name: str) -> bool:
    """Return whether a model's name is the path of a file."""
    return name.lower().endswith(SUFFIX)
