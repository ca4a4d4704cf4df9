"""Shows how far a server is with getting a model: a bar in a terminal, plain lines anywhere else."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from llm_gc.cli.clean import clean

if TYPE_CHECKING:
    from llm_gc.backends.ollama.pulling import Pulling
    from llm_gc.doctor.visit import Told

_STEPS = 10
"""A plain line for each tenth of a file."""


@contextlib.contextmanager
def pulling() -> Iterator[Told]:
    """Give what is told how far it is, on standard error."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield _Plain()
        return
    with _bars() as progress:
        yield _Bars(progress)


class _Plain:
    """Prints a line where something new has begun, and for each tenth of a large file."""

    def __init__(self) -> None:
        self._last: tuple[str, int] | None = None

    def __call__(self, model: str, pulled: Pulling | None) -> None:
        if pulled is None:
            click.echo(f"getting {model}", err=True)
            self._last = None
            return
        step = pulled.done * _STEPS // pulled.total if pulled.total else -1
        if (pulled.status, step) != self._last:
            self._last = (pulled.status, step)
            percent = f" {step * 100 // _STEPS} %" if step >= 0 else ""
            click.echo(f"{model}: {clean(pulled.status)}{percent}", err=True)


class _Bars:
    """A bar for each file of a model."""

    def __init__(self, progress: Any) -> None:
        self._progress = progress
        self._tasks: dict[tuple[str, str], Any] = {}

    def __call__(self, model: str, pulled: Pulling | None) -> None:
        words, part, total, done = ("", "", None, 0) if pulled is None else pulled
        key = (model, part)
        if key not in self._tasks:
            self._tasks[key] = self._progress.add_task(model, total=total if part else None, status="")
        self._progress.update(self._tasks[key], status=clean(words), total=total, completed=done)
        if words == "success":
            self._progress.update(self._tasks[key], total=1, completed=1)


def _bars() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[status]}", markup=False),
    )
    return Progress(*columns, console=Console(stderr=True))
