"""The files of a project on the disk: where pipelines and prompts are, and what is in them."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Container
from pathlib import Path
from typing import Any

from llm_gc import source
from llm_gc.errors import Finding, PipelineError, UsageError
from llm_gc.files import opening
from llm_gc.files.opening import LeadsOut, NotAFile, marked_root
from llm_gc.source import Source
from llm_gc.values.did_you_mean import near

MAX_PROMPT = 1024 * 1024
MAX_NAMES = 1000
TEST_SUFFIX = ".test.yaml"


def find(name: str) -> Path:
    """Return the file that is meant: one that is there, with or without ``.yaml``, else one that ships with llm-gc.

    Raises:
        UsageError: where there is neither.

    """
    path = Path(name)
    try:
        if path.is_dir():
            inside = [str(file) for file in pipelines_in(path)]
            such = f"; give a file in it, such as {inside[0]}" if inside else ""
            raise UsageError(f"{name or '.'} is a folder, and a pipeline file was expected{such}")
        if path.exists():
            return path
    except OSError as error:  # a name too long, a folder that nobody may look into
        raise UsageError(f"{name} cannot be read: {error.strerror}") from error
    beside = Path(f"{name}.yaml")
    if not path.suffix and beside.is_file():
        return beside
    if (found := shipped(path.name)) is not None:
        return found
    names = [file.stem for file in pipelines_in(_shipped("pipelines"))]
    meant = near(path.stem, names)
    ships = f"Those that ship with llm-gc are: {', '.join(names)}." if names and not path.suffix else ""
    raise UsageError(" ".join(word for word in (f"there is no pipeline {name}.", meant, ships) if word).rstrip("."))


def check_folder(folder: Path) -> None:
    """Check that a folder, all files of which are to be read, is the one that it seems to be.

    Raises:
        UsageError: where a link leads to it out of the project.

    """
    if (real := opening.link_out(folder)) is not None:
        raise UsageError(f"{folder} is a link that leads out of the project, to {real}; name that folder itself")


def shipped(name: str) -> Path | None:
    """Return the pipeline of a name, with ``.yaml`` or without, among those that ship, or ``None``."""
    folder = _shipped("pipelines")
    return next((one for one in (folder / name, folder / f"{name}.yaml") if one.is_file()), None)


def pipelines_in(folder: Path) -> list[Path]:
    """Return the pipelines that are in a folder itself: all its YAML files but those of tests."""
    return sorted(file for file in folder.glob("*.yaml") if not file.name.endswith(TEST_SUFFIX))


def read_yaml(path: Path, file: str, root: Path | None = None) -> Source:
    """Read a YAML file; ``file`` is what it is called in messages, ``root`` as for ``read_source``.

    Raises:
        UsageError: where the file cannot be read.
        PipelineError: where it is no YAML.

    """
    loaded = read_source(path, file, root)
    if loaded.faults:
        raise PipelineError(loaded.faults)
    return loaded


def read_source(path: Path, file: str, root: Path | None = None) -> Source:
    """Read a YAML file as far as it can be read; its ``faults`` say what is wrong with it.

    With a ``root`` it is one that the user has not named, and whose real path is beneath that.

    Raises:
        UsageError: where the file cannot be read.

    """
    return source_of(read_bytes(path, file, root), file)


def read_bytes(path: Path, file: str, root: Path | None = None, most: int = source.MAX_BYTES) -> bytes:
    """Read the bytes of a YAML file as ``read_source`` does, or one byte more than ``most`` of them.

    Raises:
        UsageError: where the file cannot be read.

    """
    try:
        if root is None:
            return opening.read_named(path, most)
        return opening.read_beneath(root, path.parent, path.name, most).content
    except (OSError, LeadsOut, NotAFile) as error:
        raise UsageError(f"{file} {why_unread(error, root)}") from error


def locate(root: Path, start: Path, name: str, source: str) -> Path:
    """Return the real path of a file that ``source``, in the folder ``start``, names.

    Raises:
        UsageError: where there is none, or it is outside the project's ``root``.

    """
    try:
        return opening.locate(root, start, name)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"there is no file {name!r} beside {source}") from error
    except (OSError, LeadsOut, NotAFile) as error:
        raise UsageError(f"{name!r} {why_unread(error, root)}") from error


def why_unread(error: Exception, root: Path | None = None) -> str:
    """Return what to say behind the name of a file that could not be opened or read beneath a ``root``."""
    match error:
        case LeadsOut():
            marked = root is not None and marked_root(root) == root
            what = f"the project, {root}" if marked else str(root)
            advice = "" if marked else ", or mark the root of the project by a pyproject.toml (it may be empty)"
            return f"{error} {what}; nothing outside is read on the word of a file in it: copy it there{advice}"
        case NotAFile():
            return f"is {error}, and a file was expected"
        case OSError() if error.errno == errno.ELOOP:
            return "is a link that leads nowhere"
        case OSError():
            return f"cannot be read: {error.strerror or error}"
    return f"cannot be read: {error}"


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
    """Return the finding about bytes that are no text in UTF-8."""
    before = content[:at].decode("utf-8", "replace").removeprefix("\ufeff")
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    message = f"the byte 0x{content[at]:02X} is no text in UTF-8"
    return Finding(file, line, column, "yaml", message, hint="Save the file as UTF-8.")


def no_pipeline(loaded: Source) -> Finding | None:
    """Return the finding about what is YAML, and no pipeline."""
    if loaded.faults or (isinstance(loaded.data, dict) and {"roles", "turns", "extends"} & set(loaded.data)):
        return None
    empty = "the file is empty"
    message = empty if loaded.data is None else "this is no pipeline: it has neither 'roles' nor 'turns'"
    return loaded.finding((), "shape", message, hint="A pipeline is a map with name, roles and turns.")


PROMPT_SUFFIXES = (".j2", ".md", ".txt")


def prompts_folder(start: Path) -> Path | None:
    """Return the nearest ``prompts/`` from a folder upwards, no further than the project's root."""
    root = marked_root(start)
    for folder in (start, *start.parents):
        if opening.is_folder(folder / "prompts"):
            return folder / "prompts"
        if folder == root:
            return None
    return None


def read_prompt(root: Path, folder: Path | None, name: str) -> str:
    """Read a prompt file from the project under ``root``.

    Raises:
        ValueError: where there is none of that name under ``folder``, or it is no text.

    """
    if folder is None:
        raise ValueError("there is no folder prompts/ beside the pipeline or above it")
    if name.startswith("/") or "\\" in name or "\0" in name or ".." in name.split("/") or Path(name).is_absolute():
        raise ValueError(f"{name!r} leads out of prompts/; a template lives under it and nowhere else")
    real = _real_prompts(root, folder)
    try:
        content = opening.read_beneath(root, real, name, MAX_PROMPT, bound=real).content
        text = content.decode("utf-8-sig")
    except LeadsOut as error:
        raise ValueError(f"{name!r} is a link that leads out of prompts/; copy the file into it") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{name!r} is not text in UTF-8") from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ValueError(f"there is no file {name!r} under {relative(folder)}/") from error
    except (OSError, NotAFile) as error:
        raise ValueError(f"{name!r} {why_unread(error)}") from error
    if len(content) > MAX_PROMPT:
        raise ValueError(f"{name!r} is larger than {MAX_PROMPT // 1024} KiB")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _real_prompts(root: Path, folder: Path) -> Path:
    """Return the real path of a folder of prompts; it may be a link, but to no place outside the project.

    Raises:
        ValueError: where it is one, or cannot be opened.

    """
    try:
        return opening.locate(root, folder.parent, folder.name)
    except LeadsOut as error:
        said = f"{relative(folder)}/ is a link that leads out of the project, {root}"
        raise ValueError(f"{said}; make it a folder, and copy the prompts into it") from error
    except (OSError, NotAFile) as error:
        raise ValueError(f"{relative(folder)}/ {why_unread(error)}") from error


def prompt_names(root: Path, folder: Path | None) -> list[str]:
    """Return the names of the prompt files, so that a misspelt one can be answered with the one that was meant."""
    if folder is None:
        return []
    try:
        return opening.names_beneath(_real_prompts(root, folder), PROMPT_SUFFIXES, MAX_NAMES)
    except ValueError:
        return []


def spare_prompts(root: Path, folder: Path | None, name: str, pipeline: Path, used: Container[str]) -> list[str]:
    """Return the prompt files that belong to a pipeline by the name of their folder, and that nothing names.

    Neither the pipeline, which names those that are ``used``, nor another one in its folder, nor another prompt file.
    """
    if folder is None:
        return []
    try:
        real = _real_prompts(root, folder)
        own = opening.names_beneath(opening.locate(root, real, name), (".j2",), MAX_NAMES)
    except (OSError, ValueError):
        return []
    spare = [file for one in own if (file := f"{name}/{one}") not in used]
    if not spare:
        return []
    others = [(pipeline.parent, one.name) for one in sorted(pipeline.parent.glob("*.yaml"))]
    others += [(real, one) for one in opening.names_beneath(real, PROMPT_SUFFIXES, MAX_NAMES)]
    for start, other in others[:MAX_NAMES]:
        try:
            content = opening.read_beneath(root, start, other, source.MAX_BYTES).content
        except (OSError, ValueError):
            continue  # whoever is asked about that file will say so
        text = content.decode("utf-8", "replace")
        spare = [one for one in spare if one not in text]
    return spare


def read_text(name: str) -> str:
    """Read the text that an input names.

    Raises:
        UsageError: where there is none.

    """
    try:
        content = opening.read_named(Path(name), source.MAX_BYTES)
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is not text in UTF-8: {error.reason} at byte {error.start}") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{name} {why_unread(error)}") from error
    if len(content) > source.MAX_BYTES:
        raise UsageError(f"{name} is larger than {source.MAX_BYTES // 1024} KiB; no input is that long")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def lines_of(file: str) -> list[str]:
    """Return the lines of a file, to show them; None where it cannot be read."""
    try:
        return lines_in(opening.read_file(Path(file), source.MAX_BYTES))
    except (OSError, ValueError):
        return []


def lines_in(content: bytes) -> list[str]:
    """Return the lines of a file's bytes, to show them."""
    return re.split(r"\r\n|\r|\n", content.decode("utf-8", "replace").removeprefix("\ufeff"))


def read_json_schema(root: Path, start: Path, name: str) -> Any:
    """Read a JSON Schema from a ``.json`` file, by its name as seen from the folder ``start``.

    Raises:
        ValueError: where there is none.

    """
    import json

    try:
        content = opening.read_beneath(root, start, name, source.MAX_BYTES).content
    except (OSError, LeadsOut, NotAFile) as error:
        raise ValueError(f"the schema {name!r} {why_unread(error, root)}") from error
    if len(content) > source.MAX_BYTES:
        raise ValueError(f"the schema {name!r} is larger than {source.MAX_BYTES // 1024} KiB")
    try:
        schema = json.loads(content)
    except RecursionError as error:
        raise ValueError(f"{name!r} is nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"{name!r} is no JSON: {error}") from error
    if not isinstance(schema, dict):
        raise ValueError(f"{name!r} is no JSON Schema: a map was expected")
    return schema


def relative(path: Path | None) -> str:
    """Return a path as seen from the working directory, where that is shorter."""
    if path is None:
        return "prompts"
    try:
        seen = os.path.relpath(path)
    except ValueError:  # another drive
        return str(path)
    return str(path) if seen.startswith("..") else seen


def _shipped(what: str) -> Path:
    """Return the folder of what ships with the package: inside it when installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "shipped" / what
    return inside if inside.is_dir() else package.parent / what
