"""Backends and watchers for tests: in memory, and obedient."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from llm_gc.backends.interface import Asked, Delta, Facts, ModelFacts, Notify, Progress, ignore
from llm_gc.core import Outcome, Turn
from llm_gc.protocol import Ask, Failure, ModelConfig, Reply
from llm_gc.transcript.records import Transcript
from tests.talks import said

Answer = Callable[[Ask], Reply]


class Actor:
    """A backend that answers by a function; it counts what is done with it."""

    def __init__(self, answer: Answer = lambda ask: said(f"{ask.id}!"), facts: Facts | None = None) -> None:
        """Answer each ask with what ``answer`` gives."""
        self.answer, self.facts = answer, facts or Facts("acting")
        self.asked: list[str] = []
        self.cancelled: list[str] = []
        self.preflights = self.closed = 0
        self.in_flight: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self.together = 0

    async def preflight(self, castings: Sequence[ModelConfig], load_timeout: float, notify: Notify = ignore) -> Facts:
        """Return the facts."""
        self.preflights += 1
        await asyncio.sleep(0)
        return self.facts

    async def reply(self, ask: Ask, notify: Notify = ignore) -> Reply:
        """Answer, and keep count of what is in flight at a server and model."""
        key = f"{ask.casting.host or ''}/{ask.model}"
        self.asked.append(ask.id)
        self.in_flight[key] = self.in_flight.get(key, 0) + 1
        self.most[key] = max(self.most.get(key, 0), self.in_flight[key])
        self.together = max(self.together, sum(self.in_flight.values()))
        try:
            notify(Asked(ask.model))
            await self.wait(ask)
            reply = self.answer(ask)
            notify(Delta(reply.content))
            return reply
        except asyncio.CancelledError:
            await asyncio.sleep(0)  # what lets go of a connection takes its time
            self.cancelled.append(ask.id)
            raise
        finally:
            self.in_flight[key] -= 1

    async def wait(self, ask: Ask) -> None:
        """Take as long as a reply takes."""
        await asyncio.sleep(0)

    async def aclose(self) -> None:
        """Count."""
        self.closed += 1


class Late(Actor):
    """Replies arrive in the order of ``ranks``: how many turns of the loop each ask waits."""

    def __init__(self, ranks: Mapping[str, int], answer: Answer = lambda ask: said(f"{ask.id}!")) -> None:
        """Keep each ask waiting."""
        super().__init__(answer)
        self.ranks = ranks

    async def wait(self, ask: Ask) -> None:
        """Wait for its turn."""
        for _ in range(self.ranks.get(ask.id, 0)):
            await asyncio.sleep(0)


class Stuck(Actor):
    """Never reaches the end of the reply to the ask ``at``; says when it has been asked."""

    def __init__(self, at: str) -> None:
        """Get stuck there."""
        super().__init__()
        self.at, self.reached = at, asyncio.Event()

    async def wait(self, ask: Ask) -> None:
        """Wait for ever."""
        if ask.id == self.at:
            self.reached.set()
            await asyncio.Event().wait()


class Noted:
    """A watcher that notes everything."""

    def __init__(self) -> None:
        """Begin with no notes."""
        self.notes: list[str] = []
        self.troubles: list[str] = []
        self.ends: list[tuple[Transcript, Outcome, Path | None]] = []

    def preparing(self, progress: Progress) -> None:
        """Note."""
        self.notes.append("preparing")

    def began(self, ask: Ask) -> None:
        """Note."""
        self.notes.append(f"began {ask.id}")

    def progress(self, ask: Ask, progress: Progress) -> None:
        """Note."""
        self.notes.append(f"{type(progress).__name__} {ask.id}")

    def retrying(self, ask: Ask, failure: Failure, wait: float) -> None:
        """Note."""
        self.notes.append(f"retrying {ask.id} in {wait:g}")

    def settled(self, turn: Turn) -> None:
        """Note."""
        self.notes.append(f"settled {turn.exchange.ask.id}")

    def trouble(self, message: str) -> None:
        """Note."""
        self.troubles.append(message)

    def ended(self, transcript: Transcript, outcome: Outcome, path: Path | None) -> None:
        """Note."""
        self.ends.append((transcript, outcome, path))


class Naps:
    """A sleep that takes no time and remembers how long it would have been."""

    def __init__(self) -> None:
        """Begin rested."""
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        """Sleep."""
        self.taken.append(seconds)
        await asyncio.sleep(0)


WINDOW = Facts("acting", "1.2.3", {(None, "m"): ModelFacts(digest="sha256:abc", num_ctx=4096)})
