"""The files of one reading, each read once: pipelines, prompts and the folders in which prompts are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llm_gc import files, reader
from llm_gc.errors import PipelineError, UsageError
from llm_gc.source import Source


class Library:
    """What was read, kept for all pipelines of one command: they share files, and folders too."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._paths: dict[str, Path] = {}
        self._sources: dict[Path, Source] = {}
        self._roots: dict[str, Path] = {}
        self._folders: dict[Path, Path | None] = {}
        self._prompts: dict[tuple[Path, Path | None, str], str | ValueError] = {}
        self._named: dict[str, Source] = {}
        self._texts: dict[str, str] = {}

    def pipeline(self, path: Path, file: str, root: Path | None = None) -> Source:
        """Read a pipeline's file; ``file`` is what it is called in messages.

        With a ``root`` another file has named it, or a folder that holds it was named: it is read beneath that alone,
        and so is all that it names.

        Raises:
            UsageError: where the file cannot be read.
            PipelineError: where it is YAML, and no pipeline.

        """
        real = path if root is not None else real_path(path)
        found = self._sources.get(real)
        if found is None or found.file != file:
            found = self._sources[real] = files.read_source(path, file, root)
        return self.put(found, real, root)

    def take(self, source: Source, path: Path, root: Path | None = None) -> Source:
        """Take in what was read from a file, or stands for one; what it names is read beneath ``root``.

        Where that is absent, it is the root of the project that the file is in.
        """
        self._paths[source.file], self._named[source.file] = path, source
        self._roots[source.file] = root or reader.project_root(path.parent)
        return source

    def put(self, source: Source, path: Path, root: Path | None = None) -> Source:
        """Take in a pipeline that was read from a file, or that stands for one.

        Raises:
            PipelineError: where it is no pipeline.

        """
        self.take(source, path, root)
        if (finding := files.no_pipeline(source)) is not None:
            raise PipelineError([finding])
        return source

    def forget(self, file: str) -> None:
        """Let go of a file, by what it is called in messages; it is read again where another one names it."""
        self._named.pop(file, None)

    def source(self, file: str) -> Source | None:
        """Give what was read from a YAML file, by what it is called in messages."""
        return self._named.get(file)

    def text(self, file: str) -> str:
        """Give the text of a file that was read; empty where none of that name was."""
        return self._named[file].text if file in self._named else self._texts.get(file, "")

    def path(self, source: Source) -> Path:
        """Give the file that a source was read from."""
        return self._paths[source.file]

    def root(self, source: Source) -> Path:
        """Return the folder beyond which nothing is read that a source names."""
        return self._roots[source.file]

    def beside(self, name: str, source: Source) -> Path:
        """Give the real path of the file that a source names, seen from its own place.

        Raises:
            UsageError: where there is none, or it is outside the project.

        """
        return files.locate(self.root(source), self.path(source).parent, name, source.file)

    def schema(self, name: str, source: Source) -> Any:
        """Read the JSON Schema that a source names.

        Raises:
            ValueError: where there is none.

        """
        return files.read_json_schema(self.root(source), self.path(source).parent, name)

    def folder(self, source: Source) -> Path | None:
        """Give the folder of a source's prompts."""
        start = self.path(source).parent
        if start not in self._folders:
            self._folders[start] = files.prompts_folder(start)
        return self._folders[start]

    def prompt(self, source: Source, name: str) -> str:
        """Read a prompt file that a source names.

        Raises:
            ValueError: where there is none of that name in its folder of prompts, or it is no text.

        """
        root, folder = self.root(source), self.folder(source)
        key = (root, folder, name)
        if key not in self._prompts:
            try:
                text = self._prompts[key] = files.read_prompt(root, folder, name)
                self._texts[f"{files.relative(folder)}/{name}"] = text
            except ValueError as error:
                self._prompts[key] = error
        found = self._prompts[key]
        if isinstance(found, ValueError):
            raise found
        return found


def real_path(path: Path) -> Path:
    """Return where a file that the user has named really is; a pipe has no place, and stands in the working directory.

    Raises:
        UsageError: where that is not known.

    """
    try:
        real = path.resolve()
        return real if real.is_file() else Path.cwd() / path.name
    except (OSError, RuntimeError) as error:
        raise UsageError(f"{path} {files.why_unread(error)}") from error
