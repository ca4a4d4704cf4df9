"""Waiting for a server that says itself that it is still loading its model, within ``load_timeout``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from llm_gc.backends.http.server import Answer
from llm_gc.backends.http.server_errors import RequestPlace, is_loading
from llm_gc.backends.http.timeouts import not_loaded
from llm_gc.backends.interface import Loading, Notify
from llm_gc.protocol import Ask, Reply

POLL, MAX_POLL = 1.0, 5.0
"""Seconds after which a server that is loading is asked again, and the most where it says itself when."""

Sleep = Callable[[float], Awaitable[None]]


class LoadWait:
    """The wait of one ask; ``load`` are the seconds that the server has been loading, None where it was not."""

    def __init__(self, ask: Ask, place: RequestPlace, notify: Notify, since: Callable[[], float], sleep: Sleep) -> None:
        """Begin; ``since`` gives the seconds since the ask was begun."""
        self._ask, self._place, self._notify, self._since, self._sleep = ask, place, notify, since, sleep
        self.load: float | None = None

    async def again(self, reply: Reply) -> bool:
        """Wait where a reply says that the server is loading; return whether it is to be asked again."""
        if reply.failure is None or not reply.failure.is_loading:
            return False
        self.load = self._since()
        left = self._ask.load_timeout - self.load
        if left <= 0:
            return False
        self._notify(Loading(self._ask.model))
        await self._sleep(min(_pause(reply.failure.after), left))
        self.load = self._since()
        return True

    def settled(self, reply: Reply) -> Reply:
        """Return the reply with the time of the load; where the server is loading still, with what that means."""
        if self.load is None:
            return reply
        load = self.load if reply.latency.load is None else self.load + reply.latency.load
        failure = reply.failure
        if failure is not None and failure.is_loading:
            failure = not_loaded(self._place, self._ask.load_timeout)
        return replace(reply, failure=failure, latency=replace(reply.latency, load=load))


async def when_loaded(
    fetch: Callable[[], Awaitable[Answer]], limit: float, on_wait: Callable[[], None], sleep: Sleep = asyncio.sleep
) -> Answer:
    """Return the answer to a small request, asked again while the server is loading, for ``limit`` seconds."""
    waited = 0.0
    while True:
        answer = await fetch()
        if not is_loading(answer.status, answer.body) or waited >= limit:
            return answer
        on_wait()
        pause = min(_pause(answer.after), limit - waited)
        await sleep(pause)
        waited += pause


def _pause(after: float | None) -> float:
    return POLL if after is None else min(max(after, POLL), MAX_POLL)
