"""The files of a project on the disk: where pipelines and prompts are, and what stands in them."""

from __future__ import annotations

import os
import re
from collections.abc import Container
from itertools import islice
from pathlib import Path
from typing import Any

from llm_gc import source
from llm_gc.errors import Finding, PipelineError, UsageError
from llm_gc.near import near
from llm_gc.source import Source

MAX_PROMPT = 1024 * 1024
MAX_NAMES = 1000
TEST_SUFFIX = ".test.yaml"
ROOT_MARKS = (".git", "pyproject.toml")


def find(name: str) -> Path:
    """Give the file that is meant: one that is there, else one of that name that ships with llm-gc.

    Raises:
        UsageError: where there is neither.

    """
    path = Path(name)
    try:
        if path.is_dir():
            inside = [str(file) for file in pipelines_in(path)]
            found = f"; give a file in it, such as {inside[0]}" if inside else ""
            raise UsageError(f"{name or '.'} is a folder, and a pipeline file was expected{found}")
        if path.exists():
            return path
    except OSError as error:  # a name too long, a folder that nobody may look into
        raise UsageError(f"{name} cannot be read: {error.strerror}") from error
    shipped = _shipped("pipelines")
    for candidate in (shipped / path.name, shipped / f"{path.name}.yaml"):
        if candidate.is_file():
            return candidate
    names = [file.stem for file in pipelines_in(shipped)]
    meant = near(path.stem, names)
    ships = f"Those that ship with llm-gc are: {', '.join(names)}." if names and not path.suffix else ""
    raise UsageError(" ".join(word for word in (f"there is no pipeline {name}.", meant, ships) if word).rstrip("."))


def pipelines_in(folder: Path) -> list[Path]:
    """Give the pipelines that stand in a folder itself: all its YAML files but those of tests."""
    return sorted(file for file in folder.glob("*.yaml") if not file.name.endswith(TEST_SUFFIX))


def read_yaml(path: Path, file: str) -> Source:
    """Read a YAML file; ``file`` is what it is called in messages.

    Raises:
        UsageError: where the file cannot be read.
        PipelineError: where it is no YAML.

    """
    loaded = read_source(path, file)
    if loaded.faults:
        raise PipelineError(loaded.faults)
    return loaded


def read_source(path: Path, file: str) -> Source:
    """Read a YAML file as far as it can be read; its ``faults`` say what is wrong with it.

    Raises:
        UsageError: where the file cannot be read.

    """
    try:
        with path.open("rb") as opened:
            content = opened.read(source.MAX_BYTES + 1)  # what has no size of its own has an end here too
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    return source_of(content, file)


def source_of(content: bytes, file: str) -> Source:
    """Read YAML from the bytes of a file, as far as it can be read.

    Raises:
        UsageError: where it is too large.

    """
    if len(content) > source.MAX_BYTES:
        raise UsageError(f"{file} is larger than {source.MAX_BYTES // 1024} KiB; a pipeline is a short text")
    try:
        text = content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        return Source(file, "", None, faults=[_no_text(file, content, error.start)])
    return source.read(text, file)


def _no_text(file: str, content: bytes, at: int) -> Finding:
    """Give the finding about bytes that are no text in UTF-8."""
    before = content[:at].decode("utf-8", "replace").removeprefix("\ufeff")
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    message = f"the byte 0x{content[at]:02X} is no text in UTF-8"
    return Finding(file, line, column, "yaml", message, hint="Save the file as UTF-8.")


def no_pipeline(loaded: Source) -> Finding | None:
    """Give the finding about what is YAML, and no pipeline."""
    if loaded.faults or (isinstance(loaded.data, dict) and {"roles", "turns", "extends"} & set(loaded.data)):
        return None
    empty = "the file is empty"
    message = empty if loaded.data is None else "this is no pipeline: it has neither 'roles' nor 'turns'"
    return loaded.finding((), "shape", message, hint="A pipeline is a map with name, roles and turns.")


PROMPT_SUFFIXES = (".j2", ".md", ".txt")


def prompts_folder(start: Path) -> Path | None:
    """Give the nearest ``prompts/`` from a folder upwards, no further than the project's root."""
    for folder in (start, *start.parents):
        if (folder / "prompts").is_dir():
            return folder / "prompts"
        if any((folder / mark).exists() for mark in ROOT_MARKS):
            return None
    return None


def read_prompt(folder: Path | None, name: str) -> str:
    """Read a prompt file.

    Raises:
        ValueError: where there is none of that name under ``folder``, or it is no text.

    """
    if folder is None:
        raise ValueError("there is no folder prompts/ beside the pipeline or above it")
    if name.startswith("/") or "\\" in name or "\0" in name or ".." in name.split("/") or Path(name).is_absolute():
        raise ValueError(f"{name!r} leads out of prompts/; a template lives under it and nowhere else")
    path = folder / name
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"{name!r} is a link that leads out of prompts/")
        if not path.is_file():
            raise ValueError(f"there is no file {name!r} under {relative(folder)}/")
        if path.stat().st_size > MAX_PROMPT:
            raise ValueError(f"{name!r} is larger than {MAX_PROMPT // 1024} KiB")
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{name!r} is not text in UTF-8") from error
    except OSError as error:
        raise ValueError(f"{name!r} cannot be read: {error.strerror}") from error
    except RuntimeError as error:  # a link to itself
        raise ValueError(f"{name!r} is a link that leads nowhere") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def prompt_names(folder: Path | None) -> list[str]:
    """Give the names of the prompt files, so that a misspelt one can be answered with the one that was meant."""
    if folder is None:
        return []
    found = (file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.suffix in PROMPT_SUFFIXES)
    return sorted(islice(found, MAX_NAMES))


def spare_prompts(folder: Path | None, name: str, pipeline: Path, used: Container[str]) -> list[str]:
    """Give the prompt files that belong to a pipeline by the name of their folder, and that nothing names.

    Neither the pipeline, which names those that are ``used``, nor another one in its folder, nor another prompt file.
    """
    if folder is None or not (folder / name).is_dir():
        return []
    listed = islice((folder / name).rglob("*.j2"), MAX_NAMES)
    spare = sorted(file for one in listed if (file := one.relative_to(folder).as_posix()) not in used)
    others = [*pipeline.parent.glob("*.yaml"), *folder.rglob("*.j2")][:MAX_NAMES] if spare else []
    for other in others:
        try:
            text = other.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # whoever is asked about that file will say so
        spare = [one for one in spare if one not in text]
    return spare


def read_text(name: str) -> str:
    """Read the text that an input names.

    Raises:
        UsageError: where there is none.

    """
    try:
        if Path(name).stat().st_size > source.MAX_BYTES:
            raise UsageError(f"{name} is larger than {source.MAX_BYTES // 1024} KiB; no input is that long")
        return Path(name).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is not text in UTF-8: {error.reason} at byte {error.start}") from error


def lines_of(file: str) -> list[str]:
    """Give the lines of a file, to show them; none where it cannot be read."""
    try:
        return lines_in(Path(file).read_bytes())
    except (OSError, ValueError):
        return []


def lines_in(content: bytes) -> list[str]:
    """Give the lines of a file's bytes, to show them."""
    return re.split(r"\r\n|\r|\n", content.decode("utf-8", "replace").removeprefix("\ufeff"))


def read_json_schema(path: Path, name: str) -> Any:
    """Read a JSON Schema from a ``.json`` file.

    Raises:
        ValueError: where there is none.

    """
    import json

    try:
        schema = json.loads(path.read_bytes())
    except OSError as error:
        raise ValueError(f"the schema {name!r} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{name!r} is no JSON: {error}") from error
    if not isinstance(schema, dict):
        raise ValueError(f"{name!r} is no JSON Schema: a map was expected")
    return schema


def relative(path: Path | None) -> str:
    """Give a path as seen from the working directory, where that is shorter."""
    if path is None:
        return "prompts"
    try:
        seen = os.path.relpath(path)
    except ValueError:  # another drive
        return str(path)
    return str(path) if seen.startswith("..") else seen


def _shipped(what: str) -> Path:
    """Give the folder of what ships with the package: inside it when installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent
    inside = package / "shipped" / what
    return inside if inside.is_dir() else package.parent / what
