"""How many requests are in flight at once, for one conversation or across all of an engine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Gates:
    """How many requests may be in flight at once: for each model of each server, and for each server."""

    def __init__(self, parallel: int = 1, in_flight: int | None = None) -> None:
        """Allow ``parallel`` requests for a model of a server, and at most ``in_flight`` for a server."""
        self._parallel, self._in_flight = parallel, in_flight
        self._models: dict[tuple[str | None, str], asyncio.Semaphore] = {}
        self._servers: dict[str | None, asyncio.Semaphore] = {}

    @contextlib.asynccontextmanager
    async def through(self, host: str | None, model: str) -> AsyncIterator[None]:
        """Wait for a place, and hold it while this is open."""
        gate = self._models.setdefault((host, model), asyncio.Semaphore(self._parallel))
        async with gate:
            if self._in_flight is None:
                yield
                return
            async with self._servers.setdefault(host, asyncio.Semaphore(self._in_flight)):
                yield
