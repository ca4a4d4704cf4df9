"""The engine from outside: its process is started, given a model, asked, and ended; what goes wrong, in words."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Any

from llm_gc.backends.http.server_errors import Failed, RequestPlace, of_bad, overflow
from llm_gc.backends.http.stream import MAX_LINE, BadLine, Said, quote
from llm_gc.errors import ServerUnreachable
from llm_gc.protocol import Failure

PACKAGE = "xllamacpp"
EXTRA = "pip install 'llm-gc[embedded]'"
WORKER = Path(__file__).with_name("worker.py")

KEPT = 40
"""So many lines of the engine's log are kept, to say why it ended."""

MAX_SOCKET = 100
"""Characters that the name of a socket may have on every system that has them."""

FAREWELL = 5.0
"""Seconds for which the end of a process is waited for that has been killed."""

_STAMP = re.compile(r"^[\d.]+ [EW] (\w+ +)?")
_NOISE = re.compile(r"Unable to generate parser for this template\. Automatic parser generation failed:\s*")
_CAUSES = (
    re.compile(r"error loading model: (?:error loading model hyperparameters: )?(?P<why>.+)"),
    re.compile(r"(?P<template>(?:Jinja Exception|Parser Error|Lexer Error|parser|lexer): .+)", re.IGNORECASE),
    re.compile(r"(?P<template>chat template parsing error: .+)"),
    re.compile(r"(?P<memory>failed to allocate|out of memory|bad_alloc)", re.IGNORECASE),
)


def version() -> str:
    """Return the name and version of the engine's package.

    Raises:
        ServerUnreachable: where it is not installed.

    """
    if util.find_spec(PACKAGE) is None:
        raise ServerUnreachable(f"The embedded engine is not installed; the extra has it: {EXTRA}.")
    try:
        return f"{PACKAGE} {metadata.version(PACKAGE)}"
    except metadata.PackageNotFoundError:
        return PACKAGE


@dataclass(frozen=True)
class Load:
    """What an engine loads: the file, the tokens of context for each of its slots, and the numbers of threads to try.

    It ``chats`` where messages will be made one text by the model's own template.
    """

    path: Path
    window: int
    slots: int
    threads: tuple[int, ...]
    chats: bool


class EngineProcess:
    """One model in a process of its own; whatever goes wrong with it is raised as ``Failed``."""

    def __init__(self, place: RequestPlace, load: Load) -> None:
        """Take what to load, and what to call it in messages; nothing is started yet."""
        self.load = load
        self.threads = 0
        self._place = place
        self._process: asyncio.subprocess.Process | None = None
        self._answers: dict[int, asyncio.Queue[bytes | None]] = {}
        self._count = 0
        self._log: deque[str] = deque(maxlen=KEPT)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def is_running(self) -> bool:
        """Whether it can be asked."""
        return self._process is not None and self._process.returncode is None and self.threads > 0

    async def start(self) -> None:
        """Start the process, and wait until the model is loaded. When this fails or is cancelled, it has ended."""
        folder = Path(tempfile.mkdtemp(prefix="llm-gc-"))  # which only this user may enter
        try:
            await self._start(_socket(folder))
        except BaseException:
            await self.aclose()
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def stream(self, kind: str, body: Mapping[str, Any]) -> AsyncGenerator[bytes]:
        """Make a request, and yield its events as lines; leaving early takes it back."""
        self._count += 1
        number, answers = self._count, asyncio.Queue[bytes | None]()
        self._answers[number] = answers
        is_over = False
        try:
            self._send({"id": number, "kind": kind, "body": body})
            while (line := await answers.get()) is not None:
                yield line
            is_over = True
            if not self.is_running:
                raise Failed(await self._death())
        finally:
            del self._answers[number]
            if not is_over:
                self._send({"cancel": number})

    async def aclose(self) -> None:
        """End the process, whatever it is at."""
        process, self._process = self._process, None
        if process is None:
            return
        _kill(process)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL):
                await process.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if process.stdin is not None:
            process.stdin.close()

    async def _start(self, socket: str) -> None:
        try:
            process = self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", str(WORKER),
                stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=MAX_LINE,
                **_apart(),
            )  # fmt: skip
        except (OSError, ValueError) as error:
            raise Failed(Failure("refused", f"The engine for {self._place} cannot be started: {error}.")) from error
        loaded: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._tasks = [asyncio.create_task(self._read(process, loaded)), asyncio.create_task(self._keep_log(process))]
        load = self.load
        self._send({
            "path": str(load.path), "window": load.window, "slots": load.slots, "threads": load.threads,
            "chats": load.chats, "socket": socket,
        })  # fmt: skip
        said = await loaded
        if "loaded" not in said:
            await process.wait()
            await self._tasks[1]
            raise Failed(_refused_load(self._place, process.returncode or 0, self._log))
        self.threads = said["loaded"]["threads"]

    def _send(self, message: Mapping[str, Any]) -> None:
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(json.dumps(message).encode("ascii") + b"\n")

    async def _read(self, process: asyncio.subprocess.Process, loaded: asyncio.Future[dict[str, Any]]) -> None:
        """Hand on what the process says, until it ends."""
        assert process.stdout is not None  # noqa: S101  # it was made a pipe
        try:
            while line := await process.stdout.readline():
                number, _, data = line.rstrip(b"\n").partition(b" ")
                if number == b"0":
                    loaded.set_result(json.loads(data))
                elif (answers := self._answers.get(int(number))) is not None:
                    answers.put_nowait(b"data: " + data + b"\n" if data else None)
            await process.wait()
        except ValueError:  # a line beyond every bound, or none of ours
            _kill(process)
            await process.wait()
        except asyncio.CancelledError:  # the event loop ends, and nobody has closed this
            _kill(process)
            raise
        finally:
            if not loaded.done():
                loaded.set_result({})
            for answers in self._answers.values():
                answers.put_nowait(None)

    async def _keep_log(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None  # noqa: S101  # it was made a pipe
        with contextlib.suppress(ValueError):
            while line := await process.stderr.readline():
                self._log.append(line.decode("utf-8", "replace").rstrip())

    async def _death(self) -> Failure:
        """Report that the process has ended in the middle of a request."""
        process = self._process
        code = (process.returncode if process is not None else None) or 0
        with contextlib.suppress(asyncio.CancelledError, TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.shield(self._tasks[1])
        words = f"The engine died under {self._place}: {_cause(code, self._log)}."
        return Failure("server", words, retry=True)


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()


def of_error(place: RequestPlace, said: Said, *, begun: bool) -> Failure:
    """Return what an error of the engine means; ``begun`` is whether something of the reply had come."""
    said = said._replace(message=_NOISE.sub("", said.message))
    if said.too_long:
        return overflow(place, said)
    if begun:
        return Failure("server", f"{place} gave up in the middle of its reply: {said}.")
    return Failure("refused", f"{place} refused the request: {said}.")


def of_unreadable(place: RequestPlace, bad: BadLine) -> Failure:
    """Report that what came is no reply."""
    return of_bad(place, bad)


def _socket(folder: Path) -> str:
    """Return the name of the socket for the engine's own server; empty where it needs a port."""
    name = str(folder / "llama.sock")  # by whose end the engine knows that it is one
    return name if os.name == "posix" and len(os.fsencode(name)) < MAX_SOCKET else ""


def _apart() -> dict[str, Any]:
    """Return how to start a process that Ctrl-C in the terminal does not reach."""
    if sys.platform == "win32":
        return {"creationflags": 0x0000_0200 | 0x0800_0000}  # CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW
    return {"start_new_session": True}


def _refused_load(place: RequestPlace, code: int, log: deque[str]) -> Failure:
    """Report that the model could not be loaded."""
    for pattern in _CAUSES:
        for line in log:
            found = pattern.search(line)
            if found is None:
                continue
            why = quote(_STAMP.sub("", _words(line, found))).rstrip(".")
            if "template" in found.groupdict():
                return Failure("refused", f"The engine cannot apply the chat template of {place}: {why}.")
            if "memory" in found.groupdict():
                advice = "Take a smaller model or num_ctx, or free memory"
                return Failure("refused", f"There is no memory for {place}: {why}. {advice}.")
            return Failure("refused", f"The engine cannot load {place}: {why}.")
    return Failure("refused", f"The engine cannot load {place}: {_cause(code, log)}.")


def _words(line: str, found: re.Match[str]) -> str:
    """Return what a line of the log says of a cause."""
    groups = found.groupdict()
    if "why" in groups:
        return found["why"]
    is_inside = "memory" in groups and not found[0].lower().startswith("failed")
    return line if is_inside else line[found.start() :]


def _cause(code: int, log: deque[str]) -> str:
    """Return why a process has ended, by its exit code and the last of its log."""
    said = next((words for line in reversed(log) if (words := quote(_STAMP.sub("", line)).rstrip("."))), "")
    if code < 0:
        if -code == signal.SIGILL:
            return "this processor lacks instructions that the engine was built for, such as AVX2"
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        hint = ", perhaps for want of memory" if name == "SIGKILL" else ""
        return f"its process was ended by {name}{hint}{f' ({said})' if said else ''}"
    return said or "it says no more than that"
