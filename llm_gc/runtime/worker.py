"""Computes in a thread what the core takes its time over, so that the event loop stays free meanwhile.

To render templates, to search a reply and to hold it against a schema are bounded, but not short: a reply may keep
the core busy for seconds. Timeouts, other conversations and Ctrl-C must not wait for it.

The rules: one thing after the other, so that the core needs no locks and gives what it would give without threads. A
cancellation waits until the thread is done with what it does, for nobody may look at a conversation that still moves.
Between two steps the core comes by ``visited``, and is stopped there.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from typing import ParamSpec, TypeVar

from llm_gc.core import TraceEvent

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 4
"""For all conversations of the process: Python computes in one of them at a time, RE2 in all."""

_BETWEEN = frozenset(("spoke", "step", "until", "when"))
"""Visits at which nothing is half done."""


class Halted(Exception):
    """Raised inside the core, between two steps, when the caller was cancelled."""


class Worker:
    """Does the computing of one conversation."""

    def __init__(self) -> None:
        """Begin with nothing to do."""
        self._turn = asyncio.Lock()
        self._is_halted = False

    async def do(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what ``work`` returns.

        Raises:
            asyncio.CancelledError: when this is cancelled, once the thread is done.
            Exception: whatever ``work`` raises.

        """
        async with self._turn:
            context = copy_context()
            doing = asyncio.get_running_loop().run_in_executor(_threads(), lambda: context.run(work, *args, **kwargs))
            try:
                return await asyncio.shield(doing)
            except asyncio.CancelledError:
                self._is_halted = True
                await _end(doing)
                raise

    def visited(self, visit: TraceEvent) -> None:
        """Stop the core here, if it is to be stopped; a conversation is given this as its ``visit``.

        Raises:
            Halted: where it is.

        """
        if self._is_halted and visit.kind in _BETWEEN:
            raise Halted


async def _end(doing: asyncio.Future[T]) -> None:
    """Wait for something to end, whatever comes of it, and however often this is cancelled."""
    while not doing.done():
        try:
            await asyncio.wait([doing])
        except asyncio.CancelledError:
            continue
    doing.exception()  # which nobody asks for any more


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="conversation")


if hasattr(os, "register_at_fork"):  # the copy of a process has none of its threads, and would wait for them for ever
    os.register_at_fork(after_in_child=_threads.cache_clear)
