"""Shows how far a server is with getting a model: a bar in a terminal, plain lines anywhere else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from llm_gc.cli.output import Bars, err

if TYPE_CHECKING:
    from llm_gc.backends.ollama.pulling import Pulling
    from llm_gc.doctor.examination import ProgressCallback


_STEPS = 10
"""A plain line for each tenth of a file."""


@contextlib.contextmanager
def pulling() -> Iterator[ProgressCallback]:
    """Yield what is told how far it is, on standard error."""
    if not err.is_live:
        yield _PlainProgress()
        return
    with err.bars() as bars:
        yield _LiveProgress(bars)


class _PlainProgress:
    """Prints a line where something new has begun, and for each tenth of a large file."""

    def __init__(self) -> None:
        self._last: tuple[str, int] | None = None

    def __call__(self, model: str, pulled: Pulling | None) -> None:
        if pulled is None:
            err.line(f"getting {model}")
            self._last = None
            return
        step = pulled.done * _STEPS // pulled.total if pulled.total else -1
        if (pulled.status, step) != self._last:
            self._last = (pulled.status, step)
            percent = f" {step * 100 // _STEPS} %" if step >= 0 else ""
            err.line(f"{model}: {pulled.status}{percent}")


class _LiveProgress:
    """Shows a bar for each file of a model."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars

    def __call__(self, model: str, pulled: Pulling | None) -> None:
        words, part, total, done = ("", "", None, 0) if pulled is None else pulled
        whole = (1, 1) if words == "success" else (total, done)
        self._bars.show(model, part, status=words, total=whole[0], done=whole[1])
