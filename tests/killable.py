"""A run that waits to be killed: ``python -m tests.killable FOLDER PIECES`` prints each turn's id when it is settled.

Its replies take a while, and so does each write: a line goes to the disk in so many PIECES, so that a kill can come in
the middle of one.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

from llm_gc import project
from llm_gc.backends.interface import Notify, ignore
from llm_gc.backends.rehearsal import Rehearsal
from llm_gc.core import Turn
from llm_gc.language.inputs import resolve
from llm_gc.protocol import Ask, Reply
from llm_gc.runtime.observers import NullObserver
from llm_gc.runtime.run import Run
from tests.commands import M1

PAUSE = 0.004
ROUNDS = 10


class Slow(Rehearsal):
    """The stand-in, which takes its time and never approves."""

    async def reply(self, ask: Ask, notify: Notify = ignore) -> Reply:
        """Wait, then reply."""
        await asyncio.sleep(PAUSE)
        return await super().reply(replace(ask, stops=()), notify)


class Telling(NullObserver):
    """Tells whoever holds the other end of the pipe what is over."""

    def settled(self, turn: Turn) -> None:
        """Print the id."""
        print(turn.exchange.ask.id, flush=True)  # noqa: T201  # that is what it is for


def main(folder: str, pieces: int) -> None:
    """Run M1 with many rounds."""
    write = os.write

    def write_slowly(descriptor: int, data: bytes) -> int:
        if pieces > 1:
            time.sleep(PAUSE)
        return write(descriptor, bytes(data)[: max(len(data) // pieces, 100)])

    os.write = write_slowly  # type: ignore[assignment]
    loaded = project.load(M1)
    inputs = resolve(loaded.pipeline.inputs, {"task": "Sort a list.", "rounds": ROUNDS})
    asyncio.run(Run(loaded, inputs, Slow(), (Telling(),), sessions=Path(folder)).go())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
