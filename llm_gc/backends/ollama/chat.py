"""One chat request, from sending it to its end, within its deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from llm_gc.backends.ollama._httpx import httpx
from llm_gc.backends.ollama.failures import Failed, of_bad, of_error, of_status, of_transport
from llm_gc.backends.ollama.hearing import Hearing
from llm_gc.backends.ollama.lateness import overdue, stalled
from llm_gc.backends.ollama.server import ERROR_BODY, Server, read_body
from llm_gc.backends.ollama.wire import Bad, ErrorLine
from llm_gc.protocol import Ask, Failure

FAREWELL = 0.5
"""For how many seconds the stream's end is waited for once the reply is whole, to keep the connection."""


class Chat:
    """The request for one reply, which ``hearing`` gathers."""

    def __init__(self, server: Server, ask: Ask, hearing: Hearing, gap: float) -> None:
        """Take what is asked, and for how many seconds a stream may pause once it has begun."""
        self._server, self._ask, self._hearing, self._gap = server, ask, hearing, gap
        self._place = server.place(ask.model)

    async def run(self, body: Mapping[str, Any]) -> Failure | None:
        """Send ``body`` and hear the reply; give why it is not whole, if it is not.

        When this returns or is cancelled, the request is over: its connection is closed, or free for another.
        """
        now = asyncio.get_running_loop().time
        due = now() + self._ask.deadline
        timer = asyncio.timeout_at(due)
        try:
            async with timer:
                failure = await self._listen(body, timer, due)
        except TimeoutError:
            failure = self._late(stuck=timer.when() != due)
        except Failed as failed:
            failure = failed.failure
        except httpx.HTTPError as error:
            failure = self._cut(error)
        return None if self._hearing.end is not None else failure

    async def _listen(self, body: Mapping[str, Any], timer: asyncio.Timeout, due: float) -> Failure | None:
        hearing, now = self._hearing, asyncio.get_running_loop().time
        async with self._server.open("POST", "/api/chat", body) as response:
            kind, location = response.headers.get("content-type", ""), response.headers.get("location", "")
            if response.status_code != 200:
                said = await read_body(response, ERROR_BODY)
                return of_status(self._place, response.status_code, said, location)
            async for data in response.aiter_bytes():
                if hearing.over:  # more, after the end
                    break
                hearing.feed(data)
                if hearing.trouble is not None:
                    break
                timer.reschedule(min(due, now() + (self._gap if hearing.end is None else FAREWELL)))
            hearing.finish()
        if isinstance(hearing.trouble, Bad):
            return of_bad(self._place, hearing.trouble, kind)
        return of_error(self._place, hearing.trouble.said) if hearing.trouble is not None else None

    def _cut(self, error: httpx.HTTPError) -> Failure:
        self._hearing.finish()  # a last line without its newline may be the end, or the reason
        if isinstance(self._hearing.trouble, ErrorLine):
            return of_error(self._place, self._hearing.trouble.said)
        return of_transport(self._place, error, begun=self._hearing.count > 0)

    def _late(self, stuck: bool) -> Failure:
        spoken = self._hearing.spoken(self._ask.options.get("num_predict"))
        if stuck:
            return stalled(self._place, self._gap, spoken)
        return overdue(self._place, self._ask.deadline, spoken)
