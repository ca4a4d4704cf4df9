"""The files of one reading, each read once: pipelines, prompts and the folders in which prompts are."""

from __future__ import annotations

from pathlib import Path

from llm_gc import files
from llm_gc.errors import PipelineError
from llm_gc.source import Source


class Library:
    """What was read, kept for all pipelines of one command: they share files, and folders too."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._paths: dict[str, Path] = {}
        self._sources: dict[Path, Source] = {}
        self._folders: dict[Path, Path | None] = {}
        self._prompts: dict[tuple[Path | None, str], str | ValueError] = {}
        self._named: dict[str, Source] = {}
        self._texts: dict[str, str] = {}

    def pipeline(self, path: Path, file: str) -> Source:
        """Read a pipeline's file; ``file`` is what it is called in messages.

        Raises:
            UsageError: where the file cannot be read.
            PipelineError: where it is YAML, and no pipeline.

        """
        resolved = path.resolve()
        found = self._sources.get(resolved)
        if found is None or found.file != file:
            found = self._sources[resolved] = files.read_source(path, file)
        return self.put(found, resolved)

    def take(self, source: Source, path: Path) -> Source:
        """Take in what was read from a file, or stands for one."""
        self._paths[source.file], self._named[source.file] = path, source
        return source

    def put(self, source: Source, path: Path) -> Source:
        """Take in a pipeline that was read from a file, or that stands for one.

        Raises:
            PipelineError: where it is no pipeline.

        """
        self.take(source, path)
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

    def beside(self, name: str, source: Source) -> Path:
        """Give the file that a source names, seen from its own place."""
        return (self.path(source).parent / name).resolve()

    def folder(self, source: Source) -> Path | None:
        """Give the folder of a source's prompts."""
        start = self.path(source).parent
        if start not in self._folders:
            self._folders[start] = files.prompts_folder(start)
        return self._folders[start]

    def prompt(self, folder: Path | None, name: str) -> str:
        """Read a prompt file.

        Raises:
            ValueError: where there is none of that name under ``folder``, or it is no text.

        """
        key = (folder, name)
        if key not in self._prompts:
            try:
                text = self._prompts[key] = files.read_prompt(folder, name)
                self._texts[f"{files.relative(folder)}/{name}"] = text
            except ValueError as error:
                self._prompts[key] = error
        found = self._prompts[key]
        if isinstance(found, ValueError):
            raise found
        return found
