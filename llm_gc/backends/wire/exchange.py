"""The request for one reply, from sending it to its end, within its deadlines."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

from llm_gc.backends.wire._httpx import httpx
from llm_gc.backends.wire.events import Bad, ErrorLine
from llm_gc.backends.wire.failures import Failed, of_bad, of_error, of_status, of_transport
from llm_gc.backends.wire.hearing import Hearing
from llm_gc.backends.wire.lateness import overdue, stalled, unbegun
from llm_gc.backends.wire.server import ERROR_BODY, Server, read_body
from llm_gc.protocol import Ask, Failure

FAREWELL = 0.5
"""For how many seconds the stream's end is waited for once the reply is whole, to keep the connection."""


class Patience(NamedTuple):
    """How many seconds a reply may take: until its first token, for a pause once it has begun, and in all."""

    first: float
    gap: float
    total: float


def patience_for(ask: Ask, gap: float) -> Patience:
    """Give how long the reply to ``ask`` may take; ``gap`` is for an ask that says nothing of pauses."""
    first = ask.deadline if ask.first_token is None else min(ask.first_token, ask.deadline)
    return Patience(first, gap if ask.gap is None else ask.gap, ask.deadline)


class Exchange:
    """The request for one reply, which ``hearing`` gathers."""

    def __init__(self, server: Server, ask: Ask, hearing: Hearing, patience: Patience, others: int = 0) -> None:
        """Take what is asked, how long it may take, and how many ``others`` of ours the model is at."""
        self._server, self._ask, self._hearing = server, ask, hearing
        self._patience, self._others = patience, others
        self._place = server.place(ask.model)

    async def run(self, path: str, body: Mapping[str, Any]) -> Failure | None:
        """Send ``body`` and hear the reply; give why it is not whole, if it is not.

        When this returns or is cancelled, the request is over: its connection is closed, or free for another.
        """
        now = asyncio.get_running_loop().time
        due = now() + self._patience.total
        timer = asyncio.timeout_at(min(due, now() + self._patience.first))
        try:
            async with timer:
                failure = await self._listen(path, body, timer, due)
        except TimeoutError:
            failure = self._late(at_once=timer.when() != due)
        except Failed as failed:
            failure = failed.failure
        except httpx.HTTPError as error:
            failure = self._cut(error)
        return None if self._hearing.end is not None else failure

    async def _listen(self, path: str, body: Mapping[str, Any], timer: asyncio.Timeout, due: float) -> Failure | None:
        hearing, now = self._hearing, asyncio.get_running_loop().time
        async with self._server.open("POST", path, body) as response:
            kind, location = response.headers.get("content-type", ""), response.headers.get("location", "")
            if response.status_code != 200:
                said = self._server.hide(await read_body(response, ERROR_BODY))
                return of_status(self._place, response.status_code, said, location)
            async for data in response.aiter_bytes():
                if hearing.over:  # more, after the end
                    break
                hearing.feed(data)
                if hearing.trouble is not None:
                    break
                if hearing.begun or hearing.is_spoken:
                    timer.reschedule(min(due, now() + (FAREWELL if hearing.is_spoken else self._patience.gap)))
            hearing.finish()
        if isinstance(hearing.trouble, Bad):
            return of_bad(self._place, hearing.trouble, kind)
        return of_error(self._place, hearing.trouble.said) if hearing.trouble is not None else None

    def _cut(self, error: httpx.HTTPError) -> Failure:
        self._hearing.finish()  # a last line without its newline may be the end, or the reason
        if isinstance(self._hearing.trouble, ErrorLine):
            return of_error(self._place, self._hearing.trouble.said)
        return of_transport(self._place, error, begun=self._hearing.count > 0)

    def _late(self, at_once: bool) -> Failure:
        """Say what took too long; ``at_once`` tells that it was not the whole."""
        spoken, begun = self._hearing.spoken(self._ask.options.get("num_predict")), self._hearing.begun
        self._hearing.finish()  # what came may be whole all the same
        if at_once and begun:
            return stalled(self._place, self._patience.gap, spoken)
        if not spoken.tokens:
            return unbegun(self._place, self._patience.first if at_once else self._patience.total, self._others)
        return overdue(self._place, self._patience.total, spoken)
