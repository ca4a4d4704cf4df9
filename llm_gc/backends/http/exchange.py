"""The request for one reply, from sending it to its end, within its limits."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from math import inf
from typing import Any

from llm_gc.backends.http._httpx import httpx
from llm_gc.backends.http.accumulator import Accumulator
from llm_gc.backends.http.server import Server, pieces_of
from llm_gc.backends.http.server_errors import (
    Failed,
    RequestPlace,
    of_bad,
    of_error,
    of_status,
    of_transport,
    seconds_after,
)
from llm_gc.backends.http.stream import BadLine, ErrorLine, Said, read_body
from llm_gc.backends.http.timeouts import (
    Activity,
    SilenceWatch,
    Spoken,
    overdue,
    overrun,
    patience_for,
    stalled,
    unbegun,
)
from llm_gc.protocol import Ask, Cut, Failure

_REFUSED = (400, 422)

FAREWELL = 0.5
"""For how many seconds the stream's end is waited for once the reply is whole, to keep the connection."""


class LimitedExchange(ABC):
    """The request for one reply, which ``hearing`` gathers, whatever way its bytes come."""

    def __init__(self, place: RequestPlace, ask: Ask, hearing: Accumulator, activity: Activity) -> None:
        """Take what is asked and where, and the ``activity`` of the model that is asked."""
        self._place, self._ask, self._hearing, self._activity = place, ask, hearing, activity

    async def run(self, path: str, body: Mapping[str, Any], spent: float = 0.0) -> Failure | Cut | None:
        """Send ``body`` and hear the reply; return why it is not whole, if it is not.

        ``spent`` are the seconds of ``max_time`` that the ask has taken already. When this returns or is cancelled,
        the request is over: its connection is closed, or free for another.
        """
        timer = asyncio.timeout(self._seconds(spent))
        with self._activity.watched(patience_for(self._ask), timer) as silence:
            try:
                async with timer:
                    ended = await self._listen(path, body, timer, silence)
            except TimeoutError:
                ended = self._late(silence)
            except Failed as failed:
                ended = failed.failure
        return None if self._hearing.end is not None else ended

    @abstractmethod
    async def _listen(
        self, path: str, body: Mapping[str, Any], timer: asyncio.Timeout, silence: SilenceWatch
    ) -> Failure | Cut | None:
        """Send the request and take its answer as far as it comes; return why it is not whole, if it is not."""

    async def _hear(self, pieces: AsyncIterator[bytes], timer: asyncio.Timeout, silence: SilenceWatch) -> Cut | None:
        """Take the pieces of the answer until the reply is whole; return the limit that it has passed, if it has."""
        hearing, count, most, is_leaving = self._hearing, 0, _most(self._ask), False
        async for data in pieces:
            if hearing.over:  # more, after the end
                break
            hearing.feed(data)
            if hearing.trouble is not None:
                break
            if hearing.count > most:
                return overrun(self._place, self._spoken)
            if hearing.is_spoken and not is_leaving:
                is_leaving = True
                timer.reschedule(asyncio.get_running_loop().time() + FAREWELL)
            elif hearing.count > count:  # bytes that make no token are no sign of life
                count = hearing.count
                silence.heard()
        hearing.finish()
        return None

    def _seconds(self, spent: float) -> float | None:
        """Return the seconds for the whole reply."""
        limits = (self._ask.reply_time, None if self._ask.time_left is None else self._ask.time_left - spent)
        return min((limit for limit in limits if limit is not None), default=None)

    def _late(self, silence: SilenceWatch) -> Failure | Cut:
        """Return what took too long."""
        spoken = self._spoken
        self._hearing.finish()  # what came may be whole all the same
        if not silence.expired:
            return overdue(self._place, self._ask, spoken, silence.others)
        if spoken.tokens:
            return stalled(self._place, self._ask, spoken)
        return unbegun(self._place, self._ask, silence.patience, silence.others)

    @property
    def _spoken(self) -> Spoken:
        return self._hearing.spoken(self._ask.options.get("num_predict"))


class HttpExchange(LimitedExchange):
    """The request for one reply, sent to a server."""

    def __init__(self, server: Server, ask: Ask, hearing: Accumulator, activity: Activity) -> None:
        """Take what is asked, and the ``activity`` of the model that is asked."""
        super().__init__(server.place(ask.model), ask, hearing, activity)
        self._server = server
        self.refusal: Said | None = None
        """What the server said of a request that it does not take as it is."""

    async def _listen(
        self, path: str, body: Mapping[str, Any], timer: asyncio.Timeout, silence: SilenceWatch
    ) -> Failure | Cut | None:
        try:
            return await self._request(path, body, timer, silence)
        except httpx.HTTPError as error:
            return self._cut(error)

    async def _request(
        self, path: str, body: Mapping[str, Any], timer: asyncio.Timeout, silence: SilenceWatch
    ) -> Failure | Cut | None:
        async with self._server.open("POST", path, body) as response:
            kind, location = (self._server.header(response, name) for name in ("content-type", "location"))
            if response.status_code != 200:
                said = await self._server.read_error(response)
                if response.status_code in _REFUSED:
                    self.refusal = read_body(said)
                after = seconds_after(
                    self._server.header(response, "retry-after"), self._server.header(response, "date")
                )
                return of_status(self._place, response.status_code, said, location, after)
            passed = await self._hear(pieces_of(response), timer, silence)
        trouble = self._hearing.trouble
        if passed is not None:
            return passed
        if isinstance(trouble, BadLine):
            return of_bad(self._place, trouble, kind)
        return of_error(self._place, trouble.said) if trouble is not None else None

    def _cut(self, error: httpx.HTTPError) -> Failure:
        self._hearing.finish()  # a last line without its newline may be the end, or the reason
        if isinstance(self._hearing.trouble, ErrorLine):
            return of_error(self._place, self._hearing.trouble.said)
        return of_transport(self._place, error, begun=self._hearing.count > 0)


def _most(ask: Ask) -> float:
    """Return how many pieces of a reply are read: more than it may have tokens, since some servers split a token."""
    wanted = ask.options.get("num_predict")
    return wanted + wanted // 4 + 16 if isinstance(wanted, int) and wanted > 0 else inf
